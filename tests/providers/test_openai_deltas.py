"""Deltas of streams in the hub's form: reasoning, tool calls, finish reasons, and the rest."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from dragoman.providers.openai.answers import MOST_FRAMES, OpenAiDecoder
from dragoman.providers.openai.members import FINISH, finish
from dragoman.wire.hub import Chunk, Text
from dragoman.wire.sse import AFTER, BEFORE, SseParser
from tests.providers.openai_events import REASONED, delta, events, piece, plain
from tests.wire.chunks import spelled_out


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
    called = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    delta = called if native.startswith("tool_") else {}
    got = piece(json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": native}]}))
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


def test_arguments_that_are_an_object_become_a_text() -> None:
    made = '{"index":0,"id":"c","function":{"name":"f","arguments":{"a" : "\\u00e9"}}}'
    calls = json.loads(delta(f'{{"tool_calls":[{made}]}}')["tool_calls"])
    function = {"name": "f", "arguments": '{"a" : "\\u00e9"}'}
    assert calls == [{"index": 0, "id": "c", "function": function}]


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
    chunk = spelled_out(decoder.feed(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'))
    assert chunk.pieces[0].finish_reason == "stop"


def test_a_stop_after_tool_calls_is_told_as_tool_calls() -> None:
    decoder = OpenAiDecoder()
    decoder.feed(b'{"choices":[{"delta":{"tool_calls":[{"id":"c1"}]}}]}')
    chunk = spelled_out(decoder.feed(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'))
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


SAYS = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'


@pytest.mark.parametrize(
    "event",
    [
        b'{"choices":[{"index":0,"delta":{"content":""}}]}',
        b'{"choices":[{"index":0,"delta":{"content":null}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a","x":1}}]}',
        b'{"choices":[{"index":0,"delta":{"reasoning":"a"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]}}]}',
        b'{"choices":[{"delta":{"content":"a"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}',
        b'{"choices":[{"index":0,"delta":{"content":"a"}}],"error":{"message":"no"}}',
        b'{"choices":[{"index":0,"delta":{"content":"a"}}],"service_tier":"flex"}',
    ],
)
def test_only_plain_text_has_the_short_form(event: bytes) -> None:
    decoder = OpenAiDecoder()
    assert isinstance(decoder.feed(SAYS), Chunk)
    assert isinstance(decoder.feed(SAYS), Text)
    assert not isinstance(decoder.feed(event), Text)


@pytest.mark.parametrize(
    "event",
    [
        b'{"choices":[{"index":0,"delta":{"role":"assistant","content":"b"}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"b","refusal":null}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"b"},"logprobs":null,"error":null}]}',
        b'{"choices":[{"index":0,"delta":{"content":"b"}}],"usage":null,"error":null}',
        b'{"choices":[{"index":0,"delta":{"content" : "b"}}]}',
        b'{"x":"b","choices":[{"index":0,"delta":{"content":"b"}}]}',
    ],
)
def test_what_says_nothing_beside_text_leaves_it_the_short_form(event: bytes) -> None:
    decoder = OpenAiDecoder()
    decoder.feed(SAYS)
    assert [decoder.feed(event) for _ in range(3)] == [Text(0, b'"b"')] * 3


FIRST = (b'{"choices":[{"index":0,"delta":{"content":', b"}}]}")
AROUND = st.sampled_from([
    (b'{"choices":[{"index":0,"delta":{"content":', b"}}]}"),
    (b'{"choices":[{"index":1,"delta":{"content":', b"}}]}"),
    (b'{"choices":[{"index":0,"delta":{"content": ', b' },"finish_reason":null}],"usage":null}'),
    (b'{"choices":[{"index":0,"delta":{"content":"a","content":', b"}}]}"),
    (b'{"service_tier":"flex","choices":[{"index":0,"delta":{"content":', b"}}]}"),
    (b'{"id":"a","choices":[{"index":0,"delta":{"role":"assistant","content":', b"}}]}"),
    (b'{"choices":[{"index":0,"delta":{"reasoning":', b"}}]}"),
    (b'{"choices":[{"index":0,"delta":{"content":"a"}}],"error":', b"}"),
])  # fmt: skip
ODD_ONES = [
    b'"a"', b'"b"', b'""', b"null", b"1", b"[]", b"", b'"', b'"""', b'"a" ', b' "a"', b'"a\n"',
    b'"\\"', b'"\\\\"', b'"\\""', b'"\xff"', b'"\\ud800"', b'"\\u00e9"', b'"}}]}',
    b'"a","x":"b"', b'"a"}},{"index":1}]}',
]  # fmt: skip
INNER, ODD = st.text().map(msgspec.json.encode), st.sampled_from(ODD_ONES)


