"""Streams of the Responses API, as OpenAI writes them and as nobody should."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.registry import DIALECTS
from dragoman.providers.responses.stream import ResponsesDecoder
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Text
from dragoman.wire.responses.thoughts import OPENAI
from dragoman.wire.usage import Usage
from tests.providers.responses_host import (
    custom,
    function,
    message,
    reasoning,
    response,
    sse,
    stream,
    text,
)

DIALECT = DIALECTS["responses"]
CITED = {"type": "url_citation", "url": "http://x", "title": "X", "start_index": 0, "end_index": 2}
TOKENS = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]

words = st.text(max_size=20)
said = st.text(min_size=1, max_size=20)
items = st.lists(
    st.one_of(
        st.builds(lambda value: message(text(value)), said),
        st.builds(message, st.builds(text, said), st.builds(text, said)),
        st.builds(lambda value: message({"type": "refusal", "refusal": value}), said),
        st.builds(lambda value: message(text(value, CITED)), said),
        st.builds(function, said, words),
        st.builds(custom, said, words),
        st.builds(lambda each: reasoning(*each), st.lists(said, max_size=3)),
        st.builds(lambda content: reasoning(content=content, encrypted=None), said),
    ),
    max_size=5,
)


def numbered(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items, each with ids of its own."""
    found = []
    for number, item in enumerate(output):
        own = {"id": f"{item['id']}{number}"}
        if "call_id" in item:
            own["call_id"] = f"call_{number}"
        found.append(item | own)
    return found


def read(events: list[bytes], form: str = OPENAI) -> list[Chunk | Text]:
    decoder = ResponsesDecoder(form)
    return [chunk for data in events if (chunk := decoder.feed(data)) is not None]


def gathered(chunks: list[Chunk | Text]) -> Answer:
    gathering = Gathering()
    for chunk in chunks:
        gathering.hear(chunk) if isinstance(chunk, Text) else gathering.see(chunk)
    return gathering.answer()


def plain(answer: Answer) -> Any:
    """What an answer says, without what only the one way of asking tells."""
    choice = answer.choices[0]
    found = {name: msgspec.json.decode(value) for name, value in choice.message.items()}
    for call in found.get("tool_calls", []):
        call["function"]["arguments"] = parsed(call["function"]["arguments"])
    said_nothing = {name for name, value in found.items() if value in (None, "", [])}
    kept = {name: value for name, value in found.items() if name not in said_nothing}
    logprobs = None if choice.logprobs is None else msgspec.json.decode(choice.logprobs)
    return kept, choice.finish_reason, choice.native_finish_reason, logprobs


