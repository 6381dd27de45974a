"""Chat completions: the steps of `dragoman.relay.life`, walked for whole answers and streams."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing, contextmanager

import msgspec
from msgspec import Struct

from dragoman.core.errors import GatewayError, Unavailable
from dragoman.providers.dialect import Fault
from dragoman.providers.openai.faults import fault_of_stream
from dragoman.relay.life import Turn, begin
from dragoman.relay.visit import Desk, Visit
from dragoman.upstream.attempt import Answered, Opened
from dragoman.upstream.faults import AttemptFailed, in_band, stopping
from dragoman.upstream.stream import cut_off, gave_up
from dragoman.wire.answers import ChunkWriter, answer_body, usage_body
from dragoman.wire.errors import error_object
from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece
from dragoman.wire.sse import DONE

REASONING = frozenset({"reasoning", "reasoning_details"})


class Reply(Struct, frozen=True):
    """A whole answer, ready to send, and what it cost in USD, None if that is unknown."""

    body: bytes
    cost_usd: float | None


async def answer_chat(desk: Desk, visit: Visit) -> Reply:
    """Serve a request that wants its answer whole. Raises GatewayError."""
    with begin(desk, visit) as turn:
        try:
            with _told_of_a_stop(visit):
                answered = await desk.upstream.fetch(turn.journey, turn.providers)
        except GatewayError as error:
            raise turn.failed(error) from error.__cause__
        return _reply(turn, answered)


def _reply(turn: Turn, answered: Answered) -> Reply:
    stamp = turn.chose(answered.step, answered.notes)
    answer = _shown(turn, answered.answer)
    turn.meter.whole(answered.answer)
    bill = turn.settle()
    turn.close()
    billing = bill.billing()
    usage = usage_body(bill.usage, billing)
    return Reply(answer_body(stamp, answer, usage, turn.metadata_member()), billing.cost)


async def stream_chat(desk: Desk, visit: Visit) -> AsyncGenerator[bytes, None]:
    """Serve a request as a stream of events. Raises GatewayError only before the first.

    After the first event there is no failover: what breaks then ends the stream
    with one error event. Otherwise the usage event and `[DONE]` end it.
    """
    with begin(desk, visit) as turn:
        try:
            with _told_of_a_stop(visit):
                opened = await desk.upstream.open(turn.journey, turn.providers)
        except GatewayError as error:
            raise turn.failed(error) from error.__cause__
        with closing(opened.stream):
            pump = _Pump(turn, opened)
            if visit.call.echo_upstream_body:
                yield pump.echo()
            if out := pump.write(opened.first):
                yield out
            while pump.fault is None and (chunks := await _next(pump, opened)) is not None:
                if out := pump.write(chunks):
                    yield out
            yield pump.ending()


@contextmanager
def _told_of_a_stop(visit: Visit) -> Iterator[None]:
    """Make a cancellation an error that is answered, unless nobody is there to read it."""
    try:
        yield
    except CancelledError:
        if visit.left():
            raise
        raise Unavailable(stopping().message, retry_after_s=1) from None


async def _next(pump: "_Pump", opened: Opened) -> list[Chunk] | None:
    """Return the next chunks, None when there are none; a break becomes the pump's fault."""
    try:
        return await opened.stream.next()
    except AttemptFailed as failed:
        pump.broke(failed.fault)
    except CancelledError:
        if pump.left():
            raise
        pump.broke(stopping())
    return None


class _Pump:
    """Turns the chunks of one stream into events for the client."""

    __slots__ = ("_meter", "_opened", "_strip", "_turn", "_writer", "fault")

    def __init__(self, turn: Turn, opened: Opened) -> None:
        self.fault: Fault | None = None
        self._turn = turn
        self._meter = turn.meter
        self._opened = opened
        self._writer = ChunkWriter(turn.chose(opened.step, opened.notes))
        reasoning = turn.visit.call.reasoning
        self._strip = reasoning is not None and reasoning.exclude

    def left(self) -> bool:
        """Say whether the client has hung up."""
        return self._turn.visit.left()

    def broke(self, fault: Fault) -> None:
        """Take note that nothing more comes: a fault, unless every choice has ended already."""
        if not self._meter.complete:
            self.fault = fault

    def echo(self) -> bytes:
        """Return an event for every body that was sent upstream."""
        return b"".join(map(self._writer.debug, self._turn.journey.sent))

    def write(self, chunks: list[Chunk]) -> bytes:
        """Return the events for some chunks, up to the first that carries an error."""
        events = []
        for chunk in chunks:
            if chunk.fault is not None:
                self.fault = fault_of_stream(chunk.fault)
                break
            if any(piece.finish_reason == "error" for piece in chunk.pieces):
                self.fault = gave_up()
                break
            pieces = self._meter.see(chunk)
            if chunk.service_tier is not None:
                self._writer.tier(chunk.service_tier)
            if pieces and self._strip:
                pieces = _without_reasoning(pieces)
            if pieces:
                events.append(self._writer.pieces(pieces))
        return events[0] if len(events) == 1 else b"".join(events)

    def ending(self) -> bytes:
        """Settle, record, and return the events that end the stream."""
        if not self._opened.stream.said_done and self.fault is None:
            self.broke(cut_off())
        return self._end() if self.fault is None else self._broken(self.fault)

    def _end(self) -> bytes:
        ends = self._meter.ends
        before = b""
        unsaid = self._meter.begun - ends.keys()
        for index in sorted(unsaid if unsaid or ends else {0}):
            ends[index] = Piece(index=index, delta={}, finish_reason="stop")
            before += self._writer.pieces((ends[index],))
        turn = self._turn
        bill = turn.settle()
        turn.close()
        usage = usage_body(bill.usage, bill.billing())
        last = ends[min(ends)]
        return before + self._writer.usage(last, usage, turn.metadata_member()) + DONE

    def _broken(self, fault: Fault) -> bytes:
        error = in_band(fault, self._opened.step)
        bill = self._turn.broke(error)
        usage = usage_body(bill.usage, bill.billing())
        return self._writer.error(error_object(error), usage, self._turn.metadata_member())


def _shown(turn: Turn, answer: Answer) -> Answer:
    """Return the answer without its reasoning, if the caller does not want to see it."""
    reasoning = turn.visit.call.reasoning
    if reasoning is None or not reasoning.exclude:
        return answer
    choices = tuple(_silent(choice) for choice in answer.choices)
    return msgspec.structs.replace(answer, choices=choices)


def _silent(choice: Choice) -> Choice:
    return msgspec.structs.replace(choice, message=_stripped(choice.message))


def _without_reasoning(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return the pieces without reasoning, and without those that consist of nothing else."""
    kept = (msgspec.structs.replace(piece, delta=_stripped(piece.delta)) for piece in pieces)
    return tuple(piece for piece in kept if piece.has_content or piece.finish_reason)


def _stripped(members: Members) -> Members:
    return {name: value for name, value in members.items() if name not in REASONING}
