"""A node that is asked for embeddings and to rerank: the demo's hosts, and one of its own."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.catalog.options import ModelOptions, PriceOptions, ProviderOptions
from dragoman.config import Options
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.e2e import scripted
from tests.e2e.scripted import Call, ScriptedUpstream

PRICE = PriceOptions(prompt="0.000001", completion="0")
BY_SEARCH = PriceOptions(prompt="0", completion="0", search="0.002")
MODELS = {
    "acme/embed": ModelOptions(upstream="other", outputs=("embeddings",), price=PRICE, context=10),
    "acme/mute": ModelOptions(upstream="other-mute", outputs=("embeddings",), price=PRICE),
    "acme/odd": ModelOptions(upstream="other-odd", outputs=("embeddings",), price=PRICE),
    "acme/rank": ModelOptions(upstream="other", outputs=("rerank",), price=BY_SEARCH),
    "acme/chat": ModelOptions(upstream="good", price=PRICE),
}


async def other(call: Call) -> None:
    """Answer as Cohere reranks, and as OpenAI embeds: a vector per input, in numbers."""
    if "query" in call.body:
        rows = [{"index": i, "relevance_score": i / 10} for i in range(len(call.body["documents"]))]
        body: dict[str, Any] = {"results": rows, "meta": {"billed_units": {"search_units": 2}}}
    else:
        texts = call.body["input"] if isinstance(call.body["input"], list) else [0]
        data = [{"object": "embedding", "index": i, "embedding": [0.5]} for i in range(len(texts))]
        body = {"object": "list", "data": data}
        if call.argument != "mute":
            body["usage"] = {"prompt_tokens": 18, "total_tokens": 18}
        if call.argument == "odd":
            body["data"] = [{"embedding": "no base64"}]
    await call.answer(200, json.dumps(body).encode())


@pytest.fixture
async def node(
    premises: Premises, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Node]:
    monkeypatch.setitem(scripted.SCRIPTS, "other", other)
    host = ProviderOptions(base_url=upstream.url, api_key="secret", models=MODELS)
    node = Node(premises, Options(providers={"acme": host}))
    await node.background.plane.load()
    yield node
    await node.background.serving.client.aclose()


async def embed(node: Node, model: str = "acme/embed", **body: Any) -> Any:
    asked = {"model": model, "input": ["a", "b"]} | body
    return await node.call("POST", "/api/v1/embeddings", asked, key=node.key)


async def rank(node: Node, **body: Any) -> Any:
    asked = {"model": "acme/rank", "query": "q", "documents": ["a", "b"]} | body
    return await node.call("POST", "/v1/rerank", asked, key=node.key)


async def test_embeddings_cost_what_went_in(node: Node, upstream: ScriptedUpstream) -> None:
    client = await embed(node)
    assert client.status == 200, client.body
    body = client.json()
    assert [each["embedding"] for each in body["data"]] == [[0.5], [0.5]]
    assert body["usage"]["prompt_tokens"] == 18  # more than one window of 10 holds: there are two
    assert body["usage"]["cost"] == pytest.approx(18e-6)
    assert body["model"] == "acme/embed"
    assert body["provider"] == "acme"
    assert upstream.bodies == [{"model": "other", "input": ["a", "b"]}]


async def test_what_a_host_does_not_count_is_estimated(node: Node) -> None:
    client = await embed(node, "acme/mute", input=["a" * 400])
    assert client.json()["usage"]["prompt_tokens"] == 100
    assert client.json()["usage"]["cost"] == pytest.approx(100e-6)


async def test_a_text_longer_than_the_window_is_refused_and_many_short_ones_are_not(
    node: Node,
) -> None:
    client = await embed(node, input=["a" * 100])
    assert client.status == 400
    assert "maximum context length is 10 tokens" in client.json()["error"]["message"]
    assert (await embed(node, input=["a" * 20] * 30)).status == 200


@pytest.mark.parametrize("n", ["x", {}, 2])
async def test_a_member_that_means_something_in_chat_alone_is_passed_on(
    node: Node, upstream: ScriptedUpstream, n: Any
) -> None:
    async with node.running():
        key = node.mint("limited", limit_nanos=1_000_000)
        asked = {"model": "acme/embed", "input": ["a", "b"], "n": n}
        client = await node.call("POST", "/v1/embeddings", asked, key=key)
    assert client.status == 200, client.body
    assert upstream.bodies[0]["n"] == n


async def test_nonsense_of_a_host_is_no_answer_and_free(node: Node) -> None:
    client = await embed(node, "acme/odd")
    assert client.status == 502
    assert "data" not in client.json()


async def test_a_limited_key_pays_for_embeddings(node: Node) -> None:
    async with node.running():
        key = node.mint("limited", limit_nanos=1_000_000)  # a thousandth of a dollar
        asked = {"model": "acme/embed", "input": ["a", "b"]}
        client = await node.call("POST", "/v1/embeddings", asked, key=key)
        assert client.status == 200, client.body
        assert client.json()["usage"]["cost"] == pytest.approx(18e-6)
        poor = node.mint("poor", limit_nanos=1_000)
        client = await node.call("POST", "/v1/embeddings", asked, key=poor)
        assert client.status == 402


async def test_reranking_costs_by_search(node: Node, upstream: ScriptedUpstream) -> None:
    client = await rank(node)
    assert client.status == 200, client.body
    body = client.json()
    assert [each["document"]["text"] for each in body["results"]] == ["b", "a"]
    assert body["usage"] == {"search_units": 2, "total_tokens": 0, "cost": 0.004}
    assert upstream.bodies == [{"model": "other", "query": "q", "documents": ["a", "b"]}]


async def test_a_limited_key_pays_for_reranking(node: Node) -> None:
    async with node.running():
        asked = {"model": "acme/rank", "query": "q", "documents": ["a", "b"]}
        poor = node.mint("poor", limit_nanos=1_000_000)  # a search is two thousandths of a dollar
        assert (await node.call("POST", "/v1/rerank", asked, key=poor)).status == 402
        rich = node.mint("rich", limit_nanos=100_000_000)
        assert (await node.call("POST", "/v1/rerank", asked, key=rich)).status == 200


async def test_each_kind_is_asked_of_its_own_models(node: Node) -> None:
    client = await embed(node, "acme/chat")
    assert client.status == 400
    error = client.json()["error"]
    assert error["availability"]["code"] == "wrong_endpoint"
    assert error["message"] == (
        "No endpoints found that support the requested output modalities: embeddings. acme/chat"
        " offers chat only: use POST /api/v1/chat/completions. Models for embeddings:"
        " GET /api/v1/embeddings/models."
    )
    body = {"model": "acme/embed", "messages": HI}
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        asked = body | {"max_tokens": 5} if path != "/v1/responses" else {**body, "input": "hi"}
        asked = {k: v for k, v in asked.items() if path != "/v1/responses" or k != "messages"}
        client = await node.call("POST", path, asked, key=node.key)
        assert client.status == 400, path
        assert "acme/embed offers embeddings only: use POST /api/v1/embeddings." in (
            client.body.decode()
        )
    assert (await embed(node, "acme/rank")).status == 400


async def test_the_record_of_embeddings(node: Node) -> None:
    async with node.running():
        client = await embed(node)
        id_ = client.json()["id"]
        for _ in range(100):
            found = await node.get("/v1/generation", id=id_)
            if found.status == 200:
                break
        data = found.json()["data"]
    assert data["native_tokens_prompt"] == 18
    assert data["native_tokens_completion"] == 0
    assert data["streamed"] is False


async def test_models_that_embed_are_listed(node: Node) -> None:
    listed = await node.get("/v1/embeddings/models")
    ids = {row["id"] for row in listed.json()["data"]}
    assert ids == {"acme/embed", "acme/mute", "acme/odd"}
    chats = {row["id"] for row in (await node.get("/v1/models")).json()["data"]}
    assert "acme/chat" in chats
    assert not ids & chats
    everything = await node.get("/v1/models", output_modalities="rerank")
    assert [row["id"] for row in everything.json()["data"]] == ["acme/rank"]


async def test_failover_between_hosts(premises: Premises, upstream: ScriptedUpstream) -> None:
    one = ModelOptions(upstream="status-503", outputs=("embeddings",), price=PRICE)
    two = ModelOptions(upstream="other", outputs=("embeddings",), price=PRICE)
    hosts = {
        name: ProviderOptions(base_url=upstream.url, api_key="x", models={"acme/e": model})
        for name, model in (("first", one), ("second", two))
    }
    node = Node(premises, Options(providers=hosts))
    await node.background.plane.load()
    scripted.SCRIPTS["other"] = other
    try:
        client = await embed(node, "acme/e", provider={"order": ["first", "second"]})
    finally:
        del scripted.SCRIPTS["other"]
        await node.background.serving.client.aclose()
    assert client.status == 200, client.body
    assert client.json()["provider"] == "second"


async def test_the_demo_needs_no_account(premises: Premises) -> None:
    node = Node(premises)
    client = await embed(node, "demo/embedder", input=["a cat", "cats", "tax law"], dimensions=64)
    cat, cats, law = (each["embedding"] for each in client.json()["data"])
    assert len(cat) == 64
    assert _close(cat, cats) > _close(cat, law)
    client = await rank(node, model="demo/reranker", query="cats", documents=["tax law", "a cat"])
    assert [each["index"] for each in client.json()["results"]] == [1, 0]


def _close(one: list[float], other_: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other_, strict=True))


async def test_tokens_of_messages_are_counted_by_ranks(premises: Premises) -> None:
    node = Node(premises)
    asked = {"model": "demo/parrot", "messages": [{"role": "user", "content": "2 + 2 = 4"}]}
    try:
        client = await node.call("POST", "/v1/messages/count_tokens", asked, key=node.key)
    finally:
        await node.background.serving.tokens.close()
    assert client.json() == {"input_tokens": 7 + 4 + 3}
    assert client.headers["x-dragoman-token-count"] == "estimate"
