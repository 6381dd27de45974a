"""Deltas of streams in the hub's form: reasoning, tool calls, finish reasons, and the rest."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from dragoman.providers.openai.answers import OpenAiDecoder
from dragoman.providers.openai.members import FINISH, finish
from tests.providers.openai_events import REASONED, delta, events, piece, plain


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"content":"a"}', {"content": '"a"'}),
        ('{"content": "a"}', {"content": '"a"'}),
        ('{"role":"assistant","content":""}', {"content": '""'}),
        ('{"content":null,"refusal":null,"foo":1e400}', {"foo": "1e400"}),
        ('{"reasoning_content":"hm"}', {"reasoning": '"hm"', "reasoning_details": REASONED}),
        (
            '{"content":"a","reasoning_content":null}',
            {"content": '"a"'},
        ),
        (
            '{"content":"","reasoning":"hm","channel":"analysis"}',
            {
                "content": '""',
                "reasoning": '"hm"',
                "channel": '"analysis"',
                "reasoning_details": REASONED,
            },
        ),
        (
            '{"reasoning":"hm","reasoning_content":"hm"}',
            {"reasoning": '"hm"', "reasoning_details": REASONED},
        ),
        ('{"content":"a","reasoning_content":""}', {"content": '"a"'}),
        ('{"reasoning":{"odd":1}}', {"reasoning": '{"odd":1}'}),
        (
            '{"reasoning":"hm","reasoning_details":[{"type":"reasoning.summary","summary":"s"}]}',
            {
                "reasoning": '"hm"',
                "reasoning_details": '[{"type":"reasoning.summary","summary":"s"}]',
            },
        ),
        (
            '{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"text":"m"}]}]}',
            {"content": '""', "reasoning": '"hm"', "reasoning_details": REASONED},
        ),
        (
            '{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]}',
            {"content": '"a"', "reasoning": '"hm"', "reasoning_details": REASONED},
        ),
        ('{"content":[{"type":"thinking","thinking":7},{"type":"x"}]}', {"content": '""'}),
        ('{"content":[7]}', {"content": "[7]"}),
        ('{"content":7}', {"content": "7"}),
        ('{"function_call":{"name":"f"}}', {"function_call": '{"name":"f"}'}),
    ],
)  # fmt: skip
def test_a_delta_in_hub_form(source: str, expected: dict[str, str]) -> None:
    assert delta(source) == expected


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("COMPLETE", "stop"),
        ("never heard of", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("tool_calls", "tool_calls"),
        ("tool_use", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("content_filter: RECITATION", "content_filter"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        ("error", "error"),
        ("insufficient_system_resource", "error"),
        ("network_error", "error"),
    ],
)
def test_finish_reasons_are_mapped_and_kept(native: str, expected: str) -> None:
    got = piece(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": native}]}))
    assert (got.finish_reason, got.native_finish_reason) == (expected, native)


@pytest.mark.parametrize(
    ("native", "expected"),
    [("stop", "tool_calls"), ("eos", "tool_calls"), ("length", "length"), ("error", "error")],
)
def test_an_answer_that_calls_tools_finishes_with_tool_calls(native: str, expected: str) -> None:
    assert finish(native, called=True) == expected


def test_every_reason_of_the_table_is_one_of_five() -> None:
    assert set(FINISH.values()) == {"length", "tool_calls", "content_filter", "error"}
    assert all(native == native.lower() for native in FINISH)


def test_tool_calls_with_an_index_pass_byte_by_byte() -> None:
    first = '[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]'
    then = '[{"index":0, "function":{"arguments":"{\\"index\\""}}]'
    got = events(f'{{"content":null,"tool_calls":{first}}}', f'{{"tool_calls":{then}}}')
    assert got == [{"tool_calls": first}, {"tool_calls": then}]


def test_tool_calls_without_an_index_are_numbered() -> None:
    got = events(
        '{"tool_calls":[{"function":{"arguments":"{","name":"f"},"id":"c1","type":"function"}]}',
        '{"tool_calls":[{"function":{"arguments":"}"}}]}',
        '{"tool_calls":[{"id":"c2","function":{"name":"g"}},{"id":"c3","index":null}]}',
    )
    indices = [[call["index"] for call in json.loads(d["tool_calls"])] for d in got]
    assert indices == [[0], [0], [1, 2]]
    assert json.loads(got[0]["tool_calls"])[0]["function"] == {"arguments": "{", "name": "f"}


def test_a_fragment_without_index_or_id_begins_the_first_call() -> None:
    (got,) = events('{"tool_calls":[{"function":{"name":"f"}}]}')
    assert json.loads(got["tool_calls"])[0]["index"] == 0


@pytest.mark.parametrize("odd", ["7", '["x"]', "{}"])
def test_odd_tool_calls_are_left_alone(odd: str) -> None:
    assert delta(f'{{"tool_calls":{odd}}}') == {"tool_calls": odd}


def test_a_call_that_begins_without_an_id_gets_one() -> None:
    got = events(
        '{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":""}}]}',
        '{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}',
        '{"tool_calls":[{"index":1,"function":{"name":"f","arguments":""}}]}',
    )
    first, then, second = (json.loads(each["tool_calls"])[0] for each in got)
    assert first["id"].startswith("call_")
    assert "id" not in then
    assert second["id"].startswith("call_")
    assert second["id"] != first["id"]


def test_empty_tool_calls_are_no_call() -> None:
    decoder = OpenAiDecoder()
    decoder.feed(b'{"choices":[{"delta":{"tool_calls":[]}}]}')
    chunk = decoder.feed(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    assert chunk is not None
    assert chunk.pieces[0].finish_reason == "stop"


def test_a_stop_after_tool_calls_is_told_as_tool_calls() -> None:
    decoder = OpenAiDecoder()
    decoder.feed(b'{"choices":[{"delta":{"tool_calls":[{"id":"c1"}]}}]}')
    chunk = decoder.feed(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    assert chunk is not None
    assert chunk.pieces[0].finish_reason == "tool_calls"
    assert chunk.pieces[0].native_finish_reason == "stop"


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(
            lambda name: (
                name not in {"role", "content", "reasoning", "tool_calls"}
                and not name.startswith("reasoning_")
            )
        ),
        st.integers() | st.text() | st.lists(st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
    ),
    st.text(),
)
def test_unknown_members_and_text_pass_byte_by_byte(unknown: dict[str, Any], text: str) -> None:
    members = {**unknown, "content": text}
    source = json.dumps({"choices": [{"index": 0, "delta": members}]})
    expected = {name: json.dumps(value) for name, value in members.items()}
    assert plain(piece(source).delta) == expected


def test_what_the_hub_gets_suits_the_official_client() -> None:
    (got,) = events(
        '{"tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"c1","type":"function"}]}'
    )
    chunk = ChatCompletionChunk.model_validate(
        {
            "id": "gen-1",
            "created": 1,
            "model": "m",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {k: json.loads(v) for k, v in got.items()}}],
        }
    )
    calls = chunk.choices[0].delta.tool_calls
    assert calls is not None
    assert calls[0].index == 0
