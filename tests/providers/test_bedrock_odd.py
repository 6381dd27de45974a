"""What Bedrock cannot be told, and what it should not have said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import InvalidRequest
from dragoman.providers.bedrock.answers import read_answer
from dragoman.providers.bedrock.stream import MOST_CITED, MOST_OPEN, BedrockDecoder
from dragoman.wire.hub import Chunk, StreamFault, Text
from tests.providers.bedrock_calls import (
    CLAUDE,
    DIALECT,
    WEATHER,
    broken,
    call,
    called,
    chunks,
    endpoint,
    frame,
    said,
    sent,
    stream_of,
    turns,
    write,
)

PNG = "iVBORw0KGgo="


def user(part: dict[str, Any]) -> Any:
    return call({"role": "user", "content": [part]})


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: str, name: str = "a.pdf") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (picture("https://a.example/x.png"), "fetches nothing"),
        (picture("ftp://a.example/x.png"), "data: URL"),
        (picture("data:image/png,raw"), "base64"),
        (picture("data:image/png;base64,@@@@"), "valid base64"),
        (picture("data:image/png;base64,AAA"), "valid base64"),
        (picture("data:image/tiff;base64,AAAA"), "takes the types"),
        (picture("s3://bucket/x"), "its format"),
        (file("data:application/zip;base64,AAAA", "a.zip"), "takes the formats"),
        (file("data:text/plain;base64,/w=="), ""),
        ({"type": "file", "file": {"file_id": "f-1"}}, "keeps no files"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "midi"}}, "not know"),
        ({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}, "base64"),
        ({"type": "video_url", "video_url": {"url": "https://a.example/x"}}, "fetches nothing"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(part: dict[str, Any], why: str) -> None:
    if not why:
        part["citations"] = {"enabled": True}
        why = "UTF-8"
    with pytest.raises(InvalidRequest, match=why) as refused:
        write(user(part))
    assert "messages.0.content.0." in str(refused.value)


def test_instructions_are_texts() -> None:
    with pytest.raises(InvalidRequest, match="instructions as text"):
        write(call({"role": "system", "content": [picture(f"data:image/png;base64,{PNG}")]}))


def test_a_conversation_must_say_something() -> None:
    with pytest.raises(InvalidRequest, match="not empty"):
        write(call({"role": "user", "content": " "}))


def test_tools_that_an_endpoint_lacks_are_left_out() -> None:
    made = write(call(tools=[WEATHER], tool_choice="auto"), endpoint(CLAUDE, "temperature"))
    assert "toolConfig" not in sent(made)
    assert ("dropped", "tools") in said(made)


def test_an_endpoint_that_binds_no_schema_is_told_it() -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    made = write(call(response_format=wish), endpoint(CLAUDE, "response_format"))
    assert "outputConfig" not in sent(made)
    assert ("renamed", "response_format") in said(made)


def test_one_id_stays_one_and_is_short() -> None:
    long = "x" * 80
    result = {"role": "tool", "tool_call_id": long, "content": "sun"}
    asked = call(
        {"role": "user", "content": "w?"},
        {"role": "assistant", "content": None, "tool_calls": [called(long)]},
        result,
    )
    found = turns(write(asked))
    id_ = found[1]["content"][0]["toolUse"]["toolUseId"]
    assert len(id_) == 64
    assert found[2]["content"][0]["toolResult"]["toolUseId"] == id_


@pytest.mark.parametrize("model", ["mistral.mistral-large-3-675b-instruct", CLAUDE])
def test_mistral_models_take_ids_of_nine_letters(model: str) -> None:
    asked = call(
        {"role": "user", "content": "w?"},
        {"role": "assistant", "content": None, "tool_calls": [called("tooluse_i-nKGDr5g")]},
        {"role": "tool", "tool_call_id": "tooluse_i-nKGDr5g", "content": "sun"},
    )
    found = turns(write(asked, model))
    id_ = found[1]["content"][0]["toolUse"]["toolUseId"]
    assert found[2]["content"][0]["toolResult"]["toolUseId"] == id_
    assert (len(id_) == 9 and id_.isalnum()) is model.startswith("mistral")


def test_quirks_of_the_row_count() -> None:
    made = write(call(requestMetadata={"a": "b"}), rejects=frozenset({"requestMetadata"}))
    assert "requestMetadata" not in sent(made)
    assert ("dropped", "requestMetadata") in said(made)


TEXTS = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), TEXTS)
def test_texts_arrive_as_they_were_said(talk: list[tuple[str, str]], last: str) -> None:
    rows = [
        {"role": role, "content": text}
        for pair in talk
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    found = turns(write(call(*rows, {"role": "user", "content": last})))
    told = [(turn["role"], turn["content"][0]["text"]) for turn in found]
    assert told == [*((row["role"], row["content"]) for row in rows), ("user", last)]


@given(TEXTS, st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=3))
def test_what_was_answered_goes_back_as_it_came(text: str, arguments: dict[str, Any]) -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"text": text},
        {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": arguments}},
    ]
    message = {"role": "assistant", "content": content}
    whole = {"output": {"message": message}, "stopReason": "tool_use"}
    answer = read_answer(json.dumps(whole).encode())
    row = {name: json.loads(bytes(raw)) for name, raw in answer.choices[0].message.items()}
    result = {"role": "tool", "tool_call_id": "tooluse_1", "content": "x"}
    made = write(call({"role": "user", "content": "q"}, row, result, tools=[WEATHER]))
    assert turns(made)[1] == message


def fed(*events: dict[str, Any] | bytes) -> list[Chunk | Text | None]:
    decoder = BedrockDecoder()
    return [decoder.feed(e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("throttlingException", 429),
        ("modelStreamErrorException", 424),
        ("internalServerException", 500),
        ("serviceUnavailableException", 503),
        ("validationException", 400),
        ("neverHeardOfException", 424),
    ],
)
def test_an_exception_in_the_stream(name: str, status: int) -> None:
    text = frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a"}})
    found = chunks(text + broken(name, "why"))
    assert found[-1] == Chunk(fault=StreamFault(status=status, code=name, message="why"))


def test_an_error_without_frames_is_one_too() -> None:
    (chunk,) = fed({"message": "no such model"})
    assert chunk == Chunk(fault=StreamFault(status=424, code=None, message="no such model"))
    (chunk,) = fed({"__type": "a#ThrottlingException", "message": "slow"})
    assert isinstance(chunk, Chunk)
    assert chunk.fault == StreamFault(status=429, code="ThrottlingException", message="slow")
    assert read_answer(b'{"message": "no"}').fault is not None


def test_a_whole_answer_in_place_of_a_stream() -> None:
    message = {"role": "assistant", "content": [{"text": "hi"}]}
    (chunk,) = fed({"output": {"message": message}, "stopReason": "end_turn"})
    assert isinstance(chunk, Chunk)
    assert chunk.ended
    assert chunk.pieces[0].finish_reason == "stop"


def whole(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """The message of a whole answer, in the hub's words."""
    tree = {"output": {"message": {"content": content}}, "stopReason": stop}
    (choice,) = read_answer(json.dumps(tree).encode()).choices
    told = {name: json.loads(bytes(value)) for name, value in choice.message.items()}
    return {**told, "finish_reason": choice.finish_reason}


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": {}}])
def test_a_call_that_came_whole_without_input_has_none(given: dict[str, Any]) -> None:
    found = whole({"toolUse": {"toolUseId": "t", "name": "f", **given}}, stop="tool_use")
    assert found["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_a_thought_that_was_kept_back_is_its_signature_and_one_without_either_is_none() -> None:
    kept = whole({"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}})
    (detail,) = kept["reasoning_details"]
    assert (detail.get("text"), detail["signature"]) == ("", "s")
    assert "reasoning" not in kept
    empty = whole({"reasoningContent": {"reasoningText": {"text": ""}}}, {"reasoningContent": {}})
    assert empty == {"role": "assistant", "finish_reason": "stop"}


def test_citations_of_no_text_are_told_without_it() -> None:
    cited = [{"location": {"web": {"url": "https://a.b"}}}]
    odd: list[dict[str, Any]] = [{}, {"content": None}, {"content": [{}]}]
    for content in odd:
        found = whole({"citationsContent": {**content, "citations": cited}})
        (named,) = found["annotations"]
        assert (named["url_citation"]["start_index"], named["url_citation"]["end_index"]) == (0, 0)
        assert "content" not in found


def test_the_end_is_where_both_have_come() -> None:
    stop = {"messageStop": {"stopReason": "end_turn"}}
    meta: dict[str, Any] = {"metadata": {"usage": {}}}
    for events in ((stop, meta), (meta, stop)):
        first, second = fed(*events)
        assert isinstance(first, Chunk)
        assert isinstance(second, Chunk)
        assert (first.ended, second.ended) == (False, True)


def test_what_nobody_knows_is_let_through() -> None:
    odd: list[dict[str, Any] | bytes] = [
        {},
        {"newEvent": {"a": 1}},
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"newDelta": 1}}},
        {"contentBlockDelta": {"delta": {"text": ""}}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {}}}},
        {"contentBlockStart": {"start": {"newBlock": {}}}},
        {"contentBlockStop": {"contentBlockIndex": 7}},
        {"contentBlockStop": {}},
    ]
    assert fed(*odd) == [None] * len(odd)


