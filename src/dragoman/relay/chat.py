"""Chat completions: the steps of `dragoman.relay.life`, walked for whole answers and streams."""

from asyncio import CancelledError, to_thread
from contextlib import closing
from typing import Protocol

import msgspec
from msgspec import Struct

from dragoman.core.errors import GatewayError, Unavailable
from dragoman.providers.dialect import Fault
from dragoman.relay.gathered import Gathered
from dragoman.relay.life import Turn, begin
from dragoman.relay.linger import GiveUp
from dragoman.relay.meter import QUOTES
from dragoman.relay.visit import Desk, Visit
from dragoman.upstream.attempt import Answered, Opened
from dragoman.upstream.failure import in_band
from dragoman.upstream.faults import AttemptFailed, cut_off, stopping, was_sent
from dragoman.upstream.gatherer import fault_in
from dragoman.wire.dialect import Around, Spent, Told
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.hub import LARGE_BYTES, Answer, Choice, Chunk, Members, Piece, Text

REASONING = frozenset({"reasoning", "reasoning_details"})
NOTHING_NEW = Chunk()
"""What comes of us, and of no provider."""


class Reply(Struct, frozen=True):
    """A whole answer, ready to send, and what it cost in USD, None if that is unknown."""

    body: bytes
    cost_usd: float | None


async def answer_chat(desk: Desk, visit: Visit) -> Reply:
    """Serve a request that wants its answer whole. Raises GatewayError.

    Where it comes as a stream, what came before an error of ours is charged.
    """
    with begin(desk, visit) as turn:
        visit.on_leave(turn.stays)
        turn.journey.watch = Gathered(turn)
        try:
            await turn.enter()
            answered = await desk.upstream.fetch(turn.journey, turn.providers)
        except GatewayError as error:
            if turn.step is not None and turn.gave_up(error):
                turn.settle()
            raise turn.failed(error) from error.__cause__
        except CancelledError:
            if visit.left():
                raise
            if turn.step is not None:
                turn.settle()
            raise turn.failed(_stopped()) from None
        if visit.call.kind == "embeddings":
            answered = await _eased(turn, answered)
        return _reply(turn, answered)


async def _eased(turn: Turn, answered: Answered) -> Answered:
    """Return the answer with its vectors in the form that was asked for, if there are many.

    They are rewritten in a thread: for what is large that takes longer than others should wait.
    Who hangs up meanwhile pays for what has come.
    """
    body = answered.answer.native
    if body is None or len(body) < LARGE_BYTES:
        return answered
    try:
        body = await to_thread(EMBEDDINGS.wanted, turn.visit.call, body)
    except CancelledError:
        turn.chose(answered.step, answered.notes)
        turn.meter.whole(answered.answer)
        raise
    eased = msgspec.structs.replace(answered.answer, native=body)
    return msgspec.structs.replace(answered, answer=eased)


def _reply(turn: Turn, answered: Answered) -> Reply:
    stamp = turn.chose(answered.step, answered.notes)
    answer, visit = answered.answer, turn.visit
    reasoning = visit.call.reasoning
    if reasoning is not None and reasoning.exclude:
        answer = _without_thoughts(answer)
    if not answered.gathered:
        turn.meter.whole(answered.answer)
    if turn.transcript is not None:
        turn.transcript.whole(answer)
    bill = turn.settle()
    turn.close()
    spent = Spent(bill.usage, bill.billing())
    told = Told(stamp=stamp, call=visit.call, native=answered.speaks == visit.dialect.name)
    body = visit.dialect.answer(told, answer, spent, turn.metadata_member())
    return Reply(body, spent.billing.cost)


class Outlet(Protocol):
    """The way to the client of a stream."""

    def put(self, events: bytes, now: float) -> bool:
        """Send events at monotonic time `now`; say whether more may follow at once.

        Otherwise `ready` has to be awaited before anything else is put.
        """

    async def ready(self) -> None:
        """Return once all that was put is on its way and there is room for more.

        Who is cancelled here, since the server stops, may `finish` all the same.
        """

    def finish(self, events: bytes) -> None:
        """Send the last events, behind all that was put."""


