"""What an upstream has still to say, once it has begun: chunks, silence, and its ends."""

import json

import pytest

from dragoman.core.clock import Clock
from dragoman.net.types import NetError
from dragoman.providers.dialect import Kind
from dragoman.providers.registry import DIALECTS
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.stream import UpstreamStream, cut_off
from dragoman.wire.hub import Chunk
from tests.access.fakes import HandClock
from tests.upstream.hosts import (
    CUT,
    DONE,
    Act,
    Pass,
    PlayedResponse,
    counts,
    ends,
    plays,
    says,
)

GAP_S, TIME_S = 300, 600


def upstream(*acts: Act) -> UpstreamStream:
    clock = HandClock()
    return UpstreamStream(
        PlayedResponse(plays(*acts), clock),
        DIALECTS["openai"].decoder(),
        Clock(monotonic=clock),
        content_gap_s=GAP_S,
        deadline=clock.now + TIME_S,
    )


async def heard(stream: UpstreamStream) -> str:
    """Return all content up to the stream's end."""
    text = ""
    while (chunks := await stream.next()) is not None:
        text += "".join(map(content, chunks))
    return text


def content(chunk: Chunk) -> str:
    raw = (bytes(piece.delta.get("content", b'""')) for piece in chunk.pieces)
    return "".join(value.decode().strip('"') for value in raw)


async def test_events_arrive_however_the_bytes_are_cut() -> None:
    whole = says("ab") + says("cd") + ends() + DONE
    parts = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    assert await heard(upstream(*parts)) == "abcd"


@pytest.mark.parametrize(
    ("acts", "said_done"),
    [((says("a"), DONE), True), ((says("a"),), False), ((says("a"), DONE[:-2]), True)],
    ids=["marked", "unmarked", "marked without a blank line"],
)
async def test_the_end_is_the_mark_or_that_of_the_bytes(
    acts: tuple[bytes, ...], *, said_done: bool
) -> None:
    stream = upstream(*acts)
    assert await heard(stream) == "a"
    assert (stream.done, stream.said_done) == (True, said_done)
    assert await stream.next() is None


async def test_nothing_after_the_mark_is_read() -> None:
    assert await heard(upstream(says("a") + DONE + says("ghost"), says("ghost"))) == "a"


async def test_an_event_without_a_blank_line_at_the_end_counts() -> None:
    assert await heard(upstream(says("a"), says("b").rstrip())) == "ab"


@pytest.mark.parametrize("cut_at", [1, 10, 1000])
async def test_a_host_that_answers_whole_where_a_stream_was_asked_for_is_understood(
    cut_at: int,
) -> None:
    body = json.dumps({"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}]})
    raw = body.encode()
    assert await heard(upstream(raw[:cut_at], raw[cut_at:])) == "ab"


async def test_an_error_as_a_whole_body_keeps_its_meaning() -> None:
    stream = upstream(b'{"error": {"message": "pay", "code": "insufficient_quota"}}')
    assert await stream.next() == []
    (chunk,) = await stream.next() or []
    assert chunk.fault is not None
    assert chunk.fault.code == "insufficient_quota"


@pytest.mark.parametrize("body", [b"", b"<html>", b": only a comment", b"[]"])
async def test_a_body_that_is_neither_stream_nor_object_says_nothing(body: bytes) -> None:
    assert await heard(upstream(body)) == ""


@pytest.mark.parametrize(
    ("acts", "kind", "code"),
    [
        ((CUT,), Kind.TRANSIENT, "eof"),
        ((NetError("idle", "silence"),), Kind.TIMEOUT, "idle"),
        ((b"data: {oops\n\n",), Kind.TRANSIENT, "unreadable"),
        ((b"data: " + b"x" * 1_100_000,), Kind.TRANSIENT, "unreadable"),
        ((Pass(TIME_S + 1), says("late")), Kind.TIMEOUT, "deadline"),
        ((Pass(GAP_S + 1), b": alive\n\n"), Kind.TIMEOUT, "late"),
    ],
)
async def test_a_break_is_a_fault(acts: tuple[Act, ...], kind: Kind, code: str) -> None:
    stream = upstream(says("a"), *acts)
    assert await stream.next()
    with pytest.raises(AttemptFailed) as failed:
        await stream.next()
    assert (failed.value.fault.kind, failed.value.fault.code) == (kind, code)


async def test_what_can_be_read_before_what_cannot_is_passed_on_first() -> None:
    stream = upstream(says("a") + b"data: {oops\n\n")
    assert [content(chunk) for chunk in await stream.next() or []] == ["a"]
    for _ in range(2):
        with pytest.raises(AttemptFailed, match="unreadable"):
            await stream.next()


async def test_content_now_and_then_is_no_silence() -> None:
    pause = Pass(GAP_S - 50)
    assert await heard(upstream(says("a"), pause, b": alive\n\n", says("b"), pause, says("c"))) == (
        "abc"
    )


async def test_usage_is_a_chunk_too() -> None:
    (chunk,) = await upstream(counts(10, 5)).next() or []
    assert chunk.usage is not None
    assert (chunk.usage.prompt, chunk.usage.completion) == (10, 5)


def test_a_stream_that_just_ends_was_cut_off() -> None:
    assert (cut_off().kind, cut_off().error_type) == (Kind.TRANSIENT, "provider_unavailable")
