"""What an upstream has still to say, once it has begun: chunks, silence, and its ends."""

import asyncio
import json
from contextlib import nullcontext
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.clock import Clock
from dragoman.net.types import NetError
from dragoman.providers.dialect import Kind, StreamDecoder
from dragoman.providers.registry import DIALECTS
from dragoman.upstream.faults import AttemptFailed, cut_off
from dragoman.upstream.patience import Timekeeper
from dragoman.upstream.stream import COUNTED_S, UNCOUNTED_S, Bounds, UpstreamStream
from dragoman.wire.hub import Chunk, Text
from dragoman.wire.sse import SseParser
from tests.access.fakes import HandClock
from tests.upstream.hosts import (
    CUT,
    DONE,
    ROLE,
    Act,
    Pass,
    PlayedResponse,
    counts,
    ends,
    plays,
    says,
)
from tests.wire.chunks import spelled_out

GAP_S, TIME_S = 300, 600


def bounds(deadline: float) -> Bounds:
    return Bounds(content_gap_s=GAP_S, deadline=deadline, timekeeper=Timekeeper())


def upstream(
    *acts: Act,
    decoder: StreamDecoder | None = None,
    time_s: float = TIME_S,
    limit: Bounds | None = None,
) -> UpstreamStream:
    clock = HandClock()
    return UpstreamStream(
        PlayedResponse(plays(*acts), clock),
        DIALECTS["openai"].parser(),
        decoder or DIALECTS["openai"].decoder(),
        Clock(monotonic=clock),
        limit or bounds(clock.now + time_s),
    )


async def heard(stream: UpstreamStream) -> str:
    """Return all content up to the stream's end."""
    text = ""
    while (chunks := await stream.next()) is not None:
        text += "".join(content(spelled_out(chunk)) for chunk in chunks)
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


class Ending:
    """A decoder of a dialect that marks the end in an event of its own."""

    def feed(self, data: bytes) -> Chunk:
        return Chunk(native=data, ended=data == b"stop")


async def test_the_end_may_be_marked_by_an_event() -> None:
    clock = HandClock()
    played = PlayedResponse(plays(b"data: go\n\ndata: stop\n\ndata: ghost\n\n"), clock)
    stream = UpstreamStream(
        played, SseParser(), Ending(), Clock(monotonic=clock), bounds(deadline=1e9)
    )
    assert await stream.next() == [Chunk(native=b"go"), Chunk(native=b"stop", ended=True)]
    assert (stream.said_done, await stream.next()) == (True, None)


@pytest.mark.parametrize("mark", [b"data: [DONE] \n\n", b"data:  [DONE]\n\n", b"data:[DONE]\t\n\n"])
async def test_the_mark_may_have_blanks_around_it(mark: bytes) -> None:
    stream = upstream(says("a") + mark + says("ghost"))
    assert await heard(stream) == "a"
    assert stream.said_done


@pytest.mark.parametrize("empty", [b"data:\n\n", b"data: \n\n", b"data\n\n", b"data: \t\n\n"])
async def test_an_event_with_nothing_in_it_adds_nothing(empty: bytes) -> None:
    assert await heard(upstream(empty, says("a") + empty + says("b"), empty, DONE)) == "ab"


@given(st.integers(1, 4))
def test_a_character_that_was_cut_in_two_is_whole_again(at_once: int) -> None:
    texts = (b'"a"', b'"b\\ud83d"', b'"\\ude00c"', b'"d"', b'"\\ude00e"', b'"f"')
    events = [says("@").replace(b'"@"', text) for text in texts]
    parts = [b"".join(events[at : at + at_once]) for at in range(0, len(events), at_once)]
    assert asyncio.run(heard(upstream(*parts, DONE))) == "ab\\ud83d\\ude00cd\\ufffdef"