async def stream_chat(desk: Desk, visit: Visit, outlet: Outlet) -> None:
    """Serve a request as a stream of events. Raises GatewayError only before the first.

    After the first event there is no failover: what breaks then ends the stream
    with one error event. Otherwise the usage event and `[DONE]` end it. In between this
    task sleeps: events go out from where the provider's bytes come in.
    """
    with begin(desk, visit) as turn:
        visit.on_leave(turn.stays)
        try:
            await turn.enter()
            opened = await desk.upstream.open(turn.journey, turn.providers)
        except GatewayError as error:
            raise turn.failed(error) from error.__cause__
        except CancelledError:
            if visit.left():
                raise
            raise turn.failed(_stopped()) from None
        with closing(opened.stream):
            pump = _Pump(turn, opened, outlet)
            visit.on_leave(pump.stays)
            pump.begin()
            there = await _caught_up(pump)
            while there and await _pour(pump, opened):
                there = await _caught_up(pump)
            if there:
                await _caught_up(pump)
            pump.end()


def _stopped() -> Unavailable:
    """Return what a cancellation is to a client who is still there: the server stops."""
    return Unavailable(stopping().message, retry_after_s=1)


async def _caught_up(pump: "_Pump") -> bool:
    """Wait until the client has room for more; False when the server stops before that.

    That becomes the pump's fault: a client that reads slowly is told of it, too.
    """
    try:
        await pump.outlet.ready()
    except CancelledError:
        if pump.left():
            raise
        pump.broke(stopping())
        return False
    return True


async def _pour(pump: "_Pump", opened: Opened) -> bool:
    """Let the stream run until its client has to catch up, or, then False, it is over.

    A break becomes the pump's fault.
    """
    if not pump.goes_on:
        return False
    try:
        await opened.stream.pour(pump.take, pump.hear)
    except AttemptFailed as failed:
        pump.broke(failed.fault)
        return False
    except CancelledError:
        if pump.left():
            raise
        pump.broke(stopping())
        return False
    return not opened.stream.done and pump.goes_on


