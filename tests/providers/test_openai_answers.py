"""Answers and stream events as the providers write them, and as no provider should."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.providers.openai.answers import OpenAiDecoder, read_answer
from dragoman.wire.hub import Answer, Chunk, StreamFault, Text
from dragoman.wire.usage import Usage
from tests.providers.openai_events import REASONED, feed, piece, plain


def test_an_ordinary_event_of_openai() -> None:
    chunk = feed(
        '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o",'
        '"service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,'
        '"delta":{"content":" h\\u00e9llo"},"logprobs":null,"finish_reason":null}],'
        '"usage":null,"obfuscation":"x"}'
    )
    assert chunk is not None
    assert plain(chunk.pieces[0].delta) == {"content": '" h\\u00e9llo"'}
    assert chunk.pieces[0].logprobs is None
    assert chunk.pieces[0].finish_reason is None
    assert chunk.usage is None
    assert chunk.fault is None
    assert (chunk.upstream_id, chunk.service_tier) == ("chatcmpl-1", "default")
    assert chunk.system_fingerprint == "fp_1"


@pytest.mark.parametrize(
    "data",
    [
        "[DONE]",
        "{}",
        '{"type":"ping"}',
        '{"message":"hello"}',
        '{"choices":[]}',
        '{"choices":null}',
        '{"choices":[{"index":0,"delta":{}}]}',
        '{"choices":[{"index":0,"delta":null,"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":""}]}',
        '{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}',
        '{"choices":[7,null,"x"]}',
        '{"id":"","choices":[],"usage":null,"error":null,"x_groq":{"id":"req_1"}}',
    ],
)
def test_an_event_that_adds_nothing_is_none(data: str) -> None:
    assert feed(data) is None


def test_a_message_in_place_of_a_delta_is_taken() -> None:
    got = piece('{"choices":[{"message":{"role":"assistant","content":"all"}}]}')
    assert (got.index, plain(got.delta)) == (0, {"content": '"all"'})


def test_choices_without_an_index_count_by_position() -> None:
    chunk = feed('{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"},"index":null}]}')
    assert chunk is not None
    assert [p.index for p in chunk.pieces] == [0, 1]


def test_logprobs_alone_are_passed_on() -> None:
    got = piece('{"choices":[{"index":2,"delta":{},"logprobs":{"content":[]}}]}')
    assert (got.index, got.logprobs) == (2, msgspec.Raw(b'{"content":[]}'))


@pytest.mark.parametrize(
    "data",
    [
        '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}',
        '{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":4,"completion_tokens":6}}',
        '{"usage":{"prompt_tokens":4,"completion_tokens":6}}',
        '{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":4,"completion_tokens":6}}}',
        '{"choices":[{"delta":{},"usage":{"prompt_tokens":4,"completion_tokens":6}}]}',
        '{"choices":[{"index":"x","usage":{"prompt_tokens":4,"completion_tokens":6}}]}',
    ],
)
def test_usage_is_read_wherever_it_stands(data: str) -> None:
    chunk = feed(data)
    assert chunk is not None
    assert chunk.usage == Usage(prompt=4, completion=6)


def test_one_of_several_choices_does_not_tell_the_usage_of_all() -> None:
    told = '"finish_reason":"stop","usage":{"prompt_tokens":4,"completion_tokens":6}'
    chunk = feed(f'{{"choices":[{{"index":0,{told}}},{{"index":1,{told}}}]}}')
    assert chunk is not None
    assert chunk.usage is None


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity"])
def test_numbers_that_json_does_not_have_are_null(number: str) -> None:
    chunk = feed(
        f'{{"choices":[{{"delta":{{"content":"a"}}}}],'
        f'"usage":{{"prompt_tokens":{number},"completion_tokens":6}}}}'
    )
    assert chunk is not None
    assert plain(chunk.pieces[0].delta) == {"content": '"a"'}
    assert chunk.usage == Usage(completion=6, source="estimated")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (
            '{"error":{"message":"busy","type":"overloaded_error"}}',
            StreamFault(None, "overloaded_error", "busy"),
        ),
        ('{"error":"busy"}', StreamFault(None, None, "busy")),
        (
            '{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502,"message":"gone"}}',
            StreamFault(502, None, "gone"),
        ),
        (
            '{"choices":[{"index":0,"delta":{},"error":{"code":429,"message":"slow"}}]}',
            StreamFault(429, None, "slow"),
        ),
        (
            '{"choices":[],"x_groq":{"id":"r","error":"over"}}',
            StreamFault(None, None, "over"),
        ),
        (
            '{"object":"error","message":"too long","type":"BadRequestError","code":400}',
            StreamFault(400, "BadRequestError", "too long"),
        ),
        ('{"detail":"Not Found"}', StreamFault(None, None, "Not Found")),
    ],
)
def test_an_error_inside_a_stream_or_a_success_is_a_fault(data: str, fault: StreamFault) -> None:
    chunk = feed(data)
    assert chunk is not None
    assert chunk.fault == fault
    assert read_answer(data.encode()).fault == fault


def test_no_error_is_no_fault() -> None:
    for nothing in ("null", "false", '""', "{}", "[]"):
        chunk = feed(
            f'{{"error":{nothing},"x_groq":{{"error":{nothing}}},'
            f'"choices":[{{"delta":{{"content":"a"}},"error":{nothing}}}]}}'
        )
        assert chunk is not None
        assert chunk.fault is None


def test_a_member_of_the_wrong_type_is_lost_alone() -> None:
    chunk = feed(
        '{"id":7,"service_tier":{},"system_fingerprint":true,"x_groq":"x","choices":['
        '{"index":"0","delta":{"content":"a"},"finish_reason":12,"logprobs":[]},'
        '{"index":1,"delta":"b","message":{"content":"c"},"finish_reason":false}]}'
    )
    assert chunk is not None
    assert (chunk.upstream_id, chunk.service_tier, chunk.system_fingerprint) == ("7", None, None)
    first, second = chunk.pieces
    assert (first.index, plain(first.delta)) == (0, {"content": '"a"'})
    assert (first.finish_reason, first.native_finish_reason) == ("stop", "12")
    assert (second.index, plain(second.delta)) == (1, {"content": '"c"'})
    assert second.finish_reason is None


NONSENSE = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"<html>",
    b"{",
    b'{"choices":[',
    b"{NaN}",
    b'{"a":"\xff"}',
    b'{"a":"NaN\xff"}',
    b"[" * 100_000,
    b'{"a":' + b"[" * 100_000,
    b'{"id":7,"a":' + b"[" * 100_000,
    b'{"a":NaN,"b":' + b"[" * 100_000,
    b'data: {"choices":[]}\n\n',
]


@pytest.mark.parametrize("data", NONSENSE)
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the contract promises no more
        OpenAiDecoder().feed(data)
    with pytest.raises(ValueError):  # noqa: PT011
        read_answer(data)


def test_a_whole_answer() -> None:
    answer = read_answer(
        b'{"id":"c1","object":"chat.completion","created":1,"model":"m","service_tier":"flex",'
        b'"system_fingerprint":"fp","choices":[{"index":0,"finish_reason":"stop","logprobs":null,'
        b'"message":{"role":"assistant","content":"hi","refusal":null,"annotations":[],'
        b'"reasoning_content":"hm"}}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
    )
    (choice,) = answer.choices
    assert plain(choice.message) == {
        "role": '"assistant"',
        "content": '"hi"',
        "annotations": "[]",
        "reasoning": '"hm"',
        "reasoning_details": REASONED,
    }
    assert (choice.index, choice.finish_reason, choice.native_finish_reason) == (0, "stop", "stop")
    assert choice.logprobs is None
    assert answer.usage == Usage(prompt=1, completion=2)
    assert (answer.upstream_id, answer.service_tier) == ("c1", "flex")
    assert answer.system_fingerprint == "fp"
    assert answer.fault is None


def test_arguments_that_are_an_object_become_a_text() -> None:
    made = '{"id":"c","type":"function","function":{"name":"f","arguments":{"a":1}}}'
    answer = read_answer(f'{{"choices":[{{"message":{{"tool_calls":[{made}]}}}}]}}'.encode())
    calls = msgspec.json.decode(answer.choices[0].message["tool_calls"])
    assert calls[0]["function"] == {"name": "f", "arguments": '{"a":1}'}


@pytest.mark.parametrize("id_", ["", '"id":"",', '"id":null,'])
def test_a_call_without_an_id_gets_one_that_stays_the_same(id_: str) -> None:
    """A client sends it back with the result, and an id that is empty names no call."""
    calls = f'[{{{id_}"function":{{"name":"f"}}}},{{{id_}"function":{{"name":"f"}}}},{{"id":"c"}}]'
    body = f'{{"id":"x","choices":[{{"message":{{"tool_calls":{calls}}}}}]}}'.encode()
    found = json.loads(bytes(read_answer(body).choices[0].message["tool_calls"]))
    first, second, third = (call["id"] for call in found)
    assert first.startswith("call_")
    assert second.startswith("call_")
    assert first != second
    assert third == "c"
    assert found == json.loads(bytes(read_answer(body).choices[0].message["tool_calls"]))


@pytest.mark.parametrize("calls", ['"x"', "[1]", '[{"id":5}]'])
def test_odd_tool_calls_of_an_answer_are_left_alone(calls: str) -> None:
    body = f'{{"choices":[{{"message":{{"tool_calls":{calls}}}}}]}}'.encode()
    assert bytes(read_answer(body).choices[0].message["tool_calls"]) == calls.encode()


def test_an_answer_with_tool_calls_finishes_with_tool_calls() -> None:
    answer = read_answer(
        b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]},"finish_reason":"stop"}]}'
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].native_finish_reason == "stop"


def test_a_delta_in_place_of_a_message_is_taken() -> None:
    answer = read_answer(b'{"choices":[{"delta":{"content":"all"},"finish_reason":""}]}')
    choice = answer.choices[0]
    assert plain(choice.message) == {"content": '"all"'}
    assert (choice.finish_reason, choice.native_finish_reason) == (None, None)


def test_choices_of_an_answer_keep_their_places() -> None:
    answer = read_answer(
        b'{"choices":[{"message":{"content":"a"}},{"index":5,"message":{"content":"b"}}]}'
    )
    assert [(c.index, c.finish_reason) for c in answer.choices] == [(0, None), (5, None)]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":[{"message":null}]}']
)
def test_an_answer_without_choices_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="without choices"):
        read_answer(body)


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_keys = st.sampled_from(
    ["id", "choices", "usage", "error", "service_tier", "x_groq", "index", "delta", "message",
     "finish_reason", "logprobs", "content", "role", "reasoning_content", "tool_calls", "type",
     "thinking", "text", "code", "detail", "prompt_tokens", "system_fingerprint"]
)  # fmt: skip
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=20,
)


@given(st.binary() | _trees.map(lambda tree: json.dumps(tree).encode()))
@example(b'{"choices":[{"delta":{"content":[{"type":"text","text":7}]}}]}')
def test_any_bytes_are_read_or_refused_with_a_value_error(data: bytes) -> None:
    for read in (OpenAiDecoder().feed, read_answer):
        try:
            got: Chunk | Text | Answer | None = read(data)
        except ValueError:
            continue
        assert got is None or msgspec.json.encode(got)


def test_a_role_of_null_is_no_role() -> None:
    answer = read_answer(b'{"choices":[{"message":{"role":null,"content":"a"}}]}')
    assert plain(answer.choices[0].message) == {"content": '"a"'}
