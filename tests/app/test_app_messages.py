"""A node between a client and a host that both speak Messages: what passes, and what is ours."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.catalog.options import ModelOptions, ProviderOptions
from dragoman.config import Options
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.app.test_app_anthropic import ANSWER, PRICE, STREAMS, claude
from tests.e2e import scripted
from tests.e2e.scripted import Call, ScriptedUpstream
from tests.wire.messages_told import events_of

NAMES = ("text", "thinking", "tool_use", "web_search", "error", "busy")


@pytest.fixture
async def node(
    premises: Premises, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Node]:
    monkeypatch.setitem(scripted.SCRIPTS, "claude", claude)
    models = {
        f"acme/{name}": ModelOptions(upstream=f"claude-{name}", price=PRICE) for name in NAMES
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


async def ask(node: Node, name: str, **body: Any) -> Any:
    asked = {"model": f"acme/{name}", "max_tokens": 99, "messages": HI, **body}
    return await node.call("POST", "/v1/messages", asked, key=node.key)


def told(name: str) -> list[Any]:
    """Return the events of a host's stream that are passed on as they came."""
    lines = (STREAMS / f"{name}.sse").read_text().splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    ours = {"message_start", "message_delta", "message_stop", "ping", "error"}
    return [event for event in events if event["type"] not in ours]


@pytest.mark.parametrize("name", ["text", "thinking", "tool_use", "web_search"])
async def test_a_stream_passes_event_by_event(node: Node, name: str) -> None:
    client = await ask(node, name, stream=True)
    assert client.status == 200, client.body
    found = events_of(client.body)
    assert found[1:-2] == told(name)
    begun = found[0]["message"]
    assert begun["id"] == client.headers["x-generation-id"]
    assert (begun["model"], begun["provider"]) == (f"acme/{name}", "acme")
    assert found[-2]["usage"]["cost"] > 0
    assert client.body.endswith(b"data: [DONE]\n\n")


SEARCHES = [
    {"type": "content_block_start", "index": 0, "content_block": {
        "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}},
    *({"type": "content_block_delta", "index": 0, "delta": {
        "type": "input_json_delta", "partial_json": letter}} for letter in "some ants" * 40),
    {"type": "content_block_stop", "index": 0},
]  # fmt: skip
"""More of the provider's own than is held of what comes before content."""


async def searching(call: Call) -> None:
    """Search for long before saying anything."""
    await call.open_stream()
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
               "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    text = [
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    for event in [{"type": "message_start", "message": message}, *SEARCHES, *text]:
        await call.event(event)
    await call.send(b"0\r\n\r\n")


async def test_nothing_is_missing_of_what_comes_before_content(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scripted.SCRIPTS, "claude", searching)
    found = events_of((await ask(node, "text", stream=True)).body)
    assert found[1 : 1 + len(SEARCHES)] == SEARCHES
    assert found[-1] == {"type": "message_stop"}


async def test_a_whole_answer_passes(node: Node, upstream: ScriptedUpstream) -> None:
    client = await ask(node, "text", context_management={"edits": []}, system="Be brief.")
    body = client.json()
    assert body["content"] == ANSWER["content"]
    assert body["id"] == client.headers["x-generation-id"]
    assert body["usage"]["cost"] == pytest.approx(10 * 1e-6 + 5 * 1e-5)
    assert upstream.bodies == [{
        "model": "claude-text", "max_tokens": 99, "messages": HI,
        "context_management": {"edits": []}, "system": "Be brief.",
    }]  # fmt: skip


async def test_an_error_in_the_midst_is_an_event_of_ours(node: Node) -> None:
    client = await ask(node, "error", stream=True)
    last = events_of(client.body)[-1]
    assert last["type"] == "error"
    assert last["error"]["type"] in {"overloaded_error", "api_error"}
    assert client.body.count(b"event: error\n") == 1


async def test_a_host_that_is_busy_is_told_in_the_envelope(node: Node) -> None:
    client = await ask(node, "busy")
    assert client.status == 503
    assert client.json()["error"]["type"] == "overloaded_error"
