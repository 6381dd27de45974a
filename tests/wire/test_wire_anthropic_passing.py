"""Answers of providers that speak Messages: passed on as they came, but for what is ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.hub import Answer, Chunk, Piece, Text
from tests.wire.messages_told import SPENT, STAMP, events_of, message_of, told, written

START: Any = {
    "type": "message_start",
    "message": {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [], "stop_reason": None, "stop_sequence": None, "extra": {"kept": 1},
        "usage": {"input_tokens": 25, "output_tokens": 1, "service_tier": "priority"},
    },
}  # fmt: skip
"""As documented: Anthropic, "Streaming Messages", with a member that nobody knows."""
DELTA = {
    "type": "message_delta",
    "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
    "context_management": {"applied_edits": []},
    "usage": {"output_tokens": 15, "iterations": [{"type": "message"}]},
}
STOP = {"type": "message_stop"}
SEARCH = [
    {"type": "content_block_start", "index": 0, "content_block": {
        "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}},
    {"type": "content_block_delta", "index": 0, "delta": {
        "type": "input_json_delta", "partial_json": '{"query":"ants"}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {
        "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}},
    {"type": "content_block_stop", "index": 1},
]  # fmt: skip
"""As documented: Anthropic, "Streaming Messages", "Streaming request with web search tool use"."""


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def said(index: int, *texts: str) -> list[dict[str, Any]]:
    deltas = ({"type": "text_delta", "text": text} for text in texts)
    return block(index, {"type": "text", "text": ""}, *deltas)


def chunks(*events: dict[str, Any]) -> Iterator[Chunk | Text]:
    """Yield what a decoder of this dialect makes of events: texts short, all else as it came."""
    for event in events:
        delta = event.get("delta", {})
        if delta.get("type") == "text_delta":
            yield Text(0, json.dumps(delta["text"]).encode())
            continue
        pieces = (
            (Piece(index=0, delta={}, finish_reason="stop"),) if delta.get("stop_reason") else ()
        )
        data = json.dumps(event).encode()
        yield Chunk(pieces=pieces, native=data, ended=event["type"] == "message_stop")


def passed(*events: dict[str, Any]) -> bytes:
    return written(chunks(*events), told(native=True))


def test_a_stream_passes_with_our_id_and_what_it_cost() -> None:
    stream = passed(START, *said(0, "Hel", "lo"), DELTA, STOP)
    events = events_of(stream)
    assert events[0]["message"] == START["message"] | {
        "id": STAMP.id, "model": STAMP.model, "provider": STAMP.provider,
    }  # fmt: skip
    assert events[1:-2] == said(0, "Hel", "lo")
    assert events[-2]["delta"] == DELTA["delta"]
    assert events[-2]["context_management"] == {"applied_edits": []}
    usage = events[-2]["usage"]
    assert (usage["cost"], usage["input_tokens"], usage["output_tokens"]) == (0.5, 60, 50)
    assert (usage["iterations"], usage["service_tier"]) == ([{"type": "message"}], "priority")
    assert events[-1] == STOP
    assert message_of(stream)["content"] == [{"type": "text", "text": "Hello"}]


def test_events_keep_their_bytes() -> None:
    odd = b'{"type":"content_block_delta",  "index":0,"delta":{"type":"new_delta","x":1.50}}'
    begin = list(chunks(START, *said(0)[:1]))
    stream = written([*begin, Chunk(native=odd)], told(native=True))
    assert b"event: content_block_delta\ndata: %b\n\n" % odd in stream


def test_blocks_of_the_providers_own_tools_pass() -> None:
    stream = passed(START, *SEARCH, *said(2, "Found."), DELTA, STOP)
    assert events_of(stream)[1:-2] == [*SEARCH, *said(2, "Found.")]


def test_thoughts_pass_with_their_signature() -> None:
    thought = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "EqQB"},
    )
    stream = passed(START, *thought, *said(1, "Yes."), DELTA, STOP)
    assert events_of(stream)[1:-2] == [*thought, *said(1, "Yes.")]


def test_an_event_is_one_line_of_data() -> None:
    ping = Chunk(native=b'{"type":\n"content_block_stop",\r\n"index":0}')
    assert MESSAGES.writer(told(native=True)).chunk(ping, ()).count(b"\n") <= 9


def test_a_second_beginning_is_not_passed() -> None:
    events = events_of(passed(START, START, *said(0, "x"), DELTA, STOP, STOP))
    assert [event["type"] for event in events].count("message_start") == 1
    assert [event["type"] for event in events].count("message_stop") == 1


def test_what_comes_after_the_end_is_not_passed() -> None:
    stream = passed(START, *said(0, "x"), DELTA, *block(1, {"type": "tool_use"}), STOP)
    assert message_of(stream)["content"] == [{"type": "text", "text": "x"}]


def test_text_without_a_block_gets_one() -> None:
    stream = written([*chunks(START), Text(0, b'"x"'), *chunks(DELTA)], told(native=True))
    assert message_of(stream)["content"] == [{"type": "text", "text": "x"}]
    stream = written([Text(0, b'"x"')], told(native=True))
    assert message_of(stream)["content"] == [{"type": "text", "text": "x"}]


def test_a_block_in_which_a_stream_ends_is_ended() -> None:
    stream = passed(START, *said(0, "x")[:-1], DELTA)
    assert message_of(stream)["content"] == [{"type": "text", "text": "x"}]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"type":5}', b'{"type":"a b\\nc"}', b"{}"])
def test_what_is_no_event_is_left_out(data: bytes) -> None:
    assert MESSAGES.writer(told(native=True)).chunk(Chunk(native=data), ()) == b""


def test_another_dialects_events_are_not_passed() -> None:
    stream = written([Chunk(native=b'{"type":"ping"}'), Text(0, b'"x"')], told(native=False))
    assert b"ping" not in stream


BODY = {
    "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-x",
    "content": [{"type": "text", "text": "Hi!"}, {"type": "new_block", "n": 1}],
    "stop_reason": "pause_turn", "stop_sequence": None, "container": {"id": "c"},
    "usage": {"input_tokens": 1, "output_tokens": 2, "inference_geo": "us"},
}  # fmt: skip


def test_a_whole_message_passes_with_our_id_and_what_it_cost() -> None:
    answer = Answer(choices=(), native=json.dumps(BODY).encode())
    body = MESSAGES.answer(told(native=True), answer, SPENT, b',"openrouter_metadata":{}')
    found = json.loads(body)
    usage = found.pop("usage")
    assert found == {name: value for name, value in BODY.items() if name != "usage"} | {
        "id": STAMP.id, "model": STAMP.model, "provider": STAMP.provider,
        "openrouter_metadata": {},
    }  # fmt: skip
    assert (usage["inference_geo"], usage["cost"], usage["input_tokens"]) == ("us", 0.5, 60)


@given(st.lists(st.sampled_from([
    START, *SEARCH, *said(0, "a", "b"), *said(1, "c"), *block(2, {"type": "tool_use"}),
    DELTA, STOP, {"type": "ping"},
]), max_size=30))  # fmt: skip
def test_events_in_any_order_make_a_stream_with_one_beginning_and_one_end(
    events: list[dict[str, Any]],
) -> None:
    kinds = [event["type"] for event in events_of(passed(*events))]
    assert kinds[0] == "message_start"
    assert kinds.count("message_start") == kinds.count("message_stop") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"]
