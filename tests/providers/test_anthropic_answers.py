"""Whole answers of Anthropic's in the hub's form, and what holds of any answer."""

import json
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.anthropic.answers import read_answer
from dragoman.providers.registry import DIALECTS
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, StreamFault, Text
from dragoman.wire.usage import Usage
from tests.providers.anthropic_calls import HI, call, messages, write

DIALECT = DIALECTS["anthropic"]
USAGE = {"input_tokens": 10, "output_tokens": 5}


def body(*content: Any, **members: Any) -> bytes:
    """A whole answer, which Anthropic's own SDK reads."""
    tree = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": list(content), "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE,
        **members,
    }  # fmt: skip
    return json.dumps(tree).encode()


def message(answer: Answer) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in answer.choices[0].message.items()}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_a_plain_answer() -> None:
    source = body(text("hel"), text("lo"), usage={**USAGE, "service_tier": "priority"})
    answer = read_answer(source)
    assert message(answer) == {"role": "assistant", "content": "hello"}
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].native_finish_reason == "end_turn"
    assert answer.usage == Usage(prompt=10, completion=5)
    assert (answer.upstream_id, answer.service_tier) == ("msg_1", "priority")
    assert answer.native == source


def test_bytes_of_a_text_are_kept() -> None:
    source = b'{"content":[{"type":"text","text":"\\u00e9"}],"stop_reason":"end_turn"}'
    assert bytes(read_answer(source).choices[0].message["content"]) == b'"\\u00e9"'


def test_calls_and_thoughts() -> None:
    answer = read_answer(
        body(
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "thinking", "thinking": "", "signature": "t"},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "é"}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
            stop_reason="tool_use",
        )
    )
    common = {"format": "anthropic-claude-v1"}
    assert message(answer) == {
        "role": "assistant",
        "reasoning": "hm",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "signature": "s", **common, "index": 0},
            {"type": "reasoning.encrypted", "data": "d", **common, "index": 1},
            {"type": "reasoning.text", "text": "", "signature": "t", **common, "index": 2},
        ],
        "tool_calls": [
            {"index": 0, "id": "t1", "type": "function",
             "function": {"name": "f", "arguments": '{"a": "\\u00e9"}'}},
            {"index": 1, "id": "t2", "type": "function",
             "function": {"name": "g", "arguments": "{}"}},
        ],
    }  # fmt: skip
    assert answer.choices[0].finish_reason == "tool_calls"


