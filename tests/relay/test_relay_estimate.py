"""Estimates of tokens: about right for text, something for media, never nothing."""

from typing import Any

import pytest

from dragoman.relay.estimate import IMAGE_TOKENS, PAGE_TOKENS, estimated_tokens
from tests.wire.messages_told import parse

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                     "data": "aGVs" * 5000}}  # fmt: skip
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                                      "data": "JVBE" * 5000}}  # fmt: skip


def asks(*blocks: object, **more: Any) -> int:
    return estimated_tokens(parse(messages=[{"role": "user", "content": list(blocks)}], **more))


def test_text_counts_by_its_bytes() -> None:
    assert asks({"type": "text", "text": "x" * 400}) == 100
    assert asks({"type": "text", "text": "x" * 400}, system="y" * 40) == 110


def test_nothing_is_a_token() -> None:
    assert asks() == 1


@pytest.mark.parametrize(("block", "tokens"), [(IMAGE, IMAGE_TOKENS), (PDF, PAGE_TOKENS)])
def test_media_count_by_the_piece(block: object, tokens: int) -> None:
    assert asks(block, {"type": "text", "text": "four"}) == tokens + 1


def test_tools_count() -> None:
    tool = {"name": "f", "description": "d" * 400, "input_schema": {"type": "object"}}
    assert asks({"type": "text", "text": "four"}, tools=[tool]) > 100
