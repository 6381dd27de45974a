"""What a provider of the Responses API says, passed on to clients of the same."""

import json
from typing import Any

import pytest
from msgspec import Raw
from openrouter.components import OpenResponsesResult

from dragoman.core.errors import ContextTooLong, ProviderTimeout, RateLimited
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Chunk, Text
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.thoughts import unseal
from dragoman.wire.responses.unrolled import unrolled
from tests.providers.responses_host import custom, function, message, reasoning, response, stream
from tests.providers.responses_host import text as said_text
from tests.wire.responses_calls import GENERATION, SPENT, call, told
from tests.wire.responses_events import STOPPED, accumulated, kinds, read, write

ENCRYPTED = ["reasoning.encrypted_content"]
ANSWER = response(
    reasoning("Hm."),
    message(said_text("Hello there")),
    function("f", '{"a":1}'),
    custom("patch", "*** x"),
)


def passed_on(answer: dict[str, Any], asked: ChatCall, name: str = "responses") -> list[Any]:
    decoder = DIALECTS[name].decoder()
    chunks = [c for data in stream(answer) if (c := decoder.feed(data)) is not None]
    return write(asked, *chunks, native=True)


def test_a_providers_events_are_passed_on_with_what_is_ours() -> None:
    events = passed_on(ANSWER, call(metadata={"a": "b"}, user="ann"))
    theirs = [json.loads(data) for data in stream(ANSWER)]
    assert kinds(events) == kinds(theirs)
    for own, their in zip(events, theirs, strict=True):
        if "response" not in their:
            assert {**own, "obfuscation": ""} == {**their, "obfuscation": ""}
    first, last = events[0]["response"], events[-1]["response"]
    for found in (first, last):
        assert (found["id"], found["model"]) == (GENERATION, "acme/turbo")
        assert (found["metadata"], found["user"]) == ({"a": "b"}, "ann")
    assert last["output"] == ANSWER["output"]
    assert last["usage"]["cost"] == 0.25
    assert last["usage"]["input_tokens"] == 12


def test_events_without_a_number_get_one() -> None:
    decoder = DIALECTS["responses"].decoder()
    chunks = []
    for data in stream(ANSWER):
        event = json.loads(data)
        del event["sequence_number"]
        if (chunk := decoder.feed(json.dumps(event).encode())) is not None:
            chunks.append(chunk)
    write(call(), *chunks, native=True)


def test_after_an_echo_events_are_numbered_anew() -> None:
    decoder = DIALECTS["responses"].decoder()
    writer = RESPONSES.writer(told(call(), native=True))
    data = writer.debug(b"{}", told(call()).stamp)
    for event in stream(ANSWER):
        chunk = decoder.feed(event)
        assert chunk is not None
        data += writer.text(chunk) if isinstance(chunk, Text) else writer.chunk(chunk, ())
    read(data + writer.end(STOPPED, SPENT, b""))


def test_a_stream_that_breaks_tells_the_items_that_are_whole() -> None:
    decoder = DIALECTS["responses"].decoder()
    writer = RESPONSES.writer(told(call(), native=True))
    data = b""
    for event in stream(ANSWER)[:-3]:
        chunk = decoder.feed(event)
        assert chunk is not None
        data += writer.text(chunk) if isinstance(chunk, Text) else writer.chunk(chunk, ())
    last = read(data + writer.error(ProviderTimeout("x"), SPENT, b""))[-1]
    assert last["response"]["output"] == ANSWER["output"][:3]


def test_what_others_than_openai_signed_is_bound_to_them() -> None:
    events = passed_on(ANSWER, call(include=ENCRYPTED), "responses-xai")
    done = next(e["item"] for e in events if e["type"].endswith("item.done"))
    assert done == events[-1]["response"]["output"][0]
    details = unseal(done["encrypted_content"])
    assert {each["format"] for each in details} == {"xai-responses-v1"}
    assert details[-1]["data"] == "gAAA"


def test_a_providers_whole_answer_is_passed_on_with_what_is_ours() -> None:
    body = json.dumps(ANSWER).encode()
    answer = DIALECTS["responses"].answer(body)
    found = json.loads(
        RESPONSES.answer(told(call(), native=True), answer, SPENT, b',"openrouter_metadata":{}')
    )
    ours = ("id", "model", "provider", "usage", "openrouter_metadata")
    theirs = {name: value for name, value in ANSWER.items() if name not in ours}
    assert {name: found[name] for name in theirs} == theirs
    assert found.pop("openrouter_metadata") == {}
    OpenResponsesResult.model_validate(found)
    assert found["usage"]["cost"] == 0.25
    assert found["id"] == GENERATION


