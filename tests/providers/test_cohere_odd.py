"""What Cohere cannot be told, and what it should not have said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.providers.cohere.answers import read_answer
from dragoman.providers.cohere.stream import MOST_OPEN, CohereDecoder
from dragoman.wire.hub import Chunk, Piece, StreamFault, Text
from dragoman.wire.usage import Usage
from tests.providers.bedrock_calls import WEATHER, called
from tests.providers.cohere_calls import HI, call, endpoint, said, sent, write


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/x"}},
        {
            "type": "file",
            "file": {"filename": "a", "file_data": "data:application/pdf;base64,AA=="},
        },
        {"type": "image_url", "image_url": {"url": "s3://bucket/x.png"}},
    ],
)
def test_what_cannot_be_said_is_refused_by_name(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"messages\.0\.content\.0"):
        write(call({"role": "user", "content": [part]}))


def test_images_are_the_users() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    with pytest.raises(InvalidRequest, match="image_url here"):
        write(call({"role": "system", "content": [image]}))


def test_images_of_a_tool_are_shown_by_the_user() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    parts = [{"type": "text", "text": "see"}, image]
    function = {"name": "f", "arguments": "{}"}
    asks = {
        "role": "assistant",
        "tool_calls": [{"id": "c0", "type": "function", "function": function}],
    }
    made = write(call(HI, asks, {"role": "tool", "tool_call_id": "c0", "content": parts}))
    told, shown = sent(made)["messages"][-2:]
    assert told == {"role": "tool", "tool_call_id": "c0", "content": parts[:1]}
    assert (shown["role"], shown["content"][-1]) == ("user", image)
    assert ("renamed", "messages.content") in said(made)


def test_what_an_endpoint_lacks_is_left_out() -> None:
    asked = call(
        tools=[WEATHER],
        seed=1,
        stop=["a"],
        reasoning={"effort": "low"},
        temperature=0.1,
        response_format={"type": "json_object"},
    )
    made = write(asked, endpoint("max_tokens"))
    assert sorted(sent(made)) == ["messages", "model", "stream"]
    names = {"tools", "seed", "stop", "reasoning", "temperature", "response_format"}
    assert {field for change, field in said(made) if change == "dropped"} == names


def test_an_effort_without_a_limit_is_no_share_of_anything() -> None:
    made = write(call(reasoning={"effort": "low"}), endpoint(max_output=None))
    assert sent(made)["thinking"] == {"type": "enabled"}
    assert ("dropped", "reasoning.effort") in said(made)


def test_quirks_of_the_row_count() -> None:
    made = write(call(seed=3), rejects=frozenset({"seed"}), adds={"safety_mode": "OFF"})
    assert sent(made)["safety_mode"] == "OFF"
    assert "seed" not in sent(made)


def test_calls_and_their_plan_go_back_as_they_came() -> None:
    message = {
        "role": "assistant",
        "tool_plan": "I will look.",
        "tool_calls": [called("weather_1")],
    }
    body = {"id": "1", "message": message, "finish_reason": "TOOL_CALL"}
    answer = read_answer(json.dumps(body).encode())
    row = {name: json.loads(bytes(raw)) for name, raw in answer.choices[0].message.items()}
    result = {"role": "tool", "tool_call_id": "weather_1", "content": "sun"}
    made = write(call({"role": "user", "content": "q"}, row, result, tools=[WEATHER]))
    assert sent(made)["messages"][1] == message


def fed(*events: dict[str, Any] | bytes) -> list[Chunk | Text | None]:
    decoder = CohereDecoder()
    return [decoder.feed(e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events]


def test_the_first_that_adds_anything_is_a_chunk() -> None:
    event = {"type": "content-delta", "delta": {"message": {"content": {"text": "a"}}}}
    first, second = fed(event, event)
    assert isinstance(first, Chunk)
    assert second == Text(0, b'"a"')


def test_an_error_at_the_end_is_told() -> None:
    (chunk,) = fed(
        {"type": "message-end", "delta": {"error": "it broke", "finish_reason": "ERROR"}}
    )
    assert isinstance(chunk, Chunk)
    assert chunk.fault == StreamFault(status=None, code="ERROR", message="it broke")
    assert chunk.ended


def test_an_error_in_place_of_events() -> None:
    (chunk,) = fed({"message": "no such model"})
    assert isinstance(chunk, Chunk)
    assert chunk.fault is not None
    assert chunk.fault.message == "no such model"
    assert read_answer(b'{"message":"no"}').fault is not None


def test_a_whole_answer_in_place_of_a_stream() -> None:
    message = {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}
    counted = {"billed_units": {"input_tokens": 3, "output_tokens": 2}}
    (chunk,) = fed({"id": "1", "message": message, "finish_reason": "COMPLETE", "usage": counted})
    content = Raw(b'"hi"')
    assert chunk == Chunk(
        pieces=(
            Piece(
                index=0,
                delta={"content": content},
                finish_reason="stop",
                native_finish_reason="COMPLETE",
            ),
        ),
        usage=Usage(prompt=3, completion=2),
        upstream_id="1",
        ended=True,
    )


@pytest.mark.parametrize(
    ("native", "finish", "after_a_call"),
    [
        ("COMPLETE", "stop", "tool_calls"),
        ("STOP_SEQUENCE", "stop", "tool_calls"),
        ("TOOL_CALL", "tool_calls", "tool_calls"),
        ("MAX_TOKENS", "length", "length"),
        ("ERROR", "error", "error"),
        ("ERROR_LIMIT", "length", "length"),
        ("ERROR_TOXIC", "content_filter", "content_filter"),
        ("TIMEOUT", "error", "error"),
        ("USER_CANCEL", "error", "error"),
        ("never heard of", "stop", "tool_calls"),
        ("", None, None),
    ],
)
def test_how_an_answer_ended(native: str, finish: str | None, after_a_call: str | None) -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    start = {"message": {"tool_calls": calls[0]}}
    end = {"type": "message-end", "delta": {"finish_reason": native}}
    for begun, told, expected in (
        ([], {}, finish),
        ([{"type": "tool-call-start", "index": 0, "delta": start}], {"tool_calls": calls},
         after_a_call),
    ):  # fmt: skip
        whole = {"id": "", "message": {"content": [], **told}, "finish_reason": native}
        answer = read_answer(json.dumps(whole).encode())
        assert answer.choices[0].finish_reason == expected
        assert answer.choices[0].native_finish_reason == (native or None)
        assert answer.upstream_id is None
        if expected == "tool_calls" and not begun:
            with pytest.raises(ValueError, match="no call before it"):
                fed(end)
            continue
        *_, last = fed(*begun, end)
        assert isinstance(last, Chunk)
        assert last.ended
        assert [each.finish_reason for each in last.pieces] == ([expected] if expected else [])


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text"}, {"type": "text", "text": ""}]},
        {"content": [{"type": "thinking"}, {"type": "thinking", "thinking": ""}]},
        {"content": [{"type": "new", "text": "a", "thinking": "b"}]},
        {"content": None, "tool_plan": ""},
        {},
    ],
)
def test_parts_that_say_nothing_add_nothing(message: dict[str, Any]) -> None:
    answer = read_answer(json.dumps({"message": message, "finish_reason": "COMPLETE"}).encode())
    assert answer.choices[0].message == {"role": Raw(b'"assistant"')}


def test_text_that_comes_as_its_block_begins_is_not_lost() -> None:
    content = {"message": {"content": {"type": "text", "text": "hi"}}}
    (chunk,) = fed({"type": "content-start", "delta": content})
    assert isinstance(chunk, Chunk)
    assert bytes(chunk.pieces[0].delta["content"]) == b'"hi"'


def test_an_empty_fragment_of_a_call_adds_nothing() -> None:
    told = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    start = {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": told}}}
    empty: list[Any] = [[], {}, {"function": None}, {"function": {"arguments": ""}}]
    events = [
        {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": each}}}
        for each in empty
    ]
    plan = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": ""}}}
    assert fed(start, *events, plan)[1:] == [None] * 5


def test_what_nobody_knows_is_let_through() -> None:
    odd: list[dict[str, Any] | bytes] = [
        {},
        {"type": "new-event", "x": 1},
        {"type": "debug", "prompt": "p"},
        {"type": "content-start"},
        {"type": "content-delta", "delta": {"message": {"content": []}}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": ""}}}},
        {"type": "citation-start"},
        {"type": "citation-end"},
    ]
    assert fed(*odd) == [None] * len(odd)


def test_calls_without_end_are_bounded() -> None:
    told = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    delta = {"message": {"tool_calls": told}}
    decoder = CohereDecoder()
    events = [{"type": "tool-call-start", "index": n, "delta": delta} for n in range(MOST_OPEN + 1)]
    for event in events[:-1]:
        decoder.feed(json.dumps(event).encode())
    with pytest.raises(ValueError, match="calls at once"):
        decoder.feed(json.dumps(events[-1]).encode())


WRONG: list[bytes] = [
    b"",
    b"[]",
    b"{",
    b'{"type":1}',
    b'{"type":"content-delta","delta":{"message":{"content":{"text":1}}}}',
    b'{"type":"content-delta","delta":{"message":{"content":{"text":"\xff"}}}}',
    b'{"type":"tool-call-start","delta":{"message":{"tool_calls":{"function":{"name":3}}}}}',
    b'{"type":"x","y":' + b"[" * 100_000,
]


@pytest.mark.parametrize("data", WRONG)
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        CohereDecoder().feed(data)


@pytest.mark.parametrize(
    "body",
    [
        *WRONG[:3],
        b"{}",
        b'{"message":{"content":[{"type":"text","text":1}]}}',
        b'{"message":{"tool_calls":[{}]}}',
        b'{"message":' + b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_answer(body)


@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_whatever_comes_only_value_errors_leave(data: bytes) -> None:
    for read in (CohereDecoder().feed, read_answer):
        try:
            read(data)
        except ValueError:
            continue
