"""Calls that a host begins twice, or never ends: none is lost, and none is doubled."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from dragoman.providers.registry import DIALECTS
from tests.wire.messages_told import gathered

Event = dict[str, Any]


def anthropic_begin(id_: str, index: int = 0, **input_: Any) -> Event:
    block = {"type": "tool_use", "id": id_, "name": "f", "input": input_}
    return {"type": "content_block_start", "index": index, "content_block": block}


def anthropic_more(text: str, index: int = 0) -> Event:
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def bedrock_begin(id_: str, index: int = 0) -> Event:
    start = {"toolUse": {"toolUseId": id_, "name": "f"}}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start}}


def bedrock_more(text: str, index: int = 0) -> Event:
    delta = {"toolUse": {"input": text}}
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": delta}}


HOSTS: list[Any] = [
    ("anthropic", anthropic_begin, anthropic_more,
     {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
    ("bedrock", bedrock_begin, bedrock_more, {"messageStop": {"stopReason": "tool_use"}}),
]  # fmt: skip
Begin = Callable[..., Event]
More = Callable[..., Event]
each_host = pytest.mark.parametrize(("dialect", "begin", "more", "end"), HOSTS)


def calls(dialect: str, *events: Event) -> list[tuple[str, str]]:
    """Return the calls that a stream adds up to, each with its arguments."""
    decoder = DIALECTS[dialect].decoder()
    chunks = [decoder.feed(json.dumps(event).encode()) for event in events]
    (choice,) = gathered([chunk for chunk in chunks if chunk is not None]).choices
    assert choice.finish_reason == "tool_calls"
    found = json.loads(bytes(choice.message["tool_calls"]))
    return [(call["id"], call["function"]["arguments"]) for call in found]


@each_host
def test_a_call_that_is_begun_twice_is_one(
    dialect: str, begin: Begin, more: More, end: Event
) -> None:
    assert calls(dialect, begin("a"), begin("a"), more("{}"), end) == [("a", "{}")]
    assert calls(dialect, begin("a"), more('{"b":'), begin("a"), more("1}"), end) == [
        ("a", '{"b":1}')
    ]


@each_host
def test_one_that_another_takes_the_place_of_has_ended(
    dialect: str, begin: Begin, more: More, end: Event
) -> None:
    assert calls(dialect, begin("a"), begin("b"), more("[]"), begin("c"), end) == [
        ("a", "{}"), ("b", "[]"), ("c", "{}"),
    ]  # fmt: skip


@each_host
def test_those_that_never_end_have_ended_with_the_answer(
    dialect: str, begin: Begin, more: More, end: Event
) -> None:
    assert calls(dialect, begin("a"), begin("b", 1), more("[]", 1), begin("c", 2), end) == [
        ("a", "{}"), ("b", "[]"), ("c", "{}"),
    ]  # fmt: skip
    assert calls(dialect, begin("a"), more("[]"), end) == [("a", "[]")]


def test_a_call_of_cohere_that_is_begun_twice_is_one() -> None:
    function = {"name": "f", "arguments": ""}
    first = {"message": {"tool_calls": {"id": "a", "type": "function", "function": function}}}
    more = {"message": {"tool_calls": {"function": {"arguments": "[]"}}}}
    begin = {"type": "tool-call-start", "index": 0, "delta": first}
    assert calls(
        "cohere",
        begin,
        begin,
        {"type": "tool-call-delta", "index": 0, "delta": more},
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    ) == [("a", "[]")]


def test_what_a_call_had_at_its_beginning_is_not_lost() -> None:
    end = HOSTS[0][-1]
    assert calls("anthropic", anthropic_begin("a", x=1), anthropic_begin("b", y=2), end) == [
        ("a", '{"x": 1}'), ("b", '{"y": 2}'),
    ]  # fmt: skip
