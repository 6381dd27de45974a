"""A text that a client tells behind a call of a tool is sent before it, which is said."""

import json
from typing import Any

from dragoman.core.notes import Change
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall
from dragoman.wire.order import TEXT_FIRST
from tests.wire.responses_calls import call as ask_responses

USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
CALL = {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "t", "output": "ok"}


def text(word: str) -> dict[str, Any]:
    return {"type": "text", "text": word}


def said(word: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": word}


def ask_messages(*blocks: dict[str, Any]) -> ChatCall:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": list(blocks)}]
    return MESSAGES.parse(json.dumps({"model": "a/b", "messages": turns}).encode(), {})


def noted(call: ChatCall) -> list[str]:
    """Return the fields that are said to have another place."""
    assert call.native is not None
    return [note.field for note in call.native.notes if note.detail == TEXT_FIRST]


def test_it_is_noted_of_a_client_of_messages() -> None:
    call = ask_messages(text("a"), USE, text("b"), {**USE, "id": "u"}, text("c"))
    assert noted(call) == ["messages.content.text"]
    assert call.native is not None
    assert call.native.notes[0].change is Change.RENAMED
    assert noted(ask_messages(text("a"), text("b"), USE)) == []
    assert noted(ask_messages(USE, text(""))) == []


def test_it_is_noted_of_a_client_of_responses() -> None:
    call = ask_responses(input=[said("a"), CALL, said("b"), OUTPUT])
    assert noted(call) == ["input.message"]
    assert call.native is not None
    assert [note.change for note in call.native.notes] == [Change.RENAMED]
    assert noted(ask_responses(input=[said("a"), CALL, OUTPUT, said("b")])) == []
