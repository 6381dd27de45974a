"""The order of an answer: a whole one tells blocks and items as its stream would."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.message import blocks_of
from dragoman.wire.hub import Choice, Chunk, Piece, Step, Text
from dragoman.wire.order import Course, at_once, parts_of
from dragoman.wire.responses.dialect import RESPONSES
from tests.wire import responses_calls, responses_events
from tests.wire.messages_told import SPENT, gathered, message_of, told, written
from tests.wire.responses_events import delta, fragment

SIGNED = "anthropic-claude-v1"
Turn = tuple[str, str]


def thought(index: int, text: str) -> Chunk:
    detail = {
        "type": "reasoning.text", "text": text, "signature": f"s{index}", "format": SIGNED,
        "index": index,
    }  # fmt: skip
    return delta(reasoning=text, reasoning_details=[detail])


def chunks(turns: Sequence[Turn]) -> list[Chunk | Text]:
    """Return the stream of an answer that thinks, speaks and calls in this order."""
    found: list[Chunk | Text] = []
    calls = 0
    for place, (kind, text) in enumerate(turns):
        if kind == "thought":
            found.append(thought(place, text))
        elif kind == "text":
            found.append(Text(0, json.dumps(text).encode()))
        else:
            found.append(delta(content=None, tool_calls=[fragment(calls, "f", '{"a":')]))
            found.append(delta(tool_calls=[fragment(calls, arguments=f"{json.dumps(text)}}}")]))
            calls += 1
    ended = Piece(index=0, delta={}, finish_reason="tool_calls" if calls else "stop")
    return [*found, Chunk(pieces=(ended,))]


def plain(blocks: Any) -> Any:
    """Return blocks less what only one of the two ways of telling has."""
    blocks = json.loads(msgspec.json.encode(blocks))
    return [
        {name: value for name, value in block.items() if name not in {"id", "citations"}}
        for block in blocks
    ]


TURNS = st.lists(
    st.tuples(st.sampled_from(["thought", "text", "call"]), st.text("aé\n😀", min_size=1)),
    min_size=1,
    max_size=9,
)


@given(TURNS)
def test_messages_clients_are_told_the_same_whole_and_streamed(turns: list[Turn]) -> None:
    stream = message_of(written(chunks(turns)))
    answer = gathered(chunks(turns))
    whole = json.loads(MESSAGES.answer(told(), answer, SPENT, b""))
    assert plain(whole["content"]) == plain(stream["content"])


@given(TURNS)
def test_responses_clients_are_told_the_same_whole_and_streamed(turns: list[Turn]) -> None:
    asked = responses_calls.call()
    stream = responses_events.write(asked, *chunks(turns))[-1]["response"]["output"]
    answer = gathered(chunks(turns))
    body = RESPONSES.answer(responses_calls.told(asked), answer, SPENT, b"")
    assert plain(json.loads(body)["output"]) == plain(stream)


BETWEEN: tuple[Step, ...] = (
    ("content", 2), ("reasoning_details", 1), ("content", 1), ("content", 1), ("tool_calls", 1),
)  # fmt: skip
MESSAGE = {
    "role": Raw(b'"assistant"'),
    "content": Raw(b'"a\\u00e9cd"'),
    "reasoning_details": Raw(b'[{"type":"reasoning.text","text":"hm"}]'),
    "tool_calls": Raw(b'[{"function":{"name":"f","arguments":"{}"}}]'),
    "annotations": Raw(b"[1]"),
}


def choice(
    steps: tuple[Step, ...] = BETWEEN, logprobs: Raw | None = None, **other: bytes
) -> Choice:
    message = MESSAGE | {name: Raw(value) for name, value in other.items()}
    return Choice(
        index=0,
        message={name: value for name, value in message.items() if value},
        finish_reason="stop",
        native_finish_reason=None,
        logprobs=logprobs,
        steps=steps,
    )


def test_a_message_comes_apart_where_its_order_says_so() -> None:
    first, second = parts_of(choice())
    assert json.loads(msgspec.json.encode(first)) == {"content": "aé"}
    assert json.loads(msgspec.json.encode(second)) == {
        "role": "assistant",
        "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        "content": "cd",
        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
        "annotations": [1],
    }


def test_without_its_thoughts_it_is_one_part() -> None:
    """Those who do not want to see them have them taken out of the message."""
    (only,) = parts_of(choice(reasoning_details=b""))
    assert msgspec.json.decode(only["content"]) == "aécd"
    (empty,) = parts_of(choice((("content", 4),), content=b""))
    assert "content" not in empty


def test_thoughts_that_are_but_a_text_come_first() -> None:
    steps = (("tool_calls", 1), ("content", 4))
    first, second = parts_of(choice(steps, reasoning_details=b"", reasoning=b'"hm"'))
    assert [*first] == ["tool_calls", "reasoning"]
    assert "reasoning" not in second


def test_what_has_no_order_is_told_with_the_text_or_at_the_end() -> None:
    steps = (("tool_calls", 1), ("reasoning_details", 1))
    parts = parts_of(choice(steps, content=b""))
    assert [[*part] for part in parts] == [
        ["tool_calls"],
        ["reasoning_details", "role", "annotations"],
    ]


@pytest.mark.parametrize(
    "odd",
    [
        choice(()),
        choice(logprobs=Raw(b"{}")),
        choice(content=b'"another"'),
        choice(content=b"null"),
        choice(reasoning_details=b"{}"),
        choice((*BETWEEN, ("tool_calls", 1))),
    ],
)
def test_a_message_that_the_steps_do_not_speak_of_stays_whole(odd: Choice) -> None:
    assert parts_of(odd) == (odd.message,)


def test_calls_without_ids_are_numbered_through() -> None:
    steps = (("tool_calls", 1), ("content", 4), ("tool_calls", 1))
    calls = b'[{"function":{"name":"f"}},{"function":{"name":"g"}}]'
    blocks = blocks_of(told(), choice(steps, tool_calls=calls, reasoning_details=b""))
    assert [block.get("id") for block in blocks] == ["toolu_abc_0", None, "toolu_abc_1"]


def test_the_usual_order_is_not_taken_down() -> None:
    course = Course()
    course.rows("reasoning_details")
    course.text(Raw(b'"a"'))
    course.rows("images", 0)
    course.rows("tool_calls", 2)
    assert course.steps() == ()
    course.text(Raw(b'"b\\n"'))
    assert course.steps()[2:] == (("tool_calls", 2), ("content", 2))


def test_an_answer_of_very_many_turns_is_told_thoughts_first() -> None:
    turns = [("thought", "a"), ("text", "b")] * 600
    (found,) = gathered(chunks(turns)).choices
    assert found.steps == ()
    (found,) = gathered(chunks(turns[:1000])).choices
    assert len(found.steps) == 1000


def calls_to_tell(turns: int) -> int:
    """Return how many calls it takes to gather an answer of so many turns, and to take it apart."""
    said = chunks([("thought", "a"), ("text", "b")] * turns)
    counted: Counter[str] = Counter()
    sys.setprofile(lambda _, event, __: counted.update((event,)))
    try:
        (found,) = gathered(said).choices
        parts = parts_of(found)
    finally:
        sys.setprofile(None)
    assert len(parts) == turns
    return counted["call"] + counted["c_call"]


def test_an_answer_of_twice_the_turns_takes_twice_the_work() -> None:
    assert calls_to_tell(200) < 2.5 * calls_to_tell(100)


def test_calls_without_a_reason_end_as_calls() -> None:
    """As they do in an answer that comes whole."""
    (found,) = gathered([delta(tool_calls=[fragment(0, "f", "{}")])]).choices
    assert found.finish_reason == "tool_calls"


def test_images_between_texts_are_counted_and_what_is_no_list_is_not() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    told_so: list[Chunk | Text] = [
        Text(0, b'"a"'),
        delta(images=[image]),
        delta(images=[]),
        Text(0, b'"b"'),
    ]
    (found,) = gathered(told_so).choices
    assert found.steps == (("content", 1), ("images", 1), ("content", 1))
    (odd,) = gathered([Text(0, b'"a"'), delta(reasoning_details=3), Text(0, b'"b"')]).choices
    assert odd.steps == ()


ANSWERS: dict[str, Any] = {
    "anthropic": {
        "id": "msg_1",
        "content": [
            {"type": "thinking", "thinking": "one", "signature": "s1"},
            {"type": "text", "text": "a"},
            {"type": "thinking", "thinking": "two", "signature": "s2"},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
            {"type": "redacted_thinking", "data": "xx"},
            {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
        ],
        "stop_reason": "tool_use",
    },
    "bedrock": {
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "one", "signature": "s1"}}},
            {"text": "a"},
            {"reasoningContent": {"reasoningText": {"text": "two", "signature": "s2"}}},
            {"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}},
            {"reasoningContent": {"redactedContent": "xx"}},
            {"toolUse": {"toolUseId": "c2", "name": "f", "input": {}}},
        ]}},
        "stopReason": "tool_use",
    },
    "responses": {
        "status": "completed",
        "output": [
            {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "one"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "reasoning", "id": "r2", "summary": [{"type": "summary_text", "text": "two"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "reasoning", "id": "r3", "encrypted_content": "xx"},
            {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
        ],
    },
    "gemini": {"candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"text": "one", "thought": True},
        {"text": "a"},
        {"text": "two", "thought": True},
        {"functionCall": {"id": "c1", "name": "f", "args": {}}},
        {"functionCall": {"id": "c2", "name": "f", "args": {}}, "thoughtSignature": "xx"},
    ]}}]},
}  # fmt: skip


@pytest.mark.parametrize("dialect", ANSWERS)
def test_whole_answers_of_every_provider_that_thinks_between_keep_their_order(
    dialect: str,
) -> None:
    (found,) = DIALECTS[dialect].answer(json.dumps(ANSWERS[dialect]).encode()).choices
    blocks = blocks_of(told(), found)
    said = [block.get("thinking") or block.get("text") or block.get("id") for block in blocks]
    assert said == ["one", "a", "two", "c1", None, "c2"]
    assert blocks[4]["type"] == "redacted_thinking"


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_a_host_that_answers_whole_where_a_stream_was_asked_for_is_told_in_order(
    dialect: str,
) -> None:
    answer = DIALECTS[dialect].answer(json.dumps(ANSWERS[dialect]).encode())
    streamed = message_of(written([at_once(answer)]))["content"]
    assert plain(streamed) == plain(blocks_of(told(), answer.choices[0]))


def test_a_host_of_responses_that_tells_all_at_the_end_is_told_in_order() -> None:
    decoder = DIALECTS["responses"].decoder()
    event = {"type": "response.completed", "response": ANSWERS["responses"]}
    chunk = decoder.feed(json.dumps(event).encode())
    assert chunk is not None
    answer = DIALECTS["responses"].answer(json.dumps(ANSWERS["responses"]).encode())
    streamed = message_of(written([chunk]))["content"]
    assert plain(streamed) == plain(blocks_of(told(), answer.choices[0]))
