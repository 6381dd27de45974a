"""Usage objects as the providers write them, and as no provider should."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.usage import MOST_TOKENS, read_usage
from dragoman.wire.usage import Usage

SHAPES: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "OpenAI",
        {
            "prompt_tokens": 1200,
            "completion_tokens": 90,
            "total_tokens": 1290,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 3},
            "completion_tokens_details": {
                "reasoning_tokens": 64,
                "audio_tokens": 2,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        Usage(
            prompt=1200,
            completion=90,
            cached=1024,
            reasoning=64,
            prompt_audio=3,
            completion_audio=2,
        ),
    ),
    (
        "DeepSeek",
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
        Usage(prompt=100, completion=20, cached=64, reasoning=7),
    ),
    (
        "Groq",
        {
            "queue_time": 0.01,
            "prompt_tokens": 18,
            "prompt_time": 0.001,
            "completion_tokens": 5,
            "completion_time": 0.02,
            "total_tokens": 23,
            "total_time": 0.021,
        },
        Usage(prompt=18, completion=5),
    ),
    (
        "Mistral",
        {
            "prompt_tokens": 4,
            "total_tokens": 10,
            "completion_tokens": 6,
            "prompt_audio_seconds": {},
        },
        Usage(prompt=4, completion=6),
    ),
    (
        "Mistral, what was cached beside the counts",
        {"prompt_tokens": 70, "total_tokens": 76, "completion_tokens": 6, "num_cached_tokens": 64},
        Usage(prompt=70, completion=6, cached=64),
    ),
    (
        "Mistral, details under the other name of its schema",
        {
            "prompt_tokens": 70,
            "total_tokens": 76,
            "completion_tokens": 6,
            "prompt_tokens_details": None,
            "prompt_token_details": {"cached_tokens": 64},
        },
        Usage(prompt=70, completion=6, cached=64),
    ),
    (
        "Moonshot",
        {"prompt_tokens": 40, "completion_tokens": 6, "total_tokens": 46, "cached_tokens": 32},
        Usage(prompt=40, completion=6, cached=32),
    ),
    (
        "OpenRouter",
        {
            "prompt_tokens": 50,
            "completion_tokens": 10,
            "total_tokens": 60,
            "cost": 0.00123,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 16},
            "cost_details": {"upstream_inference_cost": 0.00123},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 4},
        },
        Usage(
            prompt=50, completion=10, cached=8, cache_write=16, completion_image=4, cost_usd=0.00123
        ),
    ),
    (
        "DeepInfra",
        {
            "prompt_tokens": 11,
            "completion_tokens": 2,
            "total_tokens": 13,
            "estimated_cost": 0.0000021,
            "prompt_tokens_details": None,
        },
        Usage(prompt=11, completion=2, cost_usd=0.0000021),
    ),
    (
        "xAI: reasoning stands outside of completion, inside of total",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
            "cost_in_usd_ticks": 5_000_000,
        },
        Usage(prompt=32, completion=103, reasoning=94, cached=6, cost_usd=0.0005),
    ),
    (
        "Google: reasoning is in the total only",
        {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
        Usage(prompt=20, completion=603, reasoning=405),
    ),
    (
        "Anthropic: input without what the cache gave or took",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 30,
        },
        Usage(prompt=140, completion=5, cached=100, cache_write=30),
    ),
    (
        "Responses names",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 2},
        },
        Usage(prompt=10, completion=5, cached=4, reasoning=2),
    ),
    (
        "OpenAI since it charges for writes to its cache",
        {
            "prompt_tokens": 6209,
            "completion_tokens": 25,
            "total_tokens": 6234,
            "prompt_tokens_details": {
                "cached_tokens": 6075,
                "cache_write_tokens": 131,
                "text_tokens": 6209,
                "image_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 7, "text_tokens": 18},
        },
        Usage(prompt=6209, completion=25, cached=6075, cache_write=131, reasoning=7),
    ),
    (
        "Anthropic: thinking is within the output",
        {
            "input_tokens": 10,
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 40},
        },
        Usage(prompt=10, completion=50, reasoning=40),
    ),
    (
        "Perplexity: reasoning and citations stand beside, and in no total",
        {
            "prompt_tokens": 33,
            "completion_tokens": 7163,
            "total_tokens": 7196,
            "citation_tokens": 20016,
            "num_search_queries": 18,
            "reasoning_tokens": 73997,
        },
        Usage(prompt=33 + 20016, completion=7163 + 73997, reasoning=73997, searches=18),
    ),
    (
        "details of what went in, and none of what came out",
        {
            "prompt_tokens": 1200,
            "completion_tokens": 90,
            "total_tokens": 1290,
            "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 100},
        },
        Usage(prompt=1200, completion=90, cached=1024, cache_write=100),
    ),
    (
        "details of what came out, and none of what went in",
        {
            "prompt_tokens": 1200,
            "completion_tokens": 90,
            "total_tokens": 1290,
            "completion_tokens_details": {"reasoning_tokens": 64, "audio_tokens": 2},
        },
        Usage(prompt=1200, completion=90, reasoning=64, completion_audio=2),
    ),
    (
        "a total that explains nothing changes nothing",
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 99,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        Usage(prompt=10, completion=5, reasoning=3),
    ),
]


@pytest.mark.parametrize(("_host", "tree", "expected"), SHAPES, ids=[s[0] for s in SHAPES])
def test_usage_of_each_host(_host: str, tree: dict[str, Any], expected: Usage) -> None:
    assert read_usage(json.dumps(tree).encode()) == expected


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (b"-5", 0),
        (b"null", 0),
        (b"true", 0),
        (b"[7]", 0),
        (b'"many"', 0),
        (b'"nan"', 0),
        (b"1e18", 0),
        (b"1" * 40, 0),
        (b"1" + b"0" * 400, 0),
    ],
)
def test_a_count_that_cannot_be_believed_is_zero_and_marked(source: bytes, prompt: int) -> None:
    usage = read_usage(b'{"prompt_tokens":%b,"completion_tokens":3}' % source)
    assert usage == Usage(prompt=prompt, completion=3, source="estimated")


@pytest.mark.parametrize("total", [b"2", b"-90", b"null", b'"x"'])
def test_a_missing_count_is_marked(total: bytes) -> None:
    usage = read_usage(b'{"prompt_tokens":3,"total_tokens":%b}' % total)
    assert usage == Usage(prompt=3, source="estimated")


@pytest.mark.parametrize(("total", "completion"), [(b"3", 0), (b"90", 87)])
def test_a_count_that_only_the_total_tells_is_known(total: bytes, completion: int) -> None:
    usage = read_usage(b'{"prompt_tokens":3,"total_tokens":%b}' % total)
    assert usage == Usage(prompt=3, completion=completion)


def test_a_count_that_cannot_be_believed_is_not_made_up_from_the_total() -> None:
    usage = read_usage(b'{"prompt_tokens":3,"completion_tokens":-1,"total_tokens":90}')
    assert usage == Usage(prompt=3, source="estimated")


@pytest.mark.parametrize("source", [b'"12"', b"12.0", b" 12"])
def test_a_number_in_another_dress_counts(source: bytes) -> None:
    usage = read_usage(b'{"prompt_tokens":%b,"completion_tokens":3}' % source)
    assert usage == Usage(prompt=12, completion=3)


@pytest.mark.parametrize("cost", ["-1", '"free"', "1e12", "{}", "null", "true"])
def test_a_cost_that_cannot_be_believed_is_none(cost: str) -> None:
    usage = read_usage(f'{{"prompt_tokens":1,"completion_tokens":1,"cost":{cost}}}'.encode())
    assert usage == Usage(prompt=1, completion=1)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"7", b"{", b"[" * 100_000])
def test_what_is_no_usage_is_none(data: bytes) -> None:
    assert read_usage(data) is None


_names = st.sampled_from(sorted({name for _, tree, _ in SHAPES for name in tree}))
_values = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.none(),
    st.booleans(),
    st.dictionaries(
        st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens", "image_tokens"]),
        st.integers() | st.none(),
    ),
)


@given(st.dictionaries(_names, _values))
def test_no_count_is_negative_or_absurd_and_no_part_exceeds_its_whole(tree: dict[str, Any]) -> None:
    usage = read_usage(json.dumps(tree).encode())
    if usage is None:
        return
    assert 0 <= usage.prompt <= 4 * MOST_TOKENS
    assert 0 <= usage.completion <= 3 * MOST_TOKENS
    assert 0 <= usage.cached <= usage.prompt
    assert 0 <= usage.cache_write <= usage.prompt
    assert 0 <= usage.prompt_audio <= usage.prompt
    assert 0 <= usage.reasoning <= usage.completion
    assert 0 <= usage.completion_audio <= usage.completion
    assert 0 <= usage.completion_image <= usage.completion
    assert usage.cost_usd is None or usage.cost_usd >= 0


BOTH = {"prompt_tokens": 100, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"cache_read_input_tokens": 80, "cache_creation_input_tokens": 10},
            Usage(prompt=100, completion=5, cached=80, cache_write=10),
        ),
        (
            {"prompt_tokens_details": {"cache_creation_input_tokens": 7}},
            Usage(prompt=100, completion=5, cache_write=7),
        ),
        (
            {"server_tool_use_details": {"web_search_requests": 2}},
            Usage(prompt=100, completion=5, searches=2),
        ),
        ({"citation_tokens": None}, Usage(prompt=100, completion=5)),
        (
            {"completion_tokens": None, "citation_tokens": 9},
            Usage(prompt=100, source="estimated"),
        ),
    ],
)
def test_what_stands_beside_the_counts_is_counted_once(
    more: dict[str, Any], expected: Usage
) -> None:
    assert read_usage(json.dumps(BOTH | more).encode()) == expected


def test_an_output_that_cannot_be_believed_is_not_made_up_from_the_total_either() -> None:
    usage = read_usage(b'{"input_tokens":3,"output_tokens":-1,"total_tokens":90}')
    assert usage == Usage(prompt=3, source="estimated")


@pytest.mark.parametrize(
    ("more", "terms"),
    [
        ({"speed": "fast", "inference_geo": "us"}, ("speed:fast", "inference_geo:us")),
        ({"speed": "standard", "inference_geo": "not_available"}, ()),
        ({"speed": "", "inference_geo": None}, ()),
        ({"speed": "x" * 33}, ()),
        ({"cache_type": "ephemeral"}, ("cache_type:ephemeral",)),
        ({"prompt_tokens_details": {"cache_type": "ephemeral"}}, ("cache_type:ephemeral",)),
    ],
)
def test_terms_that_are_not_the_usual_ones_are_told(
    more: dict[str, Any], terms: tuple[str, ...]
) -> None:
    usage = read_usage(json.dumps(BOTH | more).encode())
    assert usage is not None
    assert usage.terms == terms
