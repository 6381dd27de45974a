"""A node that is asked in the legacy way, and by Cursor."""

import json

import pytest

from dragoman.office.premises import Premises
from tests.app.node import HI, Node


@pytest.fixture
def node(premises: Premises) -> Node:
    return Node(premises)


async def test_a_whole_completion(node: Node) -> None:
    body = {"model": "demo/parrot", "prompt": "hello there", "max_tokens": 50}
    client = await node.call("POST", "/v1/completions", body, key=node.key)
    assert client.status == 200, client.body
    said = client.json()
    assert said["object"] == "text_completion"
    assert said["choices"][0]["text"] == "hello there"
    assert said["usage"]["cost"] > 0


async def test_a_streamed_completion(node: Node) -> None:
    body = {"model": "demo/parrot", "prompt": "hello there", "stream": True, "echo": True}
    client = await node.call("POST", "/api/v1/completions", body, key=node.key)
    lines = [each[6:] for each in client.body.decode().split("\n\n") if each.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    events = [json.loads(each) for each in lines[:-1]]
    assert "".join(each["choices"][0]["text"] for each in events) == "hello therehello there"
    assert events[-1]["usage"]["total_tokens"] > 0


async def test_errors_are_the_common_ones(node: Node) -> None:
    client = await node.call("POST", "/v1/completions", {"model": "demo/parrot"}, key=node.key)
    assert client.status == 400
    assert client.json()["error"]["message"] == "prompt: is required"
    client = await node.call(
        "POST", "/v1/completions", {"model": "no/such", "prompt": "x"}, key=node.key
    )
    assert client.status == 400
    client = await node.call("POST", "/v1/completions", {"model": "demo/parrot", "prompt": "x"})
    assert client.status == 401


async def test_cursor_gets_its_tools_called(node: Node) -> None:
    tool = {
        "type": "function", "name": "look_up",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    }  # fmt: skip
    body = {"model": "demo/scholar", "messages": HI, "tools": [tool], "tool_choice": "required"}
    client = await node.call("POST", "/api/v1/cursor/chat/completions", body, key=node.key)
    assert client.status == 200, client.body
    (call,) = client.json()["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "look_up"
