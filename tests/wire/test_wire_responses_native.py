"""What a provider of the Responses API says, passed on to clients of the same."""

import json
from typing import Any

from openrouter.components import OpenResponsesResult

from dragoman.core.errors import ContextTooLong, ProviderTimeout, RateLimited
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Text
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.thoughts import unseal
from tests.providers.responses_host import custom, function, message, reasoning, response, stream
from tests.providers.responses_host import text as said_text
from tests.wire.responses_calls import GENERATION, SPENT, call, told
from tests.wire.responses_events import STOPPED, kinds, read, write

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