async def test_a_host_that_sends_blank_lines_before_it_answers_whole_is_understood() -> None:
    body = json.dumps({"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}]})
    assert await heard(upstream(b"\n    \n\n   \n  ", body.encode())) == "ab"


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
    chunk = spelled_out(*await stream.next() or [])
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
    assert [content(spelled_out(chunk)) for chunk in await stream.next() or []] == ["a"]
    for _ in range(2):
        with pytest.raises(AttemptFailed, match="unreadable"):
            await stream.next()


async def test_content_now_and_then_is_no_silence() -> None:
    pause = Pass(GAP_S - 50)
    assert await heard(upstream(says("a"), pause, b": alive\n\n", says("b"), pause, says("c"))) == (
        "abc"
    )


async def test_usage_is_a_chunk_too() -> None:
    chunk = spelled_out(*await upstream(counts(10, 5)).next() or [])
    assert chunk.usage is not None
    assert (chunk.usage.prompt, chunk.usage.completion) == (10, 5)


def test_a_stream_that_just_ends_was_cut_off() -> None:
    assert (cut_off().kind, cut_off().error_type) == (Kind.TRANSIENT, "provider_unavailable")


ODD = ['say "hi"', "a\\nb", "", "ü", "a" * 300, "x\r", "data: ", "\n\n"]
EVENTS = st.one_of(
    st.sampled_from(ODD).map(says),
    st.text(min_size=1).map(says),
    st.sampled_from([says("of another", 1), b": alive\n\n", counts(3, 4), ends("length", 1)]),
)


def told(chunk: Chunk) -> str:
    ends = [(piece.index, piece.finish_reason) for piece in chunk.pieces]
    return f"{ends} {content(chunk)} {chunk.usage}"


class Plain:
    """Reads a stream event by event: its decoder knows none at sight."""

    def __init__(self) -> None:
        self.feed = DIALECTS["openai"].decoder().feed


async def poured(parts: list[bytes], *, quick: bool) -> tuple[list[str], int]:
    """Return what a stream says, and how many of its texts came alone."""
    decoder = DIALECTS["openai"].decoder() if quick else Plain()
    stream, alone = upstream(*parts, decoder=decoder), 0
    said: list[str] = []

    def take(chunks: list[Chunk | Text], _: float) -> bool:
        said.extend(told(spelled_out(chunk)) for chunk in chunks)
        return True

    def hear(text: Text, _: float) -> bool:
        nonlocal alone
        alone += 1
        said.append(told(spelled_out(text)))
        return True

    await stream.pour(take, hear if quick else None)
    return said, alone


@given(st.lists(EVENTS, min_size=1), st.lists(st.integers(0, 4000)))
async def test_a_text_that_is_known_at_sight_is_read_as_any_other(
    events: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join([ROLE, says("first"), *events, ends(), DONE])
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    cut_anywhere = [whole[start:end] for start, end in pairwise(places)]
    in_order = (await poured(cut_anywhere, quick=False))[0]
    assert (await poured(cut_anywhere, quick=True))[0] == in_order
    assert (await poured([ROLE, says("first"), *events, ends(), DONE], quick=True))[0] == in_order


async def test_texts_that_come_alone_are_known_at_sight() -> None:
    said, alone = await poured([ROLE, *map(says, "abcd"), ends(), DONE], quick=True)
    assert (len(said), alone) == (6, 3)  # the first shows what all have in common


async def test_who_takes_lists_only_is_given_a_text_that_is_known_at_sight_as_one() -> None:
    said: list[str] = []

    def take(chunks: list[Chunk | Text], _: float) -> bool:
        said.extend(content(spelled_out(chunk)) for chunk in chunks)
        return len(said) < 4

    stream = upstream(ROLE, *map(says, "abcd"), ends(), DONE)
    await stream.pour(take)
    assert said == ["", "a", "b", "c"]
    assert not stream.done


@pytest.mark.parametrize(
    ("acts", "code"),
    [
        ((Pass(TIME_S + 1), says("late")), "deadline"),
        ((b"data: {", Pass(1), says("c")), "unreadable"),
    ],
)
async def test_what_is_known_at_sight_is_held_to_the_same_rules(
    acts: tuple[Act, ...], code: str
) -> None:
    stream = upstream(ROLE, says("a"), says("b"), *acts)
    with pytest.raises(AttemptFailed) as failed:
        await stream.pour(lambda *_: True, lambda *_: True)
    assert failed.value.fault.code == code


async def test_silence_ends_with_the_time_a_request_may_take() -> None:
    stream = upstream(says("a"), "hang", time_s=0.01)
    with pytest.raises(AttemptFailed) as failed:
        await asyncio.wait_for(stream.pour(lambda *_: True), 5)
    assert (failed.value.fault.kind, failed.value.fault.code) == (Kind.TIMEOUT, "deadline")


PATIENT_S = 60.0


@pytest.mark.parametrize(
    ("said", "idle_s"),
    [
        (says("a"), PATIENT_S),
        (says("a") + counts(1, 1), PATIENT_S),
        (says("a") + ends(), UNCOUNTED_S),
        (counts(1, 1) + says("a") + ends(), UNCOUNTED_S),
        (says("a") + ends() + counts(1, 1), COUNTED_S),
        (says("a") + ends() + counts(1, 1) + ends(), COUNTED_S),
    ],
    ids=["text", "counted early", "ended", "counted before", "both", "said again"],
)
async def test_once_all_is_said_silence_is_short(said: bytes, idle_s: float) -> None:
    stream = upstream(said)
    await stream.next()
    assert stream.response.idle_s == idle_s


async def test_an_answer_has_ended_when_as_many_choices_have_as_were_asked_for() -> None:
    limit = msgspec.structs.replace(bounds(deadline=1e9), choices=2)
    stream = upstream(says("a") + ends(), ends() + counts(1, 1), ends(index=1), limit=limit)
    silences = []
    while await stream.next() is not None:
        silences.append(stream.response.idle_s)
    assert silences == [PATIENT_S, PATIENT_S, UNCOUNTED_S, UNCOUNTED_S]


@pytest.mark.parametrize(("pause_s", "broken"), [(UNCOUNTED_S, False), (UNCOUNTED_S + 1, True)])
async def test_comments_do_not_keep_an_answer_open_that_has_ended(
    pause_s: float, *, broken: bool
) -> None:
    stream = upstream(says("a") + ends(), Pass(pause_s), b": still here\n\n", counts(1, 1))
    taken: list[Chunk | Text] = []

    def take(chunks: list[Chunk | Text], _: float) -> bool:
        taken.extend(chunks)
        return True

    with pytest.raises(AttemptFailed) if broken else nullcontext():
        await stream.pour(take)
    counted = any(isinstance(chunk, Chunk) and chunk.usage for chunk in taken)
    assert counted is not broken


@pytest.mark.parametrize("pours", [False, True])
async def test_a_stream_without_an_end_is_broken_off(*, pours: bool) -> None:
    """Writers of some dialects keep an answer, to say all of it at its end."""
    limit = msgspec.structs.replace(bounds(1e9), most_bytes=3 * len(says("a")))
    stream = upstream(*(says("a") for _ in range(5)), limit=limit)
    told: list[str] = []

    def take(chunks: list[Chunk | Text], _now: float) -> bool:
        told.extend(content(spelled_out(chunk)) for chunk in chunks)
        return True

    async def read() -> None:
        if pours:
            await stream.pour(take)
        while (chunks := await stream.next()) is not None:
            take(chunks, 0.0)

    with pytest.raises(AttemptFailed) as failed:
        await read()
    assert told == ["a", "a", "a"]
    assert failed.value.fault.kind is Kind.TRANSIENT
    assert "longer than any answer" in failed.value.fault.message