def test_a_whole_answer_where_a_stream_was_asked_for_is_told_as_a_stream() -> None:
    """Each text comes in one piece, and with the event that begins a part of reasoning."""
    cited = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    tokens = [{"token": "No", "logprob": -1.0, "bytes": [78, 111], "top_logprobs": []}]
    refusal = {"type": "refusal", "refusal": "I can not."}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    answer = response(
        reasoning("Hm.", "So.", content="inner"),
        message(said_text("Hello there", cited, logprobs=tokens), refusal),
        function("f", '{"a":1}'),
        custom("patch", "*** x"),
        search | {"action": {"type": "search", "query": "q"}},
    )
    chunk = DIALECTS["responses"].decoder().feed(json.dumps(answer, indent=1).encode())
    assert isinstance(chunk, Chunk)
    events = write(call(metadata={"a": "b"}), chunk, native=True)
    whole = accumulated(events)
    assert whole.output_text == "Hello there"
    shown = {e["type"]: e for e in events}
    assert shown["response.output_text.annotation.added"]["annotation"] == cited
    assert shown["response.output_text.done"]["logprobs"] == tokens
    assert shown["response.refusal.done"]["refusal"] == "I can not."
    theirs = dict.fromkeys(json.loads(data)["type"] for data in stream(answer))
    assert theirs.keys() <= shown.keys()
    assert [e["item"] for e in events if e["type"].endswith("item.done")] == answer["output"]
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert (last["status"], last["output"]) == ("completed", answer["output"])
    assert first["metadata"] == last["metadata"] == {"a": "b"}


def test_what_comes_with_the_end_only_is_told_before_it() -> None:
    begun, _, *_, end = stream(ANSWER)
    decoder = DIALECTS["responses"].decoder()
    chunks = [c for data in (begun, end) if (c := decoder.feed(data)) is not None]
    events = write(call(), *chunks, native=True)
    assert kinds(events)[:2] == ["created", "output_item.added"]
    assert accumulated(events).output_text == "Hello there"


def test_a_whole_answer_that_was_cut_ends_so() -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    chunk = DIALECTS["responses"].decoder().feed(json.dumps(ANSWER | cut).encode())
    assert isinstance(chunk, Chunk)
    assert kinds(write(call(), chunk, native=True))[-1] == "incomplete"


@pytest.mark.parametrize(
    "output",
    [
        b"null",
        b"[3]",
        b'[{"type":3}]',
        b'[{"type":"message"}]',
        b'[{"type":"message","content":[3,{"type":"new","text":"x"},{"type":"output_text"}]}]',
        b'[{"type":"function_call","arguments":3}]',
        b'[{"type":"reasoning","summary":[{"text":3}],"content":7}]',
    ],
)
def test_what_is_no_item_of_a_whole_answer_is_read_past(output: bytes) -> None:
    told_so = unrolled(Raw(output), Events())
    events = [json.loads(line[6:]) for line in told_so.decode().split("\n\n") if line]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event["item"] for event in events if event["type"].endswith("item.added")]
    done = [event["item"] for event in events if event["type"].endswith("item.done")]
    assert len(added) == len(done)


def test_errors_before_the_answer_are_chats_but_for_those_about_length() -> None:
    status, body = RESPONSES.refusal(RateLimited("slow"), told(call()))
    assert (status, json.loads(body)["error"]["code"]) == (429, 429)
    cut = ContextTooLong("too long")
    cut.routing = {"attempt": 1}
    status, body = RESPONSES.refusal(cut, told(call(instructions="Be brief.")))
    found = json.loads(body)
    assert found.pop("openrouter_metadata") == {"attempt": 1}
    OpenResponsesResult.model_validate(found)
    assert (status, found["status"], found["created_at"]) == (200, "incomplete", 1760000000)
    assert (found["id"], found["model"]) == (GENERATION, "acme/turbo")
    assert (found["instructions"], "usage" in found) == ("Be brief.", False)
    assert RESPONSES.refusal(ContextTooLong("too long"), None)[0] == 400
