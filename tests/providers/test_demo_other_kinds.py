"""The demo's hosts where they are asked for vectors, or how documents answer a query."""

import json
import struct
import sys
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.demo.other_kinds import script_of
from dragoman.providers.demo.vectors import embed, relevance


def play(path: str, **body: Any) -> tuple[int, Any]:
    script = script_of(path, json.dumps(body).encode(), provider="demo-swift")
    return script.status, json.loads(b"".join(data for _, data in script.frames))


def vectors(**body: Any) -> Any:
    status, answer = play("/v1/embeddings", **{"model": "embedder", "dimensions": 4} | body)
    assert status == 200
    return answer


@given(st.text(max_size=40), st.integers(1, 64))
def test_a_vector_has_length_1_and_its_dimensions(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert sum(each * each for each in vector) == pytest.approx(1.0)
    assert vector == embed(text, dimensions)
    assert 0 <= relevance(embed(text), "a cat") <= 1


def test_words_in_common_are_close() -> None:
    assert relevance(embed("a cat"), "a cat") == pytest.approx(1.0)
    assert relevance(embed("cats"), "the cat sat") > relevance(embed("cats"), "tax law")


@pytest.mark.parametrize(
    ("input_", "count", "tokens"),
    [("a b", 1, 1), (["a b", "c"], 2, 2), ([5, 6, 7], 1, 3), ([[5], [6, 7]], 2, 3)],
)
def test_every_form_of_input_is_embedded(input_: Any, count: int, tokens: int) -> None:
    answer = vectors(input=input_)
    assert [row["index"] for row in answer["data"]] == [*range(count)]
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_base64_is_the_same_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = vectors(input="a b")["data"][0]["embedding"]
    packed = b64decode(vectors(input="a b", encoding_format="base64")["data"][0]["embedding"])
    assert struct.unpack("<4f", packed) == pytest.approx(plain)
    other = "little" if sys.byteorder == "big" else "big"
    monkeypatch.setattr(sys, "byteorder", other)
    swapped = b64decode(vectors(input="a b", encoding_format="base64")["data"][0]["embedding"])
    assert swapped != packed


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/embeddings", {"model": "embedder", "input": ["a" * 60_000] * 2}, "100,000 char"),
        (
            "/v1/embeddings",
            {"model": "embedder", "input": ["a"] * 300, "dimensions": 4096},
            "1,048,",
        ),
        (
            "/v1/rerank",
            {"model": "reranker", "query": "a" * 100_000, "documents": ["b"]},
            "100,000",
        ),
    ],
)
def test_what_would_keep_everybody_else_waiting_is_refused(
    path: str, body: dict[str, Any], message: str
) -> None:
    status, answer = play(path, **body)
    assert status == 400
    assert message in answer["error"]["message"]


def test_documents_are_ranked_and_counted() -> None:
    status, answer = play(
        "/v1/rerank", model="reranker", query="cats", documents=["tax law", {"text": "a cat"}]
    )
    assert status == 200
    assert [row["index"] for row in answer["results"]] == [1, 0]
    assert answer["meta"] == {"billed_units": {"search_units": 1}}
    assert answer["usage"] == {"total_tokens": 6}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/embeddings", {"model": "embedder"}, 400),
        ("/v1/embeddings", {"model": "embedder", "input": []}, 400),
        ("/v1/embeddings", {"model": "embedder", "input": "x", "dimensions": 0}, 400),
        ("/v1/embeddings", {"model": "parrot", "input": "x"}, 404),
        ("/v1/rerank", {"model": "reranker", "query": "x"}, 400),
        ("/v1/rerank", {"model": "embedder", "query": "x", "documents": ["y"]}, 404),
    ],
)
def test_what_cannot_be_is_refused(path: str, body: dict[str, Any], status: int) -> None:
    found, answer = play(path, **body)
    assert found == status
    assert answer["error"]["message"]