def test_a_reason_to_stop_that_says_nothing_is_none() -> None:
    (chunk,) = fed({"messageStop": {"stopReason": ""}})
    assert isinstance(chunk, Chunk)
    assert [(each.finish_reason, each.native_finish_reason) for each in chunk.pieces] == [
        (None, None)
    ]


@pytest.mark.parametrize(("begun", "form"), [([], "png"), ([{"format": "webp"}], "webp")])
def test_an_image_has_the_format_that_its_block_began_with(begun: list[Any], form: str) -> None:
    start = [{"contentBlockStart": {"start": {"image": each}}} for each in begun]
    *_, chunk = fed(
        *start, {"contentBlockDelta": {"delta": {"image": {"source": {"bytes": "QQ"}}}}}
    )
    assert isinstance(chunk, Chunk)
    (told,) = json.loads(bytes(chunk.pieces[0].delta["images"]))
    assert told["image_url"]["url"] == f"data:image/{form};base64,QQ"
    assert fed({"contentBlockDelta": {"delta": {"image": {"source": {}}}}}) == [None]


def test_citations_name_where_the_text_of_their_own_block_is() -> None:
    def block(number: int, text: str) -> list[dict[str, Any] | bytes]:
        cited = {"location": {"web": {"url": "https://a.b"}}}
        return [
            {"contentBlockDelta": {"contentBlockIndex": number, "delta": {"text": text}}},
            {"contentBlockDelta": {"contentBlockIndex": number, "delta": {"citation": cited}}},
            {"contentBlockStop": {"contentBlockIndex": number}},
        ]

    found = fed(*block(0, "four"), *block(1, "so"))
    spans = [
        json.loads(bytes(chunk.pieces[0].delta["annotations"]))[0]["url_citation"]
        for chunk in (found[2], found[5])
        if isinstance(chunk, Chunk)
    ]
    assert [(each["start_index"], each["end_index"]) for each in spans] == [(0, 4), (4, 6)]


