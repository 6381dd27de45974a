"""Embeddings and reranking upstream: what hosts are sent, and what they say.

Answers are those of the hosts' own documentation: OpenAI "Create embeddings", Cohere "Rerank" v2,
Voyage and Jina "Rerank", Together "Rerank".
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.catalog.shipped import load
from dragoman.catalog.types import Endpoint, Provider, Quirks, Service
from dragoman.providers.dialect import Kind, Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.rerank import RERANK
from dragoman.wire.usage import Usage

HOST = Provider(
    slug="acme", name="Acme", dialect="openai", base_url="https://a.example/v1",
    headers={"x-more": "1"},
)  # fmt: skip
ENDPOINT = Endpoint(
    id="acme|acme/m", model="acme/m", provider="acme", provider_name="Acme", tag="acme",
    upstream="m-1", price=None,
)  # fmt: skip
EMBED, RANK = DIALECTS["openai-embeddings"], DIALECTS["openai-rerank"]
OPENAI = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0093, 0.0157]}],
    "model": "text-embedding-ada-002", "usage": {"prompt_tokens": 8, "total_tokens": 8},
}  # fmt: skip
COHERE = {
    "results": [{"index": 3, "relevance_score": 0.999071}, {"index": 4, "relevance_score": 0.78}],
    "id": "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
}  # fmt: skip
VOYAGE = {
    "object": "list", "data": [{"relevance_score": 0.4375, "index": 0}], "model": "rerank-2.5",
    "usage": {"total_tokens": 26},
}  # fmt: skip
JINA = {
    "model": "jina-reranker-v2-base-multilingual", "usage": {"total_tokens": 815},
    "results": [{"index": 0, "document": {"text": "t"}, "relevance_score": 0.87}],
}  # fmt: skip
TOGETHER = {
    "object": "rerank", "id": "9dfa1a09-ebfc-4a40-970f-586cb8f4ae47",
    "model": "salesforce/llama-rank-v1",
    "results": [{"index": 0, "relevance_score": 0.83, "document": {"text": "{}"}}],
    "usage": {"prompt_tokens": 1837, "completion_tokens": 0, "total_tokens": 1837},
}  # fmt: skip


def embed(**body: Any) -> ChatCall:
    return EMBEDDINGS.parse(json.dumps({"model": "acme/m", "input": "hi"} | body).encode(), {})


def rank(**body: Any) -> ChatCall:
    asked = {"model": "acme/m", "query": "q", "documents": ["a", "b"]} | body
    return RERANK.parse(json.dumps(asked).encode(), {})


def sent(call: ChatCall, host: Provider = HOST) -> Outgoing:
    return DIALECTS[f"openai-{call.kind}"].request(call, ENDPOINT, host)


def changes(outgoing: Outgoing) -> set[tuple[str, str]]:
    return {(note.change, note.field) for note in outgoing.notes}


def test_embeddings_go_out_as_they_came() -> None:
    call = embed(
        input=["a", "b"], dimensions=8, encoding_format="base64", user="jo", odd={"x": 1},
        provider={"only": ["acme"]}, models=["c/d"], session_id="s",
    )  # fmt: skip
    outgoing = sent(call)
    body = json.loads(outgoing.body)
    assert body.pop("user").startswith("user-")
    assert body == {
        "model": "m-1", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64",
        "odd": {"x": 1},
    }  # fmt: skip
    assert (outgoing.path, outgoing.url) == ("/embeddings", None)
    assert ("x-more", "1") in outgoing.headers
    assert changes(outgoing) == {("renamed", "user")}


def test_tokens_are_sent_with_their_bytes() -> None:
    call = EMBEDDINGS.parse(b'{"model":"acme/m","input":[ 1,  2 ]}', {})
    assert sent(call).body == b'{"model":"m-1","input":[ 1,  2 ]}'


def test_objects_that_are_but_text_are_texts() -> None:
    parts = [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert json.loads(sent(embed(input=parts)).body)["input"] == ["a\nb"]
    pictures = [*parts, {"content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]
    assert json.loads(sent(embed(input=pictures)).body)["input"] == pictures


def test_a_host_that_differs_is_told_by_its_row() -> None:
    quirks = Quirks(
        rejects=frozenset({"user"}), renames={"dimensions": "size"}, adds={"task": "query"}
    )
    service = Service(url="https://b.example/embed", quirks=quirks)
    host = structs.replace(HOST, services={"embeddings": service})
    outgoing = sent(embed(dimensions=8, user="jo"), host)
    assert json.loads(outgoing.body) == {"model": "m-1", "input": "hi", "size": 8, "task": "query"}
    assert outgoing.url == "https://b.example/embed"
    assert changes(outgoing) == {
        ("dropped", "user"), ("renamed", "dimensions"), ("injected", "task"),
    }  # fmt: skip


def test_rerank_sends_texts_and_its_own_members_only() -> None:
    image = {"text": "c", "image": "https://x.example/y.png"}
    call = rank(documents=["a", {"text": "b"}, image], top_n=2, user="jo", max_tokens_per_doc=9)
    outgoing = sent(call)
    assert json.loads(outgoing.body) == {
        "model": "m-1", "query": "q", "documents": ["a", "b", image], "top_n": 2,
        "max_tokens_per_doc": 9,
    }  # fmt: skip
    assert outgoing.path == "/rerank"


def test_shipped_rows_say_where_hosts_differ() -> None:
    hosts = load().providers
    cohere = hosts["cohere"]
    assert cohere.base_url + sent(rank(), cohere).path == "https://api.cohere.com/v2/rerank"
    assert json.loads(sent(rank(top_n=1), hosts["voyage"]).body)["top_k"] == 1
    body = json.loads(sent(embed(dimensions=8, encoding_format="float"), hosts["voyage"]).body)
    assert body == {"model": "m-1", "input": "hi", "output_dimension": 8}
    assert "input_type" in json.loads(sent(embed(), hosts["nvidia"]).body)


@pytest.mark.parametrize(
    ("body", "usage", "id_"),
    [
        (OPENAI, Usage(prompt=8), None),
        (OPENAI | {"usage": {"total_tokens": 8}}, Usage(prompt=8), None),
        (OPENAI | {"usage": None}, None, None),
        (OPENAI | {"usage": {"total_tokens": -8}}, Usage(source="estimated"), None),
    ],
)
def test_embeddings_are_counted(body: Any, usage: Usage | None, id_: str | None) -> None:
    source = json.dumps(body).encode()
    answer = EMBED.answer(source)
    assert (answer.usage, answer.upstream_id, answer.native) == (usage, id_, source)
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    assert not choice.message


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (COHERE, Usage(searches=1)),
        (VOYAGE, Usage(prompt=26)),
        (JINA, Usage(prompt=815)),
        (TOGETHER, Usage(prompt=1837)),
        (VOYAGE | {"meta": {"billed_units": {"search_units": 2}}}, Usage(prompt=26, searches=2)),
        (JINA | {"usage": None, "meta": {"billed_units": {}}}, None),
    ],
)
def test_reranking_is_counted(body: Any, usage: Usage | None) -> None:
    answer = RANK.answer(json.dumps(body).encode())
    assert answer.usage == usage
    assert answer.upstream_id == body.get("id")


def test_an_error_in_a_success_is_a_fault() -> None:
    answer = EMBED.answer(b'{"error":{"message":"busy","code":503}}')
    assert answer.fault is not None
    assert answer.fault.message == "busy"
    assert not answer.choices


@pytest.mark.parametrize("dialect", [EMBED, RANK])
@given(body=st.binary(max_size=200))
def test_nothing_but_a_value_error_comes_out(dialect: Any, body: bytes) -> None:
    try:
        dialect.answer(body)
    except ValueError:
        return


@pytest.mark.parametrize("dialect", [EMBED, RANK])
def test_deep_nesting_is_a_value_error(dialect: Any) -> None:
    with pytest.raises(ValueError, match="nested"):
        dialect.answer(b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_refusals_are_classified_as_chats_are() -> None:
    fault = EMBED.fault(429, {"retry-after": "3"}, b'{"detail":"slow down"}')
    assert (fault.kind, fault.retry_after_s) == (Kind.RATE, 3.0)
    assert RANK.fault(400, {}, b'{"message":"too many documents"}').kind is Kind.CALLER
    assert (EMBED.speaks, RANK.speaks) == ("embeddings", "rerank")
    assert EMBED.parser() is not None
    assert EMBED.decoder() is not None


def test_at_azure_a_deployment_is_in_the_path() -> None:
    host = structs.replace(HOST, dialect="azure", headers={"api-version": "2024-06-01"})
    outgoing = DIALECTS["azure-embeddings"].request(embed(), ENDPOINT, host)
    assert outgoing.path == "/deployments/m-1/embeddings?api-version=2024-06-01"
    assert "api-version" not in dict(outgoing.headers)
    assert json.loads(outgoing.body) == {"model": "m-1", "input": "hi"}
