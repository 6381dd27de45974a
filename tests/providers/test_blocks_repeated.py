"""Calls that a host begins twice, never ends or never begins: none is lost, none is doubled."""

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
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    ) == [("a", "[]")]


def test_what_a_call_had_at_its_beginning_is_not_lost() -> None:
    end = HOSTS[0][-1]
    assert calls("anthropic", anthropic_begin("a", x=1), anthropic_begin("b", y=2), end) == [
        ("a", '{"x": 1}'), ("b", '{"y": 2}'),
    ]  # fmt: skip


COHERE_MORE = {
    "type": "tool-call-delta", "index": 0,
    "delta": {"message": {"tool_calls": {"function": {"arguments": "[]"}}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "event"),
    [
        ("anthropic", anthropic_more('{"a":')),
        ("anthropic", anthropic_more("")),
        ("bedrock", bedrock_more('{"a":')),
        ("bedrock", bedrock_more("")),
        ("cohere", COHERE_MORE),
        ("cohere", {"type": "tool-call-end", "index": 0}),
    ],
)
def test_a_call_whose_beginning_is_lost_is_nonsense_and_no_silent_stop(
    dialect: str, event: Event
) -> None:
    decoder = DIALECTS[dialect].decoder()
    with pytest.raises(ValueError, match="of a call that was not begun"):
        decoder.feed(json.dumps(event).encode())


def test_the_input_of_a_tool_that_the_provider_runs_is_nobodys_call() -> None:
    block = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    begin = {"type": "content_block_start", "index": 0, "content_block": block}
    stop = {"type": "content_block_stop", "index": 0}
    decoder = DIALECTS["anthropic"].decoder()
    for event in (begin, anthropic_more('{"q"'), stop):
        chunk = decoder.feed(json.dumps(event).encode())
        assert getattr(chunk, "pieces", None) == ()
    with pytest.raises(ValueError, match="not begun"):
        decoder.feed(json.dumps(anthropic_more("1")).encode())
    tool = {"toolUseId": "t", "name": "f", "type": "server_tool_use"}
    start = {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": tool}}}
    over = {"contentBlockStop": {"contentBlockIndex": 0}}
    decoder = DIALECTS["bedrock"].decoder()
    for event in (start, bedrock_more('{"q"'), over):
        assert decoder.feed(json.dumps(event).encode()) is None
    with pytest.raises(ValueError, match="not begun"):
        decoder.feed(json.dumps(bedrock_more("1")).encode())


OPENAI_END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
COHERE_END = {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESPONSES_END = {
    "type": "response.completed",
    "response": {"status": "completed", "output": [CALL]},
}
SAID = {"type": "response.output_text.delta", "delta": "x"}


@pytest.mark.parametrize(
    ("dialect", "events"),
    [
        *[(host[0], [host[-1]]) for host in HOSTS],
        ("openai", [OPENAI_END]),
        ("cohere", [COHERE_END]),
        ("responses", [SAID, RESPONSES_END]),
    ],
)
def test_calls_of_which_nothing_came_but_the_reason_are_no_good_end(
    dialect: str, events: list[Event]
) -> None:
    decoder = DIALECTS[dialect].decoder()
    *before, end = [json.dumps(event).encode() for event in events]
    for event in before:
        decoder.feed(event)
    with pytest.raises(ValueError, match=r"an end (that|with) calls"):
        decoder.feed(end)


def test_the_end_of_what_the_gateway_has_no_words_for_is_believed() -> None:
    block = {"type": "tool_of_tomorrow", "id": "t"}
    decoder = DIALECTS["anthropic"].decoder()
    decoder.feed(json.dumps({"type": "content_block_start", "content_block": block}).encode())
    assert decoder.feed(json.dumps(HOSTS[0][-1]).encode()) is not None
    called = {"name": "f", "arguments": "{}"}
    decoder = DIALECTS["openai"].decoder()
    decoder.feed(json.dumps({"choices": [{"delta": {"function_call": called}}]}).encode())
    end = {"choices": [{"delta": {}, "finish_reason": "function_call"}]}
    assert decoder.feed(json.dumps(end).encode()) is not None
