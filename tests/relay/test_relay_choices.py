"""Alternatives that a provider gives unasked, where the client's API has room for one only."""

import json
from typing import Any

import pytest
from msgspec import structs

from dragoman.core.notes import Change
from dragoman.relay.chat import answer_chat, stream_chat
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.dialect import ClientDialect
from dragoman.wire.responses.dialect import RESPONSES
from tests.relay.scene import Ear, Scene
from tests.upstream.hosts import DONE, plays

MESSAGE = {
    "model": "acme/turbo", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}],
}  # fmt: skip
RESPONSE = {"model": "acme/turbo", "input": "hi"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25}
BOTH = pytest.mark.parametrize(
    ("dialect", "body"), [(MESSAGES, MESSAGE), (RESPONSES, RESPONSE)], ids=["messages", "responses"]
)


def whole(*texts: str) -> bytes:
    choices = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for n, text in enumerate(texts)
    ]
    return json.dumps({"id": "x", "choices": choices, "usage": USAGE}).encode()


def streamed(*texts: str) -> bytes:
    events: list[dict[str, Any]] = [
        {"id": "x", "choices": [{"index": n, "delta": {"content": text}, "finish_reason": "stop"}]}
        for n, text in enumerate(texts)
    ]
    events.append({"id": "x", "choices": [], "usage": USAGE})
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in events) + DONE


async def asked(scene: Scene, dialect: ClientDialect, body: dict[str, Any]) -> bytes:
    """Serve a request of such a client; return all that it is told."""
    call = dialect.parse(json.dumps(body).encode(), {})
    visit = structs.replace(scene.visit(stream=call.stream), call=call, dialect=dialect)
    if not call.stream:
        return (await answer_chat(scene.desk, visit)).body
    ear = Ear()
    await stream_chat(scene.desk, visit, ear)
    return b"".join(ear.writes)


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_those_that_are_not_told_are_noted_and_charged(
    dialect: ClientDialect, body: dict[str, Any], *, stream: bool
) -> None:
    said = ("first", "second")
    scene = Scene(a=plays(streamed(*said) if stream else whole(*said)))
    heard = await asked(scene, dialect, {**body, "stream": stream})
    assert b"first" in heard
    assert b"second" not in heard
    (note,) = scene.record.notes
    assert (note.change, note.field, note.provider) == (Change.DROPPED, "choices", "a")
    assert scene.record.usage.completion == 20


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_one_is_nothing_to_note(
    dialect: ClientDialect, body: dict[str, Any], *, stream: bool
) -> None:
    scene = Scene(a=plays(streamed("first") if stream else whole("first")))
    assert b"first" in await asked(scene, dialect, {**body, "stream": stream})
    assert scene.record.notes == ()


async def test_a_chat_is_told_all() -> None:
    scene = Scene(a=plays(whole("first", "second")))
    assert len((await scene.whole())["choices"]) == 2
    assert scene.record.notes == ()
