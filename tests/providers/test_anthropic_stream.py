"""Streams of Anthropic's in the hub's form: documented ones, odd ones, and broken ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.anthropic.stream import MOST_CITED, MOST_OPEN, AnthropicDecoder
from dragoman.wire.hub import Chunk, StreamFault, Text
from dragoman.wire.usage import Usage

START = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}}


def fed(*events: dict[str, Any] | bytes) -> list[Chunk | Text | None]:
    """What the hub gets of events after the first that every stream begins with."""
    decoder = AnthropicDecoder()
    decoder.feed(as_bytes(START))
    return [decoder.feed(as_bytes(event)) for event in events]


def as_bytes(event: dict[str, Any] | bytes) -> bytes:
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def delta(kind: str, index: int = 0, **members: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **members}}


def begin(index: int = 0, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def stop(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def members(chunk: Chunk | Text | None) -> dict[str, Any]:
    assert isinstance(chunk, Chunk)
    added: dict[str, Any] = {}
    for piece in chunk.pieces:
        added |= {name: json.loads(bytes(value)) for name, value in piece.delta.items()}
    return added


def test_a_stream_begins_with_what_went_in() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2,
             "output_tokens": 4, "service_tier": "priority"}  # fmt: skip
    event = as_bytes({"type": "message_start", "message": {"id": "msg_1", "usage": usage}})
    chunk = AnthropicDecoder().feed(event)
    assert chunk == Chunk(
        usage=Usage(prompt=17, cached=5, cache_write=2, source="estimated"),
        upstream_id="msg_1",
        service_tier="priority",
        native=event,
    )


def test_text_is_the_short_form_and_its_bytes_are_kept() -> None:
    event = (
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\u00e9"}}'
    )
    assert fed(event) == [Text(0, b'"\\u00e9"')]
    assert fed(delta("text_delta", text="")) == [None]


def test_the_first_that_adds_anything_is_a_chunk() -> None:
    event = as_bytes(delta("text_delta", text="a"))
    decoder = AnthropicDecoder()
    first = decoder.feed(event)
    assert members(first) == {"content": "a"}
    assert decoder.feed(event) == Text(0, b'"a"')


def test_events_that_nobody_knows_are_let_through() -> None:
    odd: list[dict[str, Any] | bytes] = [
        {"type": "ping"},
        {"type": "new_thing", "x": 1},
        {},
        {"type": "ping", "error": None},
    ]
    assert fed(*odd) == [None] * len(odd)
    for event in (
        delta("new_delta", x=1),
        begin(type="new_block"),
        stop(9),
        delta("text_delta", text=""),
    ):
        chunk, end = fed(event, stop())
        assert chunk is None or chunk == Chunk(native=as_bytes(event))
        assert end == Chunk(native=as_bytes(stop()))


def test_every_event_but_text_comes_along_as_it_came() -> None:
    events = [
        begin(type="thinking", thinking="", signature=""),
        delta("thinking_delta", thinking="hm"),
        delta("signature_delta", signature="s"),
        stop(),
        begin(1, type="server_tool_use", id="s", name="web_search", input={}),
        delta("input_json_delta", 1, partial_json="{}"),
        stop(1),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    chunks = fed(*events)
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    assert [c.native for c in chunks if isinstance(c, Chunk)] == [as_bytes(e) for e in events]
    assert [c.ended for c in chunks if isinstance(c, Chunk)] == [False] * 8 + [True]


def test_a_call_whose_input_came_whole_is_told_at_its_end() -> None:
    whole = begin(type="tool_use", id="t", name="f", input={"a": 1})
    found = [members(chunk) for chunk in fed(whole, stop())]
    assert found[0]["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert found[1] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}


def test_a_call_without_input_has_an_empty_object() -> None:
    nothing: list[dict[str, Any] | None] = [{}, None]
    for input_ in nothing:
        event = begin(type="tool_use", id="t", name="f", input=input_)
        ended = fed(event, delta("input_json_delta", partial_json=""), stop())[2]
        assert members(ended) == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_calls_are_numbered_by_themselves_and_never_without_an_id() -> None:
    events = [begin(i, type="tool_use", id=id_, name="f") for i, id_ in ((1, ""), (4, "t"))]
    calls = [members(chunk)["tool_calls"][0] for chunk in fed(*events)]
    assert [call["index"] for call in calls] == [0, 1]
    assert calls[0]["id"].startswith("toolu_")
    assert calls[0]["id"] == members(fed(events[0])[0])["tool_calls"][0]["id"]
    assert calls[1]["id"] == "t"


def test_two_calls_at_once_do_not_mix() -> None:
    chunks = fed(
        begin(0, type="tool_use", id="a", name="f"),
        begin(1, type="tool_use", id="b", name="f"),
        delta("input_json_delta", 1, partial_json="1"),
        delta("input_json_delta", 0, partial_json="0"),
    )
    assert [members(c)["tool_calls"][0] for c in chunks[2:]] == [
        {"index": 1, "function": {"arguments": "1"}},
        {"index": 0, "function": {"arguments": "0"}},
    ]


def test_a_text_that_begins_with_words() -> None:
    chunks = fed(begin(type="text", text="He"), delta("text_delta", text="y"))
    assert members(chunks[0]) == {"content": "He"}
    cited = {"type": "search_result_location", "source": "https://a.b", "title": None,
             "cited_text": "c"}  # fmt: skip
    told = fed(begin(type="text", text="He"), delta("citations_delta", citation=cited), stop())
    assert members(told[1]) == {}
    assert members(told[2])["annotations"] == [
        {"type": "url_citation", "url_citation": {
            "url": "https://a.b", "content": "c", "start_index": 0, "end_index": 2}}
    ]  # fmt: skip


def test_citations_without_end_are_passed_on_as_they_pile_up() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a.b"}
    chunks = fed(*[delta("citations_delta", citation=cited)] * (MOST_CITED + 1), stop())
    sizes = [len(members(chunk).get("annotations", [])) for chunk in chunks]
    assert (sizes[MOST_CITED - 1], sizes[-1], sum(sizes)) == (MOST_CITED, 1, MOST_CITED + 1)


def test_usage_is_told_in_parts() -> None:
    decoder = AnthropicDecoder()
    begun = {"input_tokens": 10, "cache_creation_input_tokens": 8, "output_tokens": 1,
             "cache_creation": {"ephemeral_1h_input_tokens": 6}}  # fmt: skip
    decoder.feed(as_bytes({"type": "message_start", "message": {"usage": begun}}))
    ended = {"output_tokens": 9, "input_tokens": None,
             "output_tokens_details": {"thinking_tokens": 4}}  # fmt: skip
    chunk = decoder.feed(as_bytes({"type": "message_delta", "delta": {}, "usage": ended}))
    assert isinstance(chunk, Chunk)
    assert chunk.pieces == ()
    assert chunk.usage == Usage(
        prompt=18, completion=9, reasoning=4, cache_write=8, cache_write_1h=6
    )


@pytest.mark.parametrize("ended", [{}, {"output_tokens": None}])
def test_what_was_counted_before_anything_was_said_is_no_count_of_the_answer(ended: Any) -> None:
    decoder = AnthropicDecoder()
    begun = {"input_tokens": 10, "output_tokens": 1}
    decoder.feed(as_bytes({"type": "message_start", "message": {"usage": begun}}))
    chunk = decoder.feed(as_bytes({"type": "message_delta", "usage": ended}))
    assert isinstance(chunk, Chunk)
    assert chunk.usage == Usage(prompt=10, source="estimated")


@pytest.mark.parametrize("begun", [{}, {"message": {}}, {"message": {"usage": {}}}])
def test_a_stream_may_begin_without_a_word_of_usage(begun: dict[str, Any]) -> None:
    event = as_bytes({"type": "message_start", **begun})
    assert AnthropicDecoder().feed(event) == Chunk(native=event)


def test_usage_in_the_midst_of_a_call_does_not_end_it() -> None:
    found = [
        members(chunk)
        for chunk in fed(
            begin(type="tool_use", id="t", name="f", input={}),
            {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 3}},
            delta("input_json_delta", partial_json="{}"),
            stop(),
        )
    ]
    assert found[1:] == [
        {},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {},
    ]


def test_a_call_that_ends_after_its_answer_did_is_told_once() -> None:
    whole = begin(type="tool_use", id="t", name="f", input={"a": 1})
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    found = [members(chunk) for chunk in fed(whole, end, stop())]
    assert found[1:] == [
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]},
        {},
    ]


@pytest.mark.parametrize(
    ("native", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("compaction", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("never heard of", "stop"),
    ],
)
def test_how_an_answer_ended(native: str, finish: str) -> None:
    event = {"type": "message_delta", "delta": {"stop_reason": native}, "usage": None}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    begun = {"type": "content_block_start", "index": 0, "content_block": call}
    stop = {"type": "content_block_stop", "index": 0}
    chunk = fed(*([begun, stop] if native == "tool_use" else []), event)[-1]
    assert isinstance(chunk, Chunk)
    assert [(p.finish_reason, p.native_finish_reason) for p in chunk.pieces] == [(finish, native)]


@pytest.mark.parametrize(
    ("details", "added"),
    [
        ({"type": "refusal", "explanation": "No."}, {"refusal": "No."}),
        ({"type": "refusal", "explanation": None}, {}),
        ({"explanation": 7}, {}),
        ("odd", {}),
        (None, {}),
    ],
)
def test_why_an_answer_was_refused(details: Any, added: dict[str, str]) -> None:
    event = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}}
    assert members(fed(event)[0]) == added


def test_the_reason_of_a_refusal_alone_does_not_end_the_answer() -> None:
    details = {"type": "refusal", "explanation": "No."}
    (chunk,) = fed({"type": "message_delta", "delta": {"stop_details": details}})
    assert isinstance(chunk, Chunk)
    assert [(each.finish_reason, each.native_finish_reason) for each in chunk.pieces] == [
        (None, None)
    ]


def test_an_error_in_a_stream() -> None:
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    fault = StreamFault(status=None, code="overloaded_error", message="Overloaded")
    assert fed(event) == [Chunk(fault=fault)]
    assert fed({"error": {"type": "overloaded_error", "message": "Overloaded"}}) == [
        Chunk(fault=fault)
    ]


def test_an_answer_that_came_whole_though_a_stream_was_asked_for() -> None:
    whole = {
        "type": "message", "id": "m", "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip
    chunk = AnthropicDecoder().feed(as_bytes(whole))
    assert isinstance(chunk, Chunk)
    assert members(chunk) == {"content": "a"}
    assert chunk.ended
    assert chunk.pieces[0].finish_reason == "stop"
    assert chunk.usage == Usage(prompt=1, completion=2)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"7", b'"a"', b'{"type":7}', b"[DONE]", b'{"type":"\xff"}',
        b'{"type":"message_start","message":{"model":"\xff"}}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":7}}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta"}}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"\\ud800"}}',
        b'{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":[1]}}',
        b'{"type":"content_block_delta","delta":{"type":"signature_delta","signature":{}}}',
        b'{"type":"content_block_delta","delta":[]}',
        b'{"type":"content_block_start","index":"a"}',
        b'{"type":"content_block_start","content_block":{"type":"tool_use","id":7,"name":"f"}}',
        b'{"type":"content_block_start","content_block":{"type":"tool_use","id":"a"}}',
        b'{"type":"content_block_start","content_block":{"type":"text","text":7}}',
        b'{"type":"message","content":null}',
        b'{"type":"x","y":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (nonsense has many messages)
        fed(data)


def test_a_citation_that_is_none_is_nonsense_when_its_text_ends() -> None:
    with pytest.raises(ValueError, match="array"):
        fed(delta("citations_delta", citation=[1]), stop())


def test_blocks_that_never_end_are_too_many_at_last() -> None:
    decoder = AnthropicDecoder()
    for index in range(MOST_OPEN):
        decoder.feed(as_bytes(begin(index, type="tool_use", id="t", name="f")))
    with pytest.raises(ValueError, match="blocks at once"):
        decoder.feed(as_bytes(begin(MOST_OPEN, type="tool_use", id="t", name="f")))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "type", "index", "delta", "content_block", "message", "usage", "error", "text", "id",
            "name", "input", "thinking", "signature", "data", "citation", "stop_reason",
            "partial_json", "content", "stop_details",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
kinds = st.sampled_from([
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "message", "error", "ping",
])  # fmt: skip
blocks = st.sampled_from([
    "text", "tool_use", "thinking", "redacted_thinking", "text_delta", "input_json_delta",
    "thinking_delta", "signature_delta", "citations_delta",
])  # fmt: skip
odd = st.dictionaries(st.sampled_from(["text", "id", "name", "input", "thinking", "signature",
                                       "data", "citation", "partial_json", "stop_reason"]),
                      json_values, max_size=3)  # fmt: skip
events = st.builds(
    lambda kind, block, inner, rest: {
        **rest, "type": kind, "delta": {**inner, "type": block},
        "content_block": {**inner, "type": block},
    },
    kinds, blocks, odd, st.dictionaries(st.sampled_from(["index", "usage", "message", "error",
                                                         "content"]), json_values, max_size=3),
)  # fmt: skip


@given(st.lists(events | json_values, max_size=6))
def test_nothing_but_a_value_error_ever_comes_of_a_stream(sequence: list[Any]) -> None:
    decoder = AnthropicDecoder()
    for event in sequence:
        try:
            chunk = decoder.feed(json.dumps(event).encode())
        except ValueError:
            return
        if isinstance(chunk, Chunk):
            for piece in chunk.pieces:
                for value in piece.delta.values():
                    json.loads(bytes(value))