def test_an_answer_that_says_nothing() -> None:
    answer = read_answer(body())
    assert message(answer) == {"role": "assistant"}
    assert answer.choices[0].finish_reason == "stop"
    odd = read_answer(b'{"content":[{"type":"thinking"},{"type":"redacted_thinking"}]}')
    assert message(odd) == {"role": "assistant"}
    assert odd.choices[0].finish_reason is None


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": {}}])
def test_a_call_without_input_is_a_call_with_none(given: dict[str, Any]) -> None:
    answer = read_answer(body({"type": "tool_use", "id": "t", "name": "f", **given}))
    assert message(answer)["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_what_the_provider_ran_itself_has_no_words_in_the_hub() -> None:
    answer = read_answer(
        body(
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            text("so"),
            usage={**USAGE, "server_tool_use": {"web_search_requests": 2}},
        )
    )
    assert message(answer) == {"role": "assistant", "content": "so"}
    assert answer.usage == Usage(prompt=10, completion=5, searches=2)


def test_a_refusal_and_its_reason() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    answer = read_answer(body(stop_reason="refusal", stop_details=details))
    assert message(answer) == {"role": "assistant", "refusal": "No."}
    assert answer.choices[0].finish_reason == "content_filter"


def test_an_error_in_the_place_of_an_answer() -> None:
    source = b'{"type":"error","error":{"type":"api_error","message":"Oops"}}'
    fault = StreamFault(status=None, code="api_error", message="Oops")
    assert read_answer(source) == Answer(choices=(), fault=fault)
    assert read_answer(source[:-1] + b',"id":"msg_1"}').upstream_id == "msg_1"


def test_a_tier_that_is_no_word_is_none() -> None:
    assert read_answer(body(usage={**USAGE, "service_tier": 7})).service_tier is None
    assert read_answer(body(usage={**USAGE, "service_tier": "standard"})).service_tier == "default"
    assert read_answer(body(usage=None)).usage is None


@pytest.mark.parametrize(
    "source",
    [
        b"", b"{}", b"[]", b"<html>", b'{"content":null}', b'{"content":"a"}', b'{"content":[7]}',
        b'{"content":[{}]}', b'{"content":[{"type":"text"}]}',
        b'{"content":[{"type":"text","text":7}]}', b'{"content":[{"type":"text","text":"\xff"}]}',
        b'{"content":[{"type":"tool_use","id":"a"}]}',
        b'{"content":[{"type":"tool_use","id":7,"name":"f"}]}', b'{"content":' + b"[" * 100_000,
        b'{"content":[{"type":"thinking","thinking":[]}]}', b'{"content":[],"model":"\xff"}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_value_error(source: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (nonsense has many messages)
        read_answer(source)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
plain_values = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | words
inputs = st.dictionaries(words, plain_values | st.lists(plain_values, max_size=2), max_size=3)
thoughts = st.builds(
    lambda thinking, signature: {"type": "thinking", "thinking": thinking, "signature": signature},
    st.just("") | words, words,
) | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, words)  # fmt: skip
uses = st.builds(
    lambda place, told: {"type": "tool_use", "id": f"toolu_{place}", "name": "f", "input": told},
    st.integers(0, 10**6), inputs,
)  # fmt: skip
texts = st.builds(text, words.filter(lambda said: bool(said.strip())))


@st.composite
def contents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Blocks as a model of the family gives them: thoughts anywhere, one text before the calls."""
    said = draw(st.lists(texts, max_size=1)) + draw(st.lists(uses, max_size=3))
    for thought in draw(st.lists(thoughts, max_size=3)):
        said.insert(draw(st.integers(0, len(said))), thought)
    return said


def streamed(content: list[dict[str, Any]], cut: int) -> bytes:
    """The events in which the blocks would come, each text and input in pieces of `cut`."""
    begun = json.loads(body(stop_reason=None))
    found: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    parts = {"text": ("text", "text_delta"), "thinking": ("thinking", "thinking_delta")}
    for index, block in enumerate(content):
        empty = {"text": "", "thinking": "", "signature": "", "input": {}}
        start = {k: empty.get(k, v) for k, v in block.items()}
        found.append({"type": "content_block_start", "index": index, "content_block": start})
        deltas: list[dict[str, Any]] = []
        if block["type"] in parts:
            name, kind = parts[block["type"]]
            deltas += [{"type": kind, name: piece} for piece in pieces(block[name], cut)]
        if block["type"] == "thinking":
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        if block.get("input"):
            source = json.dumps(block["input"])
            kind = "input_json_delta"
            deltas += [{"type": kind, "partial_json": piece} for piece in pieces(source, cut)]
        found += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        found.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    found.append({"type": "message_delta", "delta": ended, "usage": USAGE})
    found.append({"type": "message_stop"})
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in found
    )


def pieces(source: str, cut: int) -> list[str]:
    return [source[place : place + cut] for place in range(0, len(source), cut)]


def gathered(stream: bytes, cut: int) -> Answer:
    parser, decoder, gathering = DIALECT.parser(), DIALECT.decoder(), Gathering()
    for place in range(0, len(stream), cut):
        for event in parser.feed(stream[place : place + cut]):
            chunk = decoder.feed(event)
            if isinstance(chunk, Text):
                gathering.hear(chunk)
            elif chunk is not None:
                gathering.see(chunk)
    return gathering.answer()


def comparable(answer: Answer) -> Any:
    found = message(answer)
    for each in found.get("tool_calls", []):
        each.pop("index", None)
        each["function"]["arguments"] = json.loads(each["function"]["arguments"])
    for each in found.get("reasoning_details", []):
        if not each.get("text"):
            each.pop("text", None)
    return found, answer.choices[0].finish_reason, answer.usage


@given(contents(), st.integers(1, 9), st.integers(1, 64))
def test_a_stream_says_what_the_whole_answer_says(
    content: list[dict[str, Any]], cut: int, network: int
) -> None:
    source = body(*content)
    Message.model_validate_json(source)
    assert comparable(gathered(streamed(content, cut), network)) == comparable(read_answer(source))


@given(contents().filter(bool), st.integers(1, 9))
def test_what_a_model_said_goes_back_to_it_as_it_was(
    content: list[dict[str, Any]], cut: int
) -> None:
    """Hub and back is the identity: blocks, their order, signatures, inputs."""
    for answer in (read_answer(body(*content)), gathered(streamed(content, cut), 64)):
        sent = messages(write(call(HI, message(answer), HI, max_tokens=9)))
        back = next(turn["content"] for turn in sent if turn["role"] == "assistant")
        assert (back if isinstance(back, list) else [text(back)]) == content
