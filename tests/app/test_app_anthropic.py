"""A node before a host that speaks Anthropic's Messages: chats that never know it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.hosts import Credential
from dragoman.catalog.options import ModelOptions, PriceOptions, ProviderOptions
from dragoman.catalog.types import Provider
from dragoman.config import Options
from dragoman.core.secret import Secret
from dragoman.office.discovery import fetch_models
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.e2e import scripted
from tests.e2e.scripted import Call, ScriptedUpstream

STREAMS = Path(__file__).parents[1] / "providers" / "golden" / "anthropic" / "streams"
PRICE = PriceOptions(
    prompt="0.000001", completion="0.00001", cache_read="0.0000001", cache_write="0.00000125",
    cache_write_1h="0.000002",
)  # fmt: skip
THINKING_COST = (25 * 1e-6) + (1000 * 1e-7) + (48 * 1.25e-6) + (2000 * 2e-6) + (120 * 1e-5)
ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
    "content": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Bern"}}],
    "stop_reason": "tool_use", "usage": {"input_tokens": 10, "output_tokens": 5},
}  # fmt: skip


async def claude(call: Call) -> None:
    """Answer as Anthropic does: the stream that the name says, or one whole answer."""
    script = call.argument
    if script == "busy":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        await call.answer(529, json.dumps(error).encode())
    elif not call.streams:
        await call.answer(200, json.dumps(ANSWER).encode())
    else:
        await call.open_stream()
        source = (STREAMS / f"{script}.sse").read_bytes()
        for event in source.split(b"\n\n"):
            if event:
                await call.piece(event + b"\n\n")
        await call.send(b"0\r\n\r\n")


@pytest.fixture
async def node(
    premises: Premises, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Node]:
    monkeypatch.setitem(scripted.SCRIPTS, "claude", claude)
    names = ("text", "thinking", "tool_use", "error", "busy")
    models = {
        f"acme/{name}": ModelOptions(
            upstream=f"claude-{name}", price=PRICE, inputs=("text", "image")
        )
        for name in names
    }
    host = ProviderOptions(
        dialect="anthropic",
        auth="x-api-key",
        base_url=upstream.url,
        api_key="secret",
        models=models,
    )
    node = Node(premises, Options(providers={"acme": host}))
    await node.background.plane.load()
    yield node
    await node.background.serving.client.aclose()


async def ask(node: Node, model: str, **body: Any) -> Any:
    asked = {"model": f"acme/{model}", "messages": HI, **body}
    return await node.call("POST", "/v1/chat/completions", asked, key=node.key)


def chunks(client: Any) -> list[Any]:
    lines = client.body.decode().splitlines()
    assert lines[-2] == "data: [DONE]"
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


async def test_a_whole_answer(node: Node, upstream: ScriptedUpstream) -> None:
    client = await ask(node, "text", max_tokens=50)
    assert client.status == 200, client.body
    choice = client.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning"] == "hm"
    call = choice["message"]["tool_calls"][0]["function"]
    assert call == {"name": "weather", "arguments": '{"city": "Bern"}'}
    assert client.json()["usage"]["cost"] == pytest.approx(10 * 1e-6 + 5 * 1e-5)
    assert upstream.bodies == [{"model": "claude-text", "max_tokens": 50, "messages": HI}]
    (headers,) = upstream.headers
    assert headers["x-api-key"] == "secret"
    assert headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in headers


async def test_a_stream(node: Node) -> None:
    client = await ask(node, "text", stream=True)
    found = chunks(client)
    deltas = [chunk["choices"][0]["delta"] for chunk in found]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello!"
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    assert found[-1]["usage"]["prompt_tokens"] == 25
    assert found[-1]["usage"]["completion_tokens"] == 15


async def test_what_a_cache_took_and_gave_is_priced_apart(node: Node) -> None:
    client = await ask(node, "thinking", stream=True, reasoning={"effort": "high"})
    usage = chunks(client)[-1]["usage"]
    assert usage["prompt_tokens"] == 3073
    assert usage["prompt_tokens_details"]["cached_tokens"] == 1000
    assert usage["prompt_tokens_details"]["cache_write_tokens"] == 2048
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 70
    assert usage["cost"] == pytest.approx(THINKING_COST)


async def test_calls_come_in_fragments(node: Node) -> None:
    client = await ask(node, "tool_use", stream=True)
    arguments = {0: "", 1: ""}
    for chunk in chunks(client):
        for call in chunk["choices"][0]["delta"].get("tool_calls", []):
            arguments[call["index"]] += call["function"]["arguments"]
    assert arguments == {0: '{"location": "San Francisco, CA"}', 1: "{}"}


async def test_an_error_in_the_midst_ends_the_stream_with_one_of_ours(node: Node) -> None:
    client = await ask(node, "error", stream=True)
    lines = [line for line in client.body.decode().splitlines() if line.startswith("data: {")]
    last = json.loads(lines[-1][6:])
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["code"] in {502, 503}
    assert "Hel" in lines[0]


async def test_a_host_that_is_busy_is_left_for_another_model(
    node: Node, upstream: ScriptedUpstream
) -> None:
    client = await ask(node, "busy", models=["acme/text"], max_tokens=9)
    assert client.status == 200
    assert client.json()["model"] == "acme/text"
    assert upstream.calls == ["claude-busy", "claude-text"]
    alone = await ask(node, "busy", provider={"allow_fallbacks": False})
    assert alone.status in {502, 503}


async def test_a_host_is_asked_for_its_models_with_the_header_that_it_wants(
    node: Node, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    answer = Call.answer

    async def noted(call: Call, *arguments: Any, **options: Any) -> None:
        asked.append(call.headers)
        await answer(call, *arguments, **options)

    monkeypatch.setattr(Call, "answer", noted)
    row = Provider(
        slug="acme", name="Acme", dialect="anthropic", base_url=upstream.url, auth="x-api-key",
        headers={"anthropic-version": "2023-06-01"},
    )  # fmt: skip
    secret = Credential(id="c", provider="acme", secret=Secret("secret"), source="here")
    assert await fetch_models(node.background.serving.client, row, secret)
    assert asked[0]["x-api-key"] == "secret"
    assert asked[0]["anthropic-version"] == "2023-06-01"


async def test_what_cannot_be_said_upstream_is_a_400_that_names_it(node: Node) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aaaa"}}
    client = await ask(node, "text", messages=[{"role": "user", "content": [image]}])
    assert client.status == 400
    error = client.json()["error"]
    assert error["message"].startswith("messages.0.content.0.image_url.url: acme takes images of")