def test_a_block_that_begins_twice_without_an_id_is_two_calls() -> None:
    begin = {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "", "name": "f"}}}}
    found = fed(begin, begin)
    names = [
        json.loads(bytes(c.pieces[0].delta["tool_calls"])) for c in found if isinstance(c, Chunk)
    ]
    assert [row[-1]["index"] for row in names] == [0, 1]
    assert all(row[-1]["id"].startswith("toolu_") for row in names)


def test_blocks_without_end_are_bounded() -> None:
    decoder = BedrockDecoder()
    tool = {"toolUse": {"toolUseId": "t", "name": "f"}}
    events = [
        json.dumps({"contentBlockStart": {"contentBlockIndex": n, "start": tool}}).encode()
        for n in range(MOST_OPEN + 1)
    ]
    for event in events[:-1]:
        decoder.feed(event)
    with pytest.raises(ValueError, match="blocks at once"):
        decoder.feed(events[-1])


def test_citations_without_end_are_told_in_parts() -> None:
    event = {"contentBlockDelta": {"delta": {"citation": {"title": "t"}}}}
    found = fed(*[event] * (2 * MOST_CITED))
    assert sum(chunk is not None for chunk in found) == 2


WRONG: list[bytes] = [
    b"",
    b"[]",
    b"{",
    b'{"contentBlockDelta":1}',
    b'{"contentBlockDelta":{"delta":{"text":1}}}',
    b'{"contentBlockDelta":{"delta":{"text":"\xff"}}}',
    b'{"contentBlockDelta":{"delta":{"reasoningContent":{"text":{}}}}}',
    b'{"contentBlockStart":{"start":{"toolUse":{"name":3}}}}',
    b'{"messageStop":{"stopReason":[]}}',
    b'{"metadata":[]}',
    b'{"x":' + b"[" * 100_000,
]


@pytest.mark.parametrize("data", WRONG)
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        BedrockDecoder().feed(data)


@pytest.mark.parametrize(
    "body",
    [
        *WRONG[:3],
        b"{}",
        b'{"output":{}}',
        b'{"output":{"message":{"content":[{"text":1}]}}}',
        b'{"output":{"message":{"content":[{"toolUse":{}}]}}}',
        b'{"output":{"message":{"content":[{"reasoningContent":{"redactedContent":7}}]}}}',
        b'{"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":7}}}]}}}',
        b'{"output":' + b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        DIALECT.answer(body)


@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_whatever_comes_only_value_errors_leave(data: bytes) -> None:
    for read in (BedrockDecoder().feed, read_answer):
        try:
            read(data)
        except ValueError:
            continue


def test_a_stream_of_texts_is_short_all_the_way() -> None:
    delta = {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "a"}, "p": "abc"}}
    found = chunks(stream_of([delta] * 5))
    assert isinstance(found[0], Chunk)
    assert found[1:] == [Text(0, b'"a"')] * 4