def outcome(decoder: OpenAiDecoder, event: bytes) -> object:
    try:
        return spelled_out(chunk) if (chunk := decoder.feed(event)) is not None else None
    except ValueError:
        return ValueError


def read_with_a_twin(events: list[bytes]) -> None:
    """White space at the end of each event differs, so that the twin finds no repetition."""
    decoder, twin = OpenAiDecoder(), OpenAiDecoder()
    for number, event in enumerate([b'"b"'.join(FIRST), *events]):
        assert outcome(decoder, event) == outcome(twin, event + b" " * (number + 1))


@given(AROUND, AROUND, st.lists(st.tuples(st.booleans(), INNER | ODD), max_size=8))
def test_a_stream_that_repeats_itself_reads_as_one_that_does_not(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes], said: list[tuple[bool, bytes]]
) -> None:
    events = [content.join(one if first else other) for first, content in said]
    read_with_a_twin([b'"b"'.join(one), *events])


@pytest.mark.parametrize("content", ODD_ONES)
def test_what_stands_in_the_place_of_text_is_text_only_if_it_is_a_string(content: bytes) -> None:
    read_with_a_twin([b'"b"'.join(FIRST), content.join(FIRST)])


def seen_as_read(events: list[bytes]) -> Text | None:
    """Return what of some events is known at sight, which must be what reading them gives."""
    decoder, twin = OpenAiDecoder(), OpenAiDecoder()
    for one in (decoder, twin):
        one.feed(SAYS)
        one.feed(b'"b"'.join(FIRST))
    data = b"".join([BEFORE + event + AFTER for event in events])
    seen = decoder.glance(data)
    assert seen is None or [twin.feed(event) for event in SseParser().feed(data)] == [seen]
    return seen


def test_a_text_in_its_frame_is_known_at_sight() -> None:
    event = b'"b"'.join(FIRST)
    assert seen_as_read([event]) == Text(0, b'"b"')
    assert seen_as_read([event, event]) is None


@pytest.mark.parametrize("content", ODD_ONES)
def test_what_is_known_at_sight_is_a_string(content: bytes) -> None:
    seen_as_read([content.join(FIRST)])


@given(st.lists(st.tuples(st.just(FIRST) | AROUND, INNER | ODD), min_size=1, max_size=3))
def test_what_is_known_at_sight_is_what_would_be_read(
    said: list[tuple[tuple[bytes, bytes], bytes]],
) -> None:
    seen_as_read([content.join(around) for around, content in said])


def test_a_service_tier_that_changes_is_told_though_the_text_repeats_itself() -> None:
    flex = (b'{"service_tier":"flex","choices":[{"index":0,"delta":{"content":', b"}}]}")
    read_with_a_twin([b'"b"'.join(around) for around in (flex, flex, FIRST, FIRST, flex, flex)])


def test_a_frame_is_taken_only_where_the_place_of_the_text_is_sure() -> None:
    event = b'{"id":"%b","choices":[{"index":0,"delta":{"content":"x"}}]}'
    read_with_a_twin([event % name for name in (b"w", b"x", b"y", b"z")])
    last = b'{"choices":[{"index":0,"delta":{"content":"x"}}],"id":"%b"}'
    read_with_a_twin([last % name for name in (b"w", b"x", b"y", b"z")])


def test_a_stream_that_never_repeats_itself_is_read_to_its_end() -> None:
    event = b'{"choices":[{"index":0,"delta":{"content":"x"}}],"obfuscation":"%d"}'
    read_with_a_twin([event % number for number in range(MOST_FRAMES + 3)])
