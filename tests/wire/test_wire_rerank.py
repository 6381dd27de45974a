"""Reranking on the client's side (OpenRouter's OpenAPI document, `/rerank`)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openrouter import operations

from dragoman.core.errors import GatewayError, InvalidRequest
from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Answer
from dragoman.wire.rerank import RERANK, read_results
from dragoman.wire.usage import Usage

STAMP = Stamp(id="gen-1", created=7, model="a/b", provider="A")
SPENT = Spent(
    Usage(prompt=9, searches=1), Billing(cost=0.5, upstream=0.5, prompt=0.0, completion=0.0)
)
BY_TOKENS = Spent(
    Usage(prompt=9), Billing(cost=None, upstream=None, prompt=None, completion=None, is_byok=True)
)


def parse(**body: Any) -> ChatCall:
    asked = {"model": "a/b", "query": "which?", "documents": ["one", {"text": "two"}]} | body
    return RERANK.parse(json.dumps(asked).encode(), {})


def answer(rows: Any, spent: Spent = SPENT, **body: Any) -> Any:
    told = Told(stamp=STAMP, call=parse(**body), native=True)
    native = json.dumps(rows).encode()
    return json.loads(RERANK.answer(told, Answer(choices=(), native=native), spent, b',"x":1'))


def row(index: int, score: float) -> dict[str, Any]:
    return {"index": index, "relevance_score": score, "document": {"text": "the host's"}}


def test_a_request_is_measured_with_its_query_for_each_document() -> None:
    call = parse(documents=["one", {"text": "tüü", "image": "https://x.example/y.png"}])
    assert (call.text_bytes, call.prompts, call.window_bytes) == (6 + 3 + 6 + 5, 2, 11)
    assert call.inputs == {"text", "image"}
    assert call.kind == "rerank"
    assert (call.outputs, call.max_tokens) == (frozenset({"rerank"}), 0)


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        ({"query": ""}, "query: must be"),
        ({"query": None}, "query: must be"),
        ({"documents": []}, "documents: must be"),
        ({"documents": "one"}, "documents: must be"),
        ({"documents": [5]}, "documents.0: must be"),
        ({"documents": ["a", {}]}, "documents.1: must have text or an image"),
        ({"top_n": 0}, "top_n: must be"),
        ({"stream": True}, "stream: there is no stream of rerank"),
        ({"model": None}, "model: is required"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(body: dict[str, Any], begins: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(**body)
    assert refused.value.message.startswith(begins), refused.value.message


@pytest.mark.parametrize("member", ["results", "data"])
def test_results_come_best_first_with_the_callers_documents(member: str) -> None:
    body = answer({member: [row(0, 0.1), row(1, 0.9)]})
    assert body["results"] == [
        {"index": 1, "relevance_score": 0.9, "document": {"text": "two"}},
        {"index": 0, "relevance_score": 0.1, "document": {"text": "one"}},
    ]
    assert body["usage"] == {"search_units": 1, "total_tokens": 9, "cost": 0.5}
    assert (body["id"], body["model"], body["provider"], body["x"]) == ("gen-1", "a/b", "A", 1)


def test_an_answer_is_what_openrouters_client_reads() -> None:
    body = answer({"results": [row(0, 0.1)]}, documents=[{"image": "https://x.example/y.png"}])
    parsed = operations.CreateRerankResponseBody.model_validate(body, strict=True)
    assert parsed.results[0].document.image == "https://x.example/y.png"
    assert parsed.usage is not None


def test_no_more_than_was_asked_for_and_nothing_that_was_not_sent() -> None:
    rows = [row(0, 0.1), row(7, 1.0), row(1, 0.9)]
    assert [each["index"] for each in answer({"results": rows}, top_n=1)["results"]] == [1]
    assert len(answer({"results": rows}, top_n=9)["results"]) == 2


def test_what_is_not_billed_by_search_names_none() -> None:
    usage = answer({"results": []}, BY_TOKENS)["usage"]
    assert usage == {"total_tokens": 9, "is_byok": True}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"results":5}', b'{"results":[5]}', b'{"results":[{"index":-1}]}',
        b'{"results":[{"index":0}]}', b'{"results":[{"index":0,"relevance_score":"high"}]}',
        b'{"results":' + b"[" * 100_000, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_ranking_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its sorts
        read_results(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    assert status_of(body) in {200, 400}


def status_of(body: bytes) -> int:
    try:
        RERANK.parse(body, {})
    except GatewayError as error:
        return error.code
    return 200
