"""How large requests are that are no chat: what bounds their cost."""

import json
from typing import Any

import pytest

from dragoman.ledger.bound import Size
from dragoman.relay.sizing import sent_size, size_of
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall
from dragoman.wire.chat_dialect import CHAT
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.rerank import RERANK

PICTURE = "data:image/png;base64," + "A" * 10_000


def embed(input_: Any) -> ChatCall:
    return EMBEDDINGS.parse(json.dumps({"model": "a/b", "input": input_}).encode(), {})


def rank(query: str, documents: list[Any]) -> ChatCall:
    body = {"model": "a/b", "query": query, "documents": documents}
    return RERANK.parse(json.dumps(body).encode(), {})


def test_nothing_is_written_and_each_input_has_a_window() -> None:
    call = embed(["ab", "cd", "ef"])
    size = size_of(call)
    assert (size.output_tokens, size.sliced, size.prompts, size.choices) == (0, False, 3, 1)
    assert size.body_bytes >= len(call.members["input"])
    assert sent_size(call, b"whatever") == size


def test_media_to_embed_count_apart() -> None:
    part = {"type": "image_url", "image_url": {"url": PICTURE}}
    size = size_of(embed([{"content": [part]}, {"content": [part]}]))
    assert size.images == 2
    assert size.body_bytes < 1000


def test_a_query_counts_with_each_document() -> None:
    one, ten = size_of(rank("q" * 100, ["d"])), size_of(rank("q" * 100, ["d"] * 10))
    assert ten.body_bytes - one.body_bytes == 9 * (len(b', "d"') + 102)
    assert (ten.prompts, ten.output_tokens, ten.searches) == (10, 0, 1)


def test_a_search_has_a_hundred_documents_and_a_long_one_counts_as_several() -> None:
    def searches(documents: list[Any]) -> int:
        return size_of(rank("why?", documents)).searches

    assert [searches(["d"] * n) for n in (1, 100, 101)] == [1, 1, 2]
    assert searches(["d" * 5000] * 50) == 6


def test_images_to_rank_count_apart() -> None:
    size = size_of(rank("q", [{"text": "t", "image": PICTURE}, {"image": PICTURE}, "t"]))
    assert isinstance(size, Size)
    assert size.images == 2
    assert size.body_bytes < 1000


@pytest.mark.parametrize(("asked", "tier"), [("priority", "priority"), (None, None)])
def test_the_tier_that_is_asked_for_is_part_of_the_size(
    asked: str | None, tier: str | None
) -> None:
    body = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}], "service_tier": asked}
    assert size_of(CHAT.parse(json.dumps(body).encode(), {})).service_tier == tier


def test_terms_that_a_client_of_anthropics_api_asks_for_are_part_of_the_size() -> None:
    body = {"model": "a/b", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    asked = body | {"speed": "fast", "inference_geo": None}
    assert size_of(MESSAGES.parse(json.dumps(asked).encode(), {})).terms == ("speed:fast",)
    assert size_of(CHAT.parse(json.dumps(body).encode(), {})).terms == ()


@pytest.mark.parametrize("kind", ["input_file", "input_video"])
def test_media_of_embeddings_count_by_a_table_and_not_by_their_bytes(kind: str) -> None:
    part = {"type": kind, kind: {"data": "data:x;base64," + "A" * 4000}}
    size = size_of(embed([{"content": [part]}]))
    assert (size.unsized, size.body_bytes < 400) == (1, True)
