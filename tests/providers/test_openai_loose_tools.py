"""Strict tools of Messages clients: OpenAI is asked to enforce only what it does not refuse."""

import json
from typing import Any

import pytest

from dragoman.core.notes import Change
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall, parse_chat
from tests.providers.openai_calls import endpoint, provider
from tests.wire.messages_told import parse

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
LOOSE = CLOSED | {"required": []}
CLAMPED = [(Change.CLAMPED, "tools.function.strict")]


def tool(name: str, schema: object, *, strict: bool = True) -> dict[str, Any]:
    return {"name": name, "input_schema": schema, "strict": strict}


def sent(call: ChatCall, dialect: str) -> tuple[dict[str, Any], list[tuple[Change, str]]]:
    """Return which functions are strict as they leave, and what is noted."""
    out = DIALECTS[dialect].request(call, endpoint(), provider(dialect=dialect))
    rows = [row.get("function", row) for row in json.loads(out.body)["tools"]]
    notes = [(note.change, note.field) for note in out.notes if note.field != "max_tokens"]
    return {row["name"]: (row["strict"], row["parameters"]) for row in rows}, notes


@pytest.mark.parametrize("dialect", ["openai", "responses"])
def test_a_schema_with_what_may_be_left_out_is_offered_without_strict(dialect: str) -> None:
    call = parse(tools=[tool("loose", LOOSE), tool("closed", CLOSED)])
    found, notes = sent(call, dialect)
    assert found == {"loose": (False, LOOSE), "closed": (True, CLOSED)}
    assert notes == CLAMPED


@pytest.mark.parametrize("dialect", ["openai", "responses"])
def test_others_stay_and_nothing_is_noted(dialect: str) -> None:
    call = parse(tools=[tool("closed", CLOSED), tool("lax", LOOSE, strict=False)])
    assert sent(call, dialect) == ({"closed": (True, CLOSED), "lax": (False, LOOSE)}, [])


def test_bedrock_is_asked_to_enforce_what_it_can() -> None:
    call = parse(tools=[tool("loose", LOOSE)])
    host = provider(dialect="bedrock")
    at = endpoint("tools", "structured_outputs")
    body = json.loads(DIALECTS["bedrock"].request(call, at, host).body)
    assert body["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True


def test_chat_clients_get_what_they_ask_for() -> None:
    function = {"name": "loose", "parameters": LOOSE, "strict": True}
    body = {
        "model": "a/b",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": function}],
    }
    call = parse_chat(json.dumps(body).encode())
    assert sent(call, "openai") == ({"loose": (True, LOOSE)}, [])
