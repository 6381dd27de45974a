"""Nothing is lost in silence: what a dialect has no words for is sent, or noted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.types import Provider
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import parse_chat
from tests.providers.openai_calls import endpoint

OTHERS = ("anthropic", "bedrock", "cohere", "gemini", "responses")
"""Dialects that a conversation is made anew for."""
MARK: dict[str, Any] = {"shade": "blue"}
USER: dict[str, Any] = {"role": "user", "content": "hi"}
CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": "{}"},
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
IMAGE = {"url": "data:image/png;base64,AAAA"}
PDF = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}


def write(
    dialect: str, *messages: Mapping[str, Any], at: str = "turbo-1", **members: Any
) -> Outgoing:
    body = {"model": "acme/turbo", "messages": list(messages) or [USER], **members}
    host = Provider(slug="acme", name="Acme", dialect=dialect, base_url="http://127.0.0.1:9100")
    return DIALECTS[dialect].request(
        parse_chat(json.dumps(body).encode()), replace(endpoint(), upstream=at), host
    )


def dropped(outgoing: Outgoing) -> set[str]:
    return {note.field for note in outgoing.notes if note.change == "dropped"}


def called(call: dict[str, Any]) -> list[dict[str, Any]]:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    return [USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result]


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([USER | MARK], "messages.shade"),
        ([{"role": "system", "content": "be"} | MARK, USER], "messages.shade"),
        ([USER, {"role": "assistant", "content": "yes"} | MARK, USER], "messages.shade"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "x"} | MARK]}],
            "messages.content.shade",
        ),
        (called(CALL | MARK), "messages.tool_calls.shade"),
        (
            called(CALL | {"function": CALL["function"] | MARK}),
            "messages.tool_calls.function.shade",
        ),
        ([*called(CALL)[:2], called(CALL)[2] | MARK], "messages.shade"),
    ],
)
def test_members_of_a_conversation(dialect: str, messages: list[Any], field: str) -> None:
    assert field in dropped(write(dialect, *messages, tools=[TOOL]))


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock", "gemini", "responses"])
@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "image_url", "image_url": IMAGE | MARK}, "messages.content.image_url.shade"),
        ({"type": "image_url", "image_url": IMAGE} | MARK, "messages.content.shade"),
        ({"type": "file", "file": PDF | MARK}, "messages.content.file.shade"),
    ],
)
def test_members_of_media(dialect: str, part: dict[str, Any], field: str) -> None:
    assert field in dropped(write(dialect, {"role": "user", "content": [part]}))


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(
    ("tool", "fields"),
    [
        (TOOL | MARK, {"tools.shade"}),
        (
            TOOL | {"function": TOOL["function"] | MARK},
            {"tools.function.shade", "tools.shade"},
        ),
    ],
)
def test_members_of_tools(dialect: str, tool: dict[str, Any], fields: set[str]) -> None:
    assert fields & dropped(write(dialect, tools=[tool]))


CHOICE: dict[str, Any] = {"type": "function", "function": {"name": "weather"}}
FORM: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"type": "object", "additionalProperties": False}},
}


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (CHOICE | MARK, "tool_choice.shade"),
        (CHOICE | {"function": CHOICE["function"] | MARK}, "tool_choice.function.shade"),
    ],
)
def test_members_of_a_choice(dialect: str, choice: dict[str, Any], field: str) -> None:
    assert field in dropped(write(dialect, tools=[TOOL], tool_choice=choice))


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock", "cohere", "gemini"])
@pytest.mark.parametrize(
    ("form", "field"),
    [
        (FORM | MARK, "response_format.shade"),
        (
            FORM | {"json_schema": FORM["json_schema"] | MARK},
            "response_format.json_schema.shade",
        ),
    ],
)
def test_members_of_a_form(dialect: str, form: dict[str, Any], field: str) -> None:
    assert field in dropped(write(dialect, response_format=form))


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize("upstream", ["turbo-1", "claude-opus-4-8", "anthropic.claude-opus-4-8"])
@pytest.mark.parametrize("tools", [[], [TOOL]])
def test_what_a_form_is_said_to_be_is_sent_or_noted(
    dialect: str, upstream: str, tools: list[Any]
) -> None:
    told = "the weather of tomorrow"
    form = FORM | {"json_schema": FORM["json_schema"] | {"description": told}}
    made = write(dialect, at=upstream, response_format=form, tools=tools)
    lost = dropped(made) & {"response_format.json_schema.description", "response_format"}
    assert (told.encode() in made.body) is not bool(lost)


def test_where_a_cache_is_to_reach_has_no_word_in_responses() -> None:
    marker = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "x"} | marker
    made = write("responses", {"role": "user", "content": [text]}, tools=[TOOL | marker])
    assert dropped(made) >= {"messages.content.cache_control", "tools.cache_control"}


def test_members_of_the_wish_to_reason() -> None:
    wish = {"effort": "low", "exclude": False, "mode": "pro"}
    assert dropped(write("responses", reasoning=wish | MARK)) == {"reasoning.shade"}


def test_what_is_not_said_is_not_noted() -> None:
    for dialect in OTHERS:
        made = write(dialect, USER | {"shade": None}, *called(CALL)[1:], tools=[TOOL])
        assert not {field for field in dropped(made) if "shade" in field}


@pytest.mark.parametrize("dialect", OTHERS)
@pytest.mark.parametrize("content", ["yes", [{"type": "text", "text": "yes"}]])
@pytest.mark.parametrize("calls", [[], [CALL]])
def test_a_refusal_is_sent_beside_a_content(dialect: str, content: Any, calls: list[Any]) -> None:
    said = {"role": "assistant", "content": content, "refusal": "not that"}
    more = [{"tool_calls": calls}] if calls else []
    turns = [USER, said | {k: v for each in more for k, v in each.items()}]
    turns += called(CALL)[2:] if calls else [USER]
    body = write(dialect, *turns, tools=[TOOL]).body.decode()
    assert body.index('"yes"') < body.index('"not that"')


FAILED: dict[str, Any] = {
    "model": "acme/turbo",
    "max_tokens": 99,
    "messages": [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_1",
                    "is_error": True,
                    "content": "no sun",
                }
            ],
        },
    ],
}
"""What a Messages client says of a tool that failed."""


def send(dialect: str, body: Mapping[str, Any]) -> Outgoing:
    call = MESSAGES.parse(json.dumps(body).encode(), {})
    host = Provider(slug="acme", name="Acme", dialect=dialect, base_url="http://127.0.0.1:9100")
    return DIALECTS[dialect].request(call, endpoint(), host)


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("anthropic", b'"is_error":true'),
        ("bedrock", b'"status":"error"'),
        ("gemini", b'"response":{"error":"no sun"}'),
    ],
)
def test_a_failed_tool_of_a_messages_client(dialect: str, told: bytes) -> None:
    outgoing = send(dialect, FAILED)
    assert told in outgoing.body.replace(b'": ', b'":')
    assert not [field for field in dropped(outgoing) if "is_error" in field]


@pytest.mark.parametrize("dialect", ["openai", "azure", "responses", "cohere"])
def test_a_failed_tool_is_noted_where_only_its_content_says_so(dialect: str) -> None:
    outgoing = send(dialect, FAILED)
    assert b"is_error" not in outgoing.body
    assert b"no sun" in outgoing.body
    assert "messages.is_error" in dropped(outgoing)


def test_gemini_is_told_that_a_tool_failed() -> None:
    failed = called(CALL)[2] | {"is_error": True}
    made = json.loads(write("gemini", *called(CALL)[:2], failed, tools=[TOOL]).body)
    assert made["contents"][2]["parts"][0]["functionResponse"]["response"] == {"error": "sunny"}
