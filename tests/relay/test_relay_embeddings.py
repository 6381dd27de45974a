"""Many vectors: they pass as they came, or are rewritten aside, and are paid for all the same."""

import asyncio
import json
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.relay import chat
from dragoman.relay.chat import answer_chat
from dragoman.relay.visit import Visit
from dragoman.wire.embeddings import EMBEDDINGS, EmbeddingsDialect
from dragoman.wire.hub import LARGE_BYTES
from tests.relay.scene import Scene, endpoint
from tests.upstream.hosts import Script, plays

FEW, MANY = 2, LARGE_BYTES // 12
ROW = [0.5, -0.25]


def vectors(count: int) -> Script:
    data = [{"object": "embedding", "index": n, "embedding": ROW} for n in range(count)]
    usage = {"prompt_tokens": 500, "total_tokens": 500}
    return plays(json.dumps({"object": "list", "data": data, "usage": usage}).encode())


def scene(count: int) -> Scene:
    outputs = frozenset({"embeddings"})
    one = endpoint("a", outputs=outputs, dialect="openai-embeddings")
    return Scene(one, a=vectors(count))


def visit(there: Scene, **body: Any) -> Visit:
    asked = {"model": "acme/turbo", "input": "hi", **body}
    call = EMBEDDINGS.parse(json.dumps(asked).encode(), {})
    return replace(there.visit(), call=call, dialect=EMBEDDINGS)


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize(("form", "first"), [("float", ROW), ("base64", "AAAAPwAAgL4=")])
async def test_vectors_come_in_the_form_that_was_asked_for(
    count: int, form: str, first: Any
) -> None:
    there = scene(count)
    reply = await answer_chat(there.desk, visit(there, encoding_format=form))
    body = json.loads(reply.body)
    assert len(body["data"]) == count
    assert body["data"][0]["embedding"] == body["data"][-1]["embedding"] == first
    assert body["usage"]["prompt_tokens"] == 500
    assert there.record.status == 200


async def test_many_are_read_and_rewritten_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    aside: list[bool] = []

    class Watched(EmbeddingsDialect):
        def wanted(self, call: Any, body: bytes) -> bytes:
            aside.append(threading.current_thread() is not threading.main_thread())
            return super().wanted(call, body)

    monkeypatch.setattr(chat, "EMBEDDINGS", Watched())
    for count in (FEW, MANY):
        there = scene(count)
        await answer_chat(there.desk, visit(there))
    assert aside == [True]


async def test_who_hangs_up_while_vectors_are_rewritten_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    class Slow(EmbeddingsDialect):
        def wanted(self, call: Any, body: bytes) -> bytes:
            begun.set()
            goes_on.wait(10)
            return super().wanted(call, body)

    monkeypatch.setattr(chat, "EMBEDDINGS", Slow())
    there = scene(MANY)
    work = asyncio.ensure_future(answer_chat(there.desk, visit(there)))
    await asyncio.to_thread(begun.wait, 10)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    goes_on.set()
    assert there.record.cancelled
    assert there.record.cost_nanos == 500_000
