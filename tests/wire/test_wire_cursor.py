"""Cursor: chat with flat tools (OpenRouter docs, cookbook/coding-agents/cursor-integration)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import GatewayError
from dragoman.wire.chat import parse_chat
from dragoman.wire.cursor import CURSOR

SAY = [{"role": "user", "content": "hi"}]
FLAT = {
    "type": "function", "name": "read_file", "description": "Reads", "strict": True,
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
}  # fmt: skip
NESTED = {"type": "function", "function": {k: v for k, v in FLAT.items() if k != "type"}}


def body(**more: Any) -> bytes:
    return json.dumps({"model": "a/b", "messages": SAY, "stream": True} | more).encode()


def member(source: bytes, name: str) -> Any:
    return json.loads(bytes(CURSOR.parse(source, {}).members[name]))


def test_flat_tools_are_nested() -> None:
    assert member(body(tools=[FLAT, NESTED]), "tools") == [NESTED, NESTED]
    assert CURSOR.parse(body(tools=[FLAT]), {}).tools


def test_a_flat_choice_is_nested_and_a_word_stays() -> None:
    choice = {"type": "function", "name": "read_file"}
    wanted = {"type": "function", "function": {"name": "read_file"}}
    assert member(body(tools=[FLAT], tool_choice=choice), "tool_choice") == wanted
    assert member(body(tools=[FLAT], tool_choice="auto"), "tool_choice") == "auto"


def test_what_stands_beside_a_function_stays() -> None:
    marked = FLAT | {"cache_control": {"type": "ephemeral"}}
    assert member(body(tools=[marked]), "tools") == [
        NESTED | {"cache_control": {"type": "ephemeral"}}
    ]


def test_chat_as_it_should_be_is_chat() -> None:
    source = body(tools=[NESTED], temperature=0.5)
    ours, chats = CURSOR.parse(source, {}), parse_chat(source)
    assert json.loads(bytes(ours.members["tools"])) == json.loads(bytes(chats.members["tools"]))
    assert ours.parameters == chats.parameters
    assert ours.native is None
    assert not CURSOR.parse(body(), {}).tools
    assert CURSOR.name == "chat"


@pytest.mark.parametrize("tools", [5, {"a": 1}, ["x"], [{"type": "custom", "name": "patch"}]])
def test_what_is_no_tool_is_refused(tools: Any) -> None:
    with pytest.raises(GatewayError) as refused:
        CURSOR.parse(body(tools=tools), {})
    assert refused.value.code == 400
    assert refused.value.message.startswith("tools")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(source: bytes) -> None:
    assert status_of(source) in {200, 400}


def status_of(source: bytes) -> int:
    try:
        CURSOR.parse(source, {})
    except GatewayError as error:
        return error.code
    return 200