def parsed(arguments: str) -> Any:
    """Arguments, less how their JSON is written."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def test_a_stream_of_all_kinds() -> None:
    answer = response(
        reasoning("First.", "Then."),
        message(text("Hello there", CITED)),
        function("get_weather", '{"city":"Paris"}'),
        custom("apply_patch", '*** "x"\n'),
    )
    chunks = read(stream(answer))
    whole = gathered(chunks)
    found = {n: msgspec.json.decode(v) for n, v in whole.choices[0].message.items()}
    assert found["content"] == "Hello there"
    assert found["reasoning"] == "First.\n\nThen."
    shared = {"id": "rs_1", "format": OPENAI}
    assert found["reasoning_details"] == [
        {"type": "reasoning.summary", "summary": "First.", **shared, "index": 0},
        {"type": "reasoning.summary", "summary": "Then.", **shared, "index": 1},
        {"type": "reasoning.encrypted", "data": "gAAA", **shared, "index": 2},
    ]
    inner = {name: value for name, value in CITED.items() if name != "type"}
    assert found["annotations"] == [{"type": "url_citation", "url_citation": inner}]
    first, second = found["tool_calls"]
    assert (first["id"], first["function"]["name"]) == ("call_1", "get_weather")
    assert json.loads(first["function"]["arguments"]) == {"city": "Paris"}
    assert second["function"]["name"] == "apply_patch"
    assert json.loads(second["function"]["arguments"]) == {"input": '*** "x"\n'}
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.usage == Usage(prompt=12, completion=9, reasoning=5, cached=4)
    assert (whole.upstream_id, whole.service_tier) == ("resp_1", "default")


def test_text_is_told_in_the_short_form_and_all_else_with_its_event() -> None:
    events = stream(response(message(text("Hello there"))))
    chunks = read(events)
    assert [chunk.content for chunk in chunks if isinstance(chunk, Text)] == [
        b'"Hello t"',
        b'"here"',
    ]
    natives = [chunk.native for chunk in chunks if isinstance(chunk, Chunk)]
    assert natives == [each for each in events if b"output_text.delta" not in each]
    last = chunks[-1]
    assert isinstance(last, Chunk)
    assert last.ended
    assert not any(isinstance(each, Chunk) and each.ended for each in chunks[:-1])


@given(items)
def test_streamed_and_whole_answers_agree(output: list[dict[str, Any]]) -> None:
    answer = response(*numbered(output))
    whole = DIALECT.answer(json.dumps(answer).encode())
    assert plain(gathered(read(stream(answer)))) == plain(whole)


@given(items, st.lists(st.integers(0, 4000)))
def test_a_stream_does_not_depend_on_how_it_is_cut(
    output: list[dict[str, Any]], cuts: list[int]
) -> None:
    data = sse(response(*numbered(output)))
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    found = []
    for begin, end in pairwise(places):
        found += [decoder.feed(event) for event in parser.feed(data[begin:end])]
    assert [each for each in found if each] == read(stream(response(*numbered(output))))


def test_probabilities_come_with_their_text() -> None:
    answer = response(message(text("Hi", logprobs=TOKENS)))
    whole = gathered(read(stream(answer)))
    assert whole.choices[0].logprobs is not None
    assert msgspec.json.decode(whole.choices[0].logprobs) == {"content": TOKENS, "refusal": None}
    assert plain(DIALECT.answer(json.dumps(answer).encode())) == plain(whole)


@pytest.mark.parametrize(
    ("status", "details", "finish", "native"),
    [
        ("completed", None, "stop", "completed"),
        ("incomplete", {"reason": "max_output_tokens"}, "length", "max_output_tokens"),
        ("incomplete", {"reason": "content_filter"}, "content_filter", "content_filter"),
        ("incomplete", None, "length", "max_output_tokens"),
    ],
)
def test_how_an_answer_ended(status: str, details: Any, finish: str, native: str) -> None:
    answer = response(message(text("Hi")), status=status, incomplete_details=details)
    for found in (gathered(read(stream(answer))), DIALECT.answer(json.dumps(answer).encode())):
        choice = found.choices[0]
        assert (choice.finish_reason, choice.native_finish_reason) == (finish, native)


def test_searches_that_are_billed_are_counted() -> None:
    def search(kind: str, **more: Any) -> dict[str, Any]:
        return {"type": "web_search_call", "id": "ws", "action": {"type": kind}, **more}

    calls = [search("search"), search("open_page"), search("search", status="failed")]
    answer = response(*calls, {"type": "web_search_call", "id": "ws"}, message(text("Hi")))
    for found in (gathered(read(stream(answer))), DIALECT.answer(json.dumps(answer).encode())):
        assert found.usage is not None
        assert found.usage.searches == 2


def test_images_that_a_tool_made_are_the_answers() -> None:
    made = {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "iVBO"}
    for found in (
        gathered(read(stream(response(made)))),
        DIALECT.answer(json.dumps(response(made)).encode()),
    ):
        images = msgspec.json.decode(found.choices[0].message["images"])
        assert images == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]


def test_what_runs_at_the_provider_is_no_call_of_the_clients() -> None:
    searched: dict[str, Any] = {
        "type": "tool_search_call",
        "id": "t",
        "call_id": None,
        "arguments": {},
    }
    found = DIALECT.answer(json.dumps(response(searched, message(text("Hi")))).encode())
    assert "tool_calls" not in found.choices[0].message
    assert found.choices[0].finish_reason == "stop"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    empty = response(function("f", ""))
    begins = stream(empty)[2]
    for answer in (
        DIALECT.answer(json.dumps(empty).encode()),
        gathered(read(stream(empty))),
        gathered(read([each for each in stream(empty) if each != begins])),
    ):
        (told,) = msgspec.json.decode(answer.choices[0].message["tool_calls"])
        assert told["function"] == {"name": "f", "arguments": "{}"}


def test_a_call_that_comes_whole() -> None:
    action = {"type": "exec", "command": ["ls"], "env": {}}
    call = {"type": "local_shell_call", "id": "l", "call_id": "c", "action": action}
    found = gathered(read(stream(response(call))))
    (told,) = msgspec.json.decode(found.choices[0].message["tool_calls"])
    assert told["function"]["name"] == "local_shell"
    assert json.loads(told["function"]["arguments"]) == action


def test_a_host_that_tells_everything_at_the_end() -> None:
    answer = response(reasoning("Hm."), message(text("Hi")), function("f", "{}"))
    events = stream(answer)
    assert plain(gathered(read([events[0], events[-1]]))) == plain(gathered(read(events)))


@pytest.mark.parametrize("kind", ["output_item.done", "output_text.done"])
def test_a_host_that_tells_text_at_its_end(kind: str) -> None:
    answer = response(message(text("Hi")), function("f", '{"a":1}'), reasoning("Hm."))
    kept = ("response.created", "response.completed", "response.output_item.added")
    events = [
        each
        for each in stream(answer)
        if json.loads(each)["type"] in {*kept, f"response.{kind}", "response.output_item.done"}
    ]
    assert plain(gathered(read(events))) == plain(gathered(read(stream(answer))))


@pytest.mark.parametrize("last", ["response.refusal.done", "response.output_item.done"])
def test_a_host_that_tells_a_refusal_at_its_end(last: str) -> None:
    answer = response(message(text("Well."), {"type": "refusal", "refusal": "No."}))
    kinds = ["response.refusal.delta", "response.refusal.done"]
    left_out = kinds[: 1 + (last != kinds[1])]
    events = [data for data in stream(answer) if json.loads(data)["type"] not in left_out]
    found = gathered(read(events)).choices[0].message
    assert (bytes(found["content"]), bytes(found["refusal"])) == (b'"Well."', b'"No."')


def test_a_whole_answer_where_a_stream_was_asked_for() -> None:
    chunk = ResponsesDecoder(OPENAI).feed(json.dumps(response(message(text("Hi")))).encode())
    assert isinstance(chunk, Chunk)
    assert chunk.ended

    assert msgspec.json.decode(chunk.pieces[0].delta["content"]) == "Hi"


@pytest.mark.parametrize(
    ("event", "code", "words"),
    [
        (
            {"type": "response.failed", "response": {"error": {"code": "c0", "message": "no"}}},
            "c0",
            "no",
        ),
        ({"type": "response.failed", "response": {}}, "server_error", "the provider's"),
        ({"type": "error", "code": "slow_down", "message": "slow"}, "slow_down", "slow"),
        ({"type": "response.error", "error": {"code": "x", "message": "y"}}, "x", "y"),
        ({"error": {"message": "top", "code": "invalid_prompt"}}, "invalid_prompt", "top"),
        (
            {"type": "response.completed", "response": {"error": {"code": "c", "message": "m"}}},
            "c",
            "m",
        ),
    ],
)  # fmt: skip
def test_errors_inside_a_stream(event: Any, code: str, words: str) -> None:
    (chunk,) = read([json.dumps(event).encode()])
    assert isinstance(chunk, Chunk)
    assert chunk.fault is not None
    assert chunk.fault.code == code
    assert chunk.fault.message.startswith(words)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b'{"type":',
        b"[]",
        b'{"type":7}',
        b'{"type":"response.created"}',
        b'{"type":"response.created","response":[]}',
        b'{"type":"response.completed"}',
        b'{"type":"response.completed","response":"x"}',
        b'{"type":"response.completed","response":{"output":7}}',
        b'{"type":"response.output_item.added"}',
        b'{"type":"response.output_item.done","item":7}',
        b'{"type":"response.output_item.done","item":{"type":"function_call","arguments":"{}"}}',
        b'{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c"}}',
        b'{"type":"response.function_call_arguments.delta","output_index":3,"delta":"x"}',
        b'{"type":"response.output_text.delta","output_index":"x","delta":"x"}',
        b'{"type":"response.output_text.delta","delta":"\xff"}',
        b'{"type":"x","item":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract promises no more
        ResponsesDecoder(OPENAI).feed(data)


@pytest.mark.parametrize("data", [b"[DONE]", b"{}", b'{"type":"keepalive"}', b'{"foo":1}'])
def test_what_adds_nothing_is_none(data: bytes) -> None:
    assert ResponsesDecoder(OPENAI).feed(data) is None


@given(
    st.permutations(stream(response(reasoning("Hm."), message(text("Hi")), function("f", "{}"))))
)
def test_events_out_of_order_are_read_or_refused(events: list[bytes]) -> None:
    told = "nothing"
    try:
        read(events)
    except ValueError as error:
        told = str(error)
    assert told in {
        "nothing",
        "arguments of a call that was not begun",
        "an end with calls that were not told before it",
    }


@given(items)
def test_events_that_come_twice_add_nothing_but_text(output: list[dict[str, Any]]) -> None:
    events = stream(response(*numbered(output)))
    twice = [
        each for event in events for each in ((event,) if b"delta" in event else (event, event))
    ]
    once, found = plain(gathered(read(events))), plain(gathered(read(twice)))
    assert {n for n in found[0] if n != "annotations"} == {n for n in once[0] if n != "annotations"}
    assert found[0].get("content") == once[0].get("content")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        ResponsesDecoder(OPENAI).feed(data)
        DIALECT.answer(data)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"output":[7]}', b'{"id":"x","output":null}']
)
def test_what_is_no_answer_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract promises no more
        DIALECT.answer(body)


def test_an_answer_that_failed() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "no"})
    fault = DIALECT.answer(json.dumps(failed).encode()).fault
    assert fault is not None
    assert (fault.code, fault.message) == ("server_error", "no")