class _Pump:
    """Turns the chunks of one stream into events for the client."""

    __slots__ = (
        "_alone",
        "_around",
        "_error",
        "_meter",
        "_opened",
        "_speaks",
        "_strip",
        "_tab",
        "_transcript",
        "_turn",
        "_writer",
        "fault",
        "outlet",
    )

    def __init__(self, turn: Turn, opened: Opened, outlet: Outlet) -> None:
        self.fault: Fault | None = None
        self._error: GatewayError | None = None
        self.outlet = turn.linger or outlet
        self._tab = turn.tab
        self._transcript = turn.transcript
        self._turn = turn
        turn.follow()
        self._meter = turn.meter
        self._opened = opened
        visit = turn.visit
        self._writer = visit.dialect.writer(
            Told(
                stamp=turn.chose(opened.step, opened.notes),
                call=visit.call,
                native=opened.speaks == visit.dialect.name,
            )
        )
        self._alone = turn.tab is None and turn.transcript is None
        """Whether nobody but the client and the meter hears the answer."""
        self._speaks: int | None = None
        """The choice whose text came last, alone: the meter has heard it, and it has not ended."""
        self._around: Around
        """What stands before and after its texts."""
        reasoning = visit.call.reasoning
        self._strip = reasoning is not None and reasoning.exclude

    @property
    def goes_on(self) -> bool:
        """Whether nothing has ended the stream yet."""
        return self.fault is None and self._error is None

    def stays(self, give_up: GiveUp) -> bool:
        """Say whether the answer is read on though its client left; from now on to nobody."""
        if not self._turn.stays(give_up) or self._turn.linger is None:
            return False
        self.outlet = self._turn.linger
        return True

    def left(self) -> bool:
        """Say whether the client has hung up."""
        return self._turn.visit.left()

    def broke(self, fault: Fault) -> None:
        """Take note that nothing more comes: a fault, unless every choice has ended already."""
        if not self._meter.complete:
            self.fault = fault

    def begin(self) -> None:
        """Send the chunks that opened the stream, after an echo of what went upstream, if wanted.

        The echo is an event for every body that was sent.
        """
        turn, now = self._turn, self._meter.now()
        events = self._echoes() if turn.visit.call.echo_upstream_body else []
        events.append(self._write(self._opened.first, now))
        if self._transcript is not None:
            self._transcript.hear(self._opened.first)
        if any(events):
            self.outlet.put(b"".join(events), now)

    def _echoes(self) -> list[bytes]:
        """Return the events that echo what went upstream, each in the name of who was asked."""
        journey = self._turn.journey
        asked = [one.step for one in journey.tries if was_sent(one)]
        return [
            self._writer.debug(body, self._turn.stamp(step))
            for body, step in zip(journey.sent, asked, strict=False)
        ]

    def take(self, chunks: list[Chunk | Text], now: float) -> bool:
        """Send the events for chunks that came at `now`; say whether more may come at once."""
        self._speaks = None
        events = self._write(chunks, now)
        if self._transcript is not None:
            self._transcript.hear(chunks)
        return (not events or self.outlet.put(events, now)) and self.goes_on

    def hear(self, text: Text, now: float) -> bool:
        """Do what `take` does for a text that came alone."""
        if text.index != self._speaks:
            return self._hear_first(text, now)
        meter, content = self._meter, text.content
        meter.last_content = now
        meter.produced_bytes += len(content) - QUOTES
        before, after = self._around
        wants_more = self._alone or self._tell(text)
        return self.outlet.put(b"".join((before, content, after)), now) and wants_more

    def _hear_first(self, text: Text, now: float) -> bool:
        """Do what `hear` does for a text around which something else stands than before."""
        if not self._meter.hear(text, now):
            return True
        event = self._writer.text(text)
        around = self._writer.around(text.index)
        if around is not None:
            self._speaks, self._around = text.index, around
        wants_more = self._alone or self._tell(text)
        return (not event or self.outlet.put(event, now)) and wants_more

    def _tell(self, text: Text) -> bool:
        """Let those who hear the answer, too, hear a text; say whether it may go on."""
        if self._tab is not None:
            self._error = self._tab.grown(self._meter.produced_bytes)
        if self._transcript is not None:
            self._transcript.hear([text])
        return self._error is None

    def end(self) -> None:
        """Settle, write it down, and have the events sent that end the stream."""
        self.outlet.finish(self._last_events())

    def _last_events(self) -> bytes:
        if self._error is not None and not self._meter.complete:
            return self._broken(self._error)
        if not self._opened.stream.said_done and self.fault is None:
            self.broke(cut_off())
        if self.fault is None:
            return self._ending()
        opened = self._opened
        return self._broken(in_band(self.fault, opened.step, opened.credential), self.fault)

    def _write(self, chunks: list[Chunk | Text], now: float) -> bytes:
        """Return the events for some chunks, up to the first that carries an error."""
        events = []
        hear, see = self._meter.hear, self._meter.see
        text, write = self._writer.text, self._writer.chunk
        for chunk in chunks:
            if isinstance(chunk, Text):
                if hear(chunk, now):
                    events.append(text(chunk))
                continue
            fault = fault_in(chunk)
            if fault is not None:
                if self._meter.said_all:
                    continue
                self.fault = fault
                break
            pieces = see(chunk, now)
            if pieces and self._strip:
                pieces = _without_reasoning(pieces)
            if event := write(chunk, pieces):
                events.append(event)
        if self._tab is not None:
            self._error = self._tab.grown(self._meter.produced_bytes)
        return events[0] if len(events) == 1 else b"".join(events)

    def _ending(self) -> bytes:
        ends = self._meter.ends
        before = b""
        unsaid = self._meter.begun - ends.keys()
        for index in sorted(unsaid if unsaid or ends else {0}):
            reason = "tool_calls" if index in self._meter.called else "stop"
            ends[index] = Piece(index=index, delta={}, finish_reason=reason)
            before += self._writer.chunk(NOTHING_NEW, (ends[index],))
        turn = self._turn
        bill = turn.settle()
        turn.close()
        spent = Spent(bill.usage, bill.billing())
        return before + self._writer.end(ends, spent, turn.metadata_member())

    def _broken(self, error: GatewayError, fault: Fault | None = None) -> bytes:
        bill = self._turn.broke(error, fault)
        spent = Spent(bill.usage, bill.billing())
        return self._writer.error(error, spent, self._turn.metadata_member())


def _without_thoughts(answer: Answer) -> Answer:
    """Return the answer without its reasoning, which the caller does not want to see."""
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
