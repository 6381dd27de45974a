"""Usage as Bedrock, Cohere and Google tell it."""

import json
from typing import Any

import pytest

from dragoman.providers.usage import read_usage
from dragoman.wire.usage import Usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"inputTokens": 10, "outputTokens": 5}, Usage(prompt=10, completion=5)),
        (
            {
                "inputTokens": 10, "outputTokens": 5, "totalTokens": 145,
                "cacheReadInputTokens": 100, "cacheWriteInputTokens": 30,
                "cacheDetails": [
                    {"ttl": "5m", "inputTokens": 10}, {"ttl": "1h", "inputTokens": 20},
                ],
            },
            Usage(prompt=140, completion=5, cached=100, cache_write=30, cache_write_1h=20),
        ),
        (
            {"inputTokens": -1, "outputTokens": 5, "cacheDetails": [3], "totalTokens": 4},
            Usage(completion=5, source="estimated"),
        ),
        ({"billed_units": {"input_tokens": 1, "output_tokens": 5}}, Usage(prompt=1, completion=5)),
        (
            {
                "billed_units": {"input_tokens": 10, "output_tokens": 5},
                "tokens": {"input_tokens": 71, "output_tokens": 9},
                "cached_tokens": 4,
            },
            Usage(prompt=10, completion=5, cached=4),
        ),
        (
            {"billed_units": {}, "tokens": {"input_tokens": 7, "output_tokens": 2}},
            Usage(prompt=7, completion=2),
        ),
        ({"billed_units": {}, "cached_tokens": 4}, None),
        (
            {
                "promptTokenCount": 10, "toolUsePromptTokenCount": 4, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 3, "totalTokenCount": 22, "cachedContentTokenCount": 6,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2},
                ],
                "candidatesTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 1}, {"modality": "IMAGE", "tokenCount": 4},
                ],
            },
            Usage(
                prompt=14, completion=8, reasoning=3, cached=6,
                prompt_audio=2, completion_audio=1, completion_image=4,
            ),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 15},
            Usage(prompt=10, completion=5, reasoning=3),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 13},
            Usage(prompt=10, completion=3, reasoning=3),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 12},
            Usage(prompt=10, completion=3, reasoning=3, source="estimated"),
        ),
        (
            {"promptTokenCount": 10, "thoughtsTokenCount": 3},
            Usage(prompt=10, completion=3, reasoning=3, source="estimated"),
        ),
        (
            {"promptTokenCount": None, "toolUsePromptTokenCount": 4, "totalTokenCount": 15},
            Usage(source="estimated"),
        ),
    ],
)  # fmt: skip
def test_it_is_read(told: dict[str, Any], usage: Usage | None) -> None:
    assert read_usage(json.dumps(told).encode()) == usage
