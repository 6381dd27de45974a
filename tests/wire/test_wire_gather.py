"""Gathering: a stream makes the whole answer that it would have been."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Piece, Text
from dragoman.wire.usage import Usage


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def piece(index: int = 0, finish: str | None = None, **delta: Any) -> Piece:
    return Piece(
        index=index,
        delta={name: raw(value) for name, value in delta.items()},
        finish_reason=finish,
        native_finish_reason=finish,
    )


def gathered(*pieces: Piece) -> Answer:
    gathering = Gathering()
    for each in pieces:
        gathering.see(Chunk(pieces=(each,)))
    return gathering.answer()


def message(*deltas: dict[str, Any]) -> Any:
    """Return the message that these deltas of one choice make."""
    (choice,) = gathered(*(piece(**delta) for delta in deltas)).choices
    return {n: json.loads(bytes(v)) for n, v in choice.message.items() if n != "role"}


def test_a_detail_whose_index_is_no_number_is_no_defect() -> None:
    odd = {"type": "reasoning.text", "text": "a", "index": [1]}
    assert details(odd, odd) == [odd | {"text": "aa"}]


def calls(*fragments: list[dict[str, Any]]) -> Any:
    return message(*({"tool_calls": each} for each in fragments))["tool_calls"]


def details(*fragments: dict[str, Any]) -> Any:
    return message(*({"reasoning_details": [each]} for each in fragments))["reasoning_details"]


@given(parts=st.lists(st.text(min_size=1), min_size=1), short=st.booleans())
def test_text_is_the_same_however_it_was_cut(parts: list[str], *, short: bool) -> None:
    gathering = Gathering()
    for part in parts:
        encoded = json.dumps(part, ensure_ascii=False).encode()
        if short:
            gathering.hear(Text(0, encoded))
        else:
            gathering.see(Chunk(pieces=(Piece(index=0, delta={"content": Raw(encoded)}),)))
    (choice,) = gathering.answer().choices
    assert json.loads(bytes(choice.message["content"])) == "".join(parts)


def test_a_character_that_was_cut_in_two_is_whole_again() -> None:
    gathering = Gathering()
    for half in (b'"\\ud83d"', b'"\\ude00"'):
        gathering.hear(Text(0, half))
    assert json.loads(bytes(gathering.answer().choices[0].message["content"])) == "😀"


@pytest.mark.parametrize("name", ["content", "reasoning", "refusal", "unheard_of"])
def test_texts_are_joined(name: str) -> None:
    assert message({name: "a"}, {"content": ""}, {name: 'b"\\n'})[name] == 'ab"\\n'


@pytest.mark.parametrize("name", ["annotations", "images", "unheard_of"])
def test_lists_are_joined(name: str) -> None:
    joined = message({name: [{"a": 1}]}, {name: []}, {name: [{"b": 2}, {"c": 3}]})[name]
    assert joined == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_of_what_cannot_be_joined_the_last_counts() -> None:
    assert message({"odd": 1}, {"odd": None}, {"odd": {"x": 2}})["odd"] == {"x": 2}
    assert message({"odd": None})["odd"] is None


def test_tool_calls_are_joined_by_their_index() -> None:
    found = calls(
        [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}],
        [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"'}}],
        [
            {"index": 1, "id": "", "function": {"name": "", "arguments": "{}"}},
            {"index": 0, "function": {"arguments": 'x":1}'}, "extra_content": {"sign": "s"}},
        ],
    )
    assert found == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "f", "arguments": '{"x":1}'},
            "extra_content": {"sign": "s"},
        },
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_a_name_that_is_repeated_is_said_once() -> None:
    (call,) = calls(*([{"index": 0, "function": {"name": "f", "arguments": "1"}}] for _ in "ab"))
    assert call["function"] == {"name": "f", "arguments": "11"}


def test_beside_tool_calls_an_empty_text_is_none() -> None:
    found = message({"content": ""}, {"tool_calls": [{"index": 0, "id": "a"}]})
    assert found == {"tool_calls": [{"id": "a"}]}
    assert message({"content": ""}) == {"content": ""}


@pytest.mark.parametrize("odd", ["x", [1], [{"index": "one"}], 7])
def test_odd_tool_calls_and_details_are_kept_somehow(odd: Any) -> None:
    assert message({"tool_calls": odd})["tool_calls"] == odd
    assert message({"audio": odd})["audio"] == odd
    message({"reasoning_details": odd}, {"reasoning_details": odd})


def test_reasoning_details_are_joined_by_type_and_index() -> None:
    def text(index: int | None, said: str, **more: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", "text": said, "index": index, **more}

    found = details(
        text(0, "a", signature=None),
        text(1, "x"),
        text(0, "b", signature="s"),
        {"type": "reasoning.encrypted", "data": "1", "index": 0},
        {"type": "reasoning.encrypted", "data": "2", "index": 0},
        {"type": "reasoning.summary", "summary": "p", "index": 0},
        {"type": "reasoning.summary", "summary": "q", "index": 0, "format": None},
    )
    assert found == [
        {"type": "reasoning.text", "text": "ab", "index": 0, "signature": "s"},
        {"type": "reasoning.text", "text": "x", "index": 1},
        {"type": "reasoning.encrypted", "data": "1", "index": 0},
        {"type": "reasoning.encrypted", "data": "2", "index": 0},
        {"type": "reasoning.summary", "summary": "pq", "index": 0, "format": None},
    ]


def test_details_without_an_index_go_on_with_the_one_before() -> None:
    found = details(
        {"type": "reasoning.text", "text": "a"},
        {"type": "reasoning.text", "text": "b"},
        {"type": "reasoning.encrypted", "data": "1"},
        {"type": "reasoning.text", "text": "c"},
    )
    assert [each.get("text") for each in found] == ["ab", None, "c"]


def test_a_recording_is_joined_before_it_is_encoded() -> None:
    parts = [b64encode(each).decode() for each in (b"a", b"bc")]
    found = message(
        {"audio": {"id": "au", "data": parts[0], "transcript": "He"}},
        {"audio": {"data": parts[1], "transcript": "y"}},
        {"audio": {"expires_at": 7}},
    )
    whole = {"id": "au", "data": b64encode(b"abc").decode(), "transcript": "Hey", "expires_at": 7}
    assert found["audio"] == whole
    assert message({"audio": {"data": "*"}}, {"audio": {"data": "-"}})["audio"] == {"data": "*-"}


def test_logprobs_are_joined_by_member() -> None:
    def scored(value: Any) -> Piece:
        return Piece(index=0, delta={"content": raw("x")}, logprobs=raw(value))

    def logprobs(*values: Any) -> Any:
        (choice,) = gathered(*map(scored, values)).choices
        return json.loads(bytes(choice.logprobs or b"null"))

    first, second = {"content": [1], "refusal": None}, {"content": [2, 3], "refusal": None}
    assert logprobs(first, second) == {"content": [1, 2, 3], "refusal": None}
    assert logprobs([1], [2]) == [2]
    assert gathered(piece(content="x")).choices[0].logprobs is None


def test_choices_are_apart_and_in_order() -> None:
    found = gathered(
        piece(1, content="b"), piece(content="a"), piece(1, "length"), piece(0, "stop")
    )
    assert [(c.index, bytes(c.message["content"]), c.finish_reason) for c in found.choices] == [
        (0, b'"a"', "stop"),
        (1, b'"b"', "length"),
    ]


def test_a_choice_is_complete_once_it_says_how_it_ended() -> None:
    gathering = Gathering()
    assert not gathering.complete
    gathering.see(Chunk(pieces=(piece(content="a"),)))
    assert not gathering.complete
    assert gathering.answer().choices[0].finish_reason == "stop"
    gathering.see(Chunk(pieces=(piece(0, "length"),)))
    assert gathering.complete
    gathering.hear(Text(0, b'"late"'))
    gathering.see(Chunk(pieces=(piece(0, "stop", content="late"),)))
    (choice,) = gathering.answer().choices
    assert (choice.finish_reason, bytes(choice.message["content"])) == ("length", b'"a"')


def test_what_is_said_of_the_answer_as_a_whole_is_kept() -> None:
    gathering = Gathering()
    usage = Usage(prompt=1, completion=2)
    gathering.see(Chunk(upstream_id="up", service_tier="flex", system_fingerprint="fp"))
    gathering.see(Chunk(usage=usage))
    found = gathering.answer()
    assert (found.upstream_id, found.service_tier, found.system_fingerprint) == ("up", "flex", "fp")
    assert (found.usage, found.choices, found.fault) == (usage, (), None)


def test_its_size_grows_with_what_comes() -> None:
    gathering = Gathering()
    sizes = []
    for _ in range(3):
        gathering.hear(Text(0, b'"abc"'))
        sizes.append(gathering.size)
    assert sizes[0] < sizes[1] < sizes[2]
    gathering.see(Chunk(pieces=(Piece(index=1, delta={"x": raw("y" * 100)}, logprobs=raw({})),)))
    assert gathering.size > sizes[2] + 100


@pytest.mark.parametrize(
    "large",
    [
        Piece(index=0, delta={"content": raw("a" * 1000)}),
        Piece(index=0, delta={"tool_calls": raw([{"index": 0, "id": "a" * 1000}])}),
        Piece(index=0, delta={}, logprobs=raw({"content": [{"token": "a" * 1000}]})),
    ],
)
def test_all_that_is_kept_counts_in_its_size(large: Piece) -> None:
    gathering = Gathering()
    gathering.see(Chunk(pieces=(large,)))
    before = gathering.size
    gathering.see(Chunk(pieces=(large,)))
    gathering.hear(Text(0, b'"%b"' % (b"a" * 1000)))
    assert before > 1000
    assert gathering.size - before > 2000


def test_whatever_role_a_stream_tells_the_answer_is_the_assistants() -> None:
    (choice,) = gathered(piece(role="user", content="a"), piece(role="user", content="b")).choices
    assert choice.message == {"role": raw("assistant"), "content": raw("ab")}
