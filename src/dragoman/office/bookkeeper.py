"""The bookkeeper: what journals tell goes into the books and the records, each once.

The destination of `dragoman.store.journal.applier`. Money and records have a database each,
and each an offset for every journal: money first, then the record of it. Requests that
were begun and not yet ended are remembered, so that they can be concluded when their worker is
dead: a stream by what had come of it, any other as lost. Sums of the records may wait here for
some seconds: `flush` writes them for who wants to read them.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger import acts, leases, settle
from dragoman.ledger.acts import Act, Final, Progress, Start
from dragoman.ledger.types import Settled
from dragoman.office.alarms import House, Overrun
from dragoman.records import journaled, lines
from dragoman.records.journaled import Behind, SummedElsewhere, Told, Waiting
from dragoman.records.lines import Line
from dragoman.records.rows import COLUMNS
from dragoman.records.types import Generation
from dragoman.store.journal.applier import ReadAgain
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.frames import JournalRefused
from dragoman.store.journal.sources import Batch
from dragoman.store.sql import Database, T, Work, giving_way
from dragoman.store.turns import in_parts, let_go
from dragoman.wire.usage import Usage

CONCLUDED = 1
"""What a journal's end adds to its offset when requests are concluded there."""
STALE_S = 3600.0
"""A worker that renewed no lease for so long is gone: far longer than any request takes."""
REAP_S = 60.0
SUM_S = 5.0
"""How long sums of many keys may wait to become fewer rows together."""

_decode = acts.reader(Line)

ENDPOINT = COLUMNS.index("endpoint")

_log = logging.getLogger(__name__)


class _Open(Struct):
    """A request that has not ended, and where its journal began to tell of it."""

    start: Start
    begins: int
    progress: Progress | None = None


class _News(Struct, frozen=True):
    """What some records tell: what to book, and what to store."""

    settled: list[Settled]
    told: list[Told]
    overran: list[Overrun]


class Bookkeeper:
    """A `dragoman.store.journal.applier.Destination` over the ledger and the records."""

    def __init__(
        self,
        ledger: Database,
        records: Database,
        node: str,
        clock: Clock,
        house: House | None = None,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._node = node
        self._clock = clock
        self._house = house
        self.booked = 0
        """How often something was booked here."""
        self._open: dict[str, dict[str, _Open]] = {}
        self._ends: dict[str, int] = {}
        self._alive: set[str] = set()
        self._waiting: dict[str, Waiting] = {}
        self._summing = asyncio.Lock()

    async def begin(self, incarnation: str) -> None:
        """Make a worker known to the ledger, before its first lease."""
        await self._introduce(incarnation)
        self._alive.add(incarnation)

    async def _introduce(self, incarnation: str) -> None:
        def work(connection: Connection) -> None:
            now = leases.database_time(connection)
            leases.open_journal(incarnation, self._node, now)(connection)

        await self._ledger.run(work)

    async def applied(self, incarnation: str) -> int | None:
        """Return from where the journal is to be read, None when it was ended."""
        booked = await self._ledger.read(settle.reached(incarnation))
        if booked is None:  # of a time after the backup that was restored, or nobody had leased yet
            await self._introduce(incarnation)
            booked = settle.Reached(0, 0, closed=False)
        found = await self._records.read(journaled.reached(incarnation))
        self._waiting[incarnation] = Waiting(found.summed)
        self._open.pop(incarnation, None)
        if booked.closed and min(found.stored, found.summed) >= booked.applied:
            del self._waiting[incarnation]
            return None
        return min(booked.open_from, found.stored, found.summed)

    async def apply(self, batch: Batch) -> None:
        """Book and store what a batch tells, as far as it is new."""
        news = await self._read(batch)
        open_ = self._open[batch.incarnation].values()
        oldest = min((each.begins for each in open_), default=batch.offset)
        self._ends[batch.incarnation] = batch.offset
        now = self._clock.wall()
        name, start, end = batch.incarnation, batch.start, batch.offset
        work = settle.apply(name, news.settled, end, now, oldest, start)
        await self._book(name, self._telling(work, news.overran, now))
        await self._record(name, news.told, end, start)
        self.booked += 1
        await let_go(news.settled)
        await let_go(news.told)

    def _telling(self, book: Work[int], overran: Sequence[Overrun], now: float) -> Work[int]:
        """Return work that books, and tells the house what of it went beyond its bound."""

        def work(connection: Connection) -> int:
            booked = book(connection)
            if booked and overran and self._house is not None:
                self._house.overran(connection, overran, now)
            return booked

        return work

    async def flush(self) -> None:
        """Write the sums that wait. Raises Unavailable."""
        for incarnation in list(self._waiting):
            with suppress(ReadAgain):  # told to who applies the next batch of it
                await self._flush(incarnation)

    async def sum_up(self) -> None:
        """Write sums that have waited long enough, until cancelled."""
        while True:
            await asyncio.sleep(SUM_S)
            with suppress(Unavailable):
                await self.flush()

    async def end(self, incarnation: str, _ending: Ending) -> None:
        """Conclude what a dead worker had not, and free what it had leased."""
        await self._conclude(incarnation)
        await self._flush(incarnation)

        def work(connection: Connection) -> None:
            settle.close(incarnation, leases.database_time(connection))(connection)

        await self._book(incarnation, work)
        self._open.pop(incarnation, None)
        self._ends.pop(incarnation, None)
        self._alive.discard(incarnation)
        self.booked += 1
        self._waiting.pop(incarnation, None)

    async def reap(self, living: Callable[[], Collection[str]]) -> None:
        """Write off, again and again, what is leased to workers that are gone, for ever.

        `living` tells which journals of this node have a writer.
        """
        while True:
            await asyncio.sleep(REAP_S)
            with suppress(Unavailable):  # so there is a next time
                await self.write_off_gone(living())

    async def write_off_gone(self, living: Collection[str] = ()) -> None:
        """Write off what workers had leased of which nothing was heard for an hour.

        Not those of this node that live: it may be the machine that slept, or its clock that was
        put forward. Raises Unavailable.
        """
        for incarnation in await self._ledger.read(_stale):
            if incarnation in self._alive or incarnation in living:
                continue
            written_off = await self._ledger.run(_written_off(incarnation))
            detail = {"journal": incarnation, "nanos": written_off}
            _log.error("ledger.written_off", extra=detail)

    async def _conclude(self, incarnation: str) -> None:
        left = self._open.get(incarnation)
        if not left:
            return
        # Recorded before it is booked: as long as it is not booked, all of it is read again.
        end = self._ends[incarnation]
        offset = end + CONCLUDED
        news = _conclusion(left.values(), offset)
        await self._record(incarnation, news.told, offset, end)
        # Records may lose what they had last, with the power: then it is read again from there.
        oldest = min(each.begins for each in left.values())
        now = self._clock.wall()
        work = settle.apply(incarnation, news.settled, offset, now, oldest, end)
        await self._book(incarnation, work)
        _log.warning("ledger.concluded", extra={"journal": incarnation, "requests": len(left)})

    async def _book(self, incarnation: str, work: Work[T]) -> None:
        """Do it in the ledger. Raises ReadAgain when that is not as it was: an older one, say."""
        try:
            await self._ledger.run(giving_way(work))
        except (settle.Behind, settle.UnknownJournal) as why:
            _log.error("ledger.behind", extra={"journal": incarnation, "reason": str(why)})
            raise ReadAgain(incarnation) from why

    async def _record(
        self, incarnation: str, told: Sequence[Told], offset: int, start: int
    ) -> None:
        """Store what is new; with it the sums that wait, if that is better now than later."""
        async with self._summing:
            waiting = self._waiting.setdefault(incarnation, Waiting(0))
            await _add(waiting, told, offset)
            due = waiting if waiting.is_due else None
            await self._write(incarnation, journaled.record(incarnation, told, offset, due, start))
            if due is not None:
                self._waiting[incarnation] = Waiting(waiting.end)

    async def _flush(self, incarnation: str) -> None:
        async with self._summing:
            waiting = self._waiting.get(incarnation)
            if waiting is not None and waiting.start < waiting.end:
                await self._write(incarnation, journaled.sum_up(incarnation, waiting))
                self._waiting[incarnation] = Waiting(waiting.end)

    async def _write(self, incarnation: str, work: Work[None]) -> None:
        try:
            await self._records.run(giving_way(work))
        except Behind as why:
            _log.error("records.behind", extra={"journal": incarnation, "reason": str(why)})
            raise ReadAgain(incarnation) from why
        except SummedElsewhere as why:
            raise ReadAgain(incarnation) from why

    async def _read(self, batch: Batch) -> _News:
        """Return what a batch tells. A beginning whose end is here, too, is not looked at."""
        open_ = self._open.setdefault(batch.incarnation, {})
        news = _News([], [], [])
        begun: dict[bytes, tuple[bytes, int]] = {}
        offset = batch.start
        try:
            async for records in in_parts(batch.records):
                for record in records:
                    begins, offset, payload = offset, record.offset, record.payload
                    if (id_ := acts.begun(payload)) is not None:
                        begun[id_] = (payload, begins)
                        continue
                    act = _decode(payload)
                    _note(news, act, offset, open_, begun.pop(act.id.encode(), None))
            for left in begun.values():
                _remember(open_, *left)
        except msgspec.DecodeError as error:
            raise JournalRefused(f"The record before {offset} is none: {error}") from None
        return news


def _note(
    news: _News,
    act: Act[Line],
    offset: int,
    open_: dict[str, _Open],
    here: tuple[bytes, int] | None,
) -> None:
    """Note what one record tells that is no beginning; `here` is that, if this batch has it."""
    if not isinstance(act, Final):
        if here is not None:
            _remember(open_, *here)
        if isinstance(act, Progress) and (found := open_.get(act.id)) is not None:
            found.progress = act
        return
    if here is None:
        open_.pop(act.id, None)
    line = lines.complete(act.record)
    news.settled.append(acts.settled(act, offset))
    news.told.append(Told(offset, line))
    if act.overrun or (act.draws and act.draws[0].beyond):
        news.overran.append(_overrun(act, line))


async def _add(waiting: Waiting, told: Sequence[Told], offset: int) -> None:
    """Add what comes up to an offset, in parts that end between two offsets."""
    if told and told[0].offset == told[-1].offset:
        waiting.add(told, offset)
        return
    async for part in in_parts(told):
        waiting.add(part, part[-1].offset)
    waiting.add((), offset)


def _overrun(final: Final[Line], line: Line) -> Overrun:
    """Return what is told of a generation that cost more than was held for it."""
    beyond = max((draw.beyond for draw in final.draws), default=0)
    endpoint = str(line.row[ENDPOINT] or "")
    amount = final.overrun + beyond
    _log.warning("ledger.overrun", extra={"endpoint": endpoint, "nanos": amount, "id": final.id})
    return Overrun(generation=final.id, endpoint=endpoint, amount=amount, purse=beyond > 0)


def _remember(open_: dict[str, _Open], payload: bytes, begins: int) -> None:
    """Remember a request that has begun."""
    act = acts.decode(payload)
    if isinstance(act, Start):
        open_[act.id] = _Open(act, begins)


def _stale(connection: Connection) -> tuple[str, ...]:
    return leases.stale(leases.database_time(connection) - STALE_S)(connection)


def _written_off(incarnation: str) -> Work[int]:
    def work(connection: Connection) -> int:
        return settle.write_off(incarnation, leases.database_time(connection))(connection)

    return work


def _conclusion(left: Collection[_Open], offset: int) -> _News:
    """Return what is booked and stored for requests that were never ended."""
    settled = [acts.concluded(each.start, each.progress, offset) for each in left]
    told = [
        Told(offset, lines.line(_unfinished(each, booked)))
        for each, booked in zip(left, settled, strict=True)
    ]
    return _News(settled, told, [])


def _unfinished(one: _Open, booked: Settled) -> Generation:
    """Return the record of a request whose worker died before it ended."""
    start, progress = one.start, one.progress
    billed = progress.billed if progress else None
    return Generation(
        id=start.id,
        created_at=start.at,
        key_hash=start.key_hash,
        requested=start.requested,
        model=progress.model if progress else None,
        provider=progress.provider if progress else None,
        provider_name=progress.provider_name if progress else None,
        endpoint=progress.endpoint if progress else None,
        streamed=start.streamed,
        status=500,
        error_type="server",
        finish_reason="error",
        usage=Usage(
            prompt=progress.prompt if progress else 0,
            completion=progress.completion if progress else 0,
            source="estimated" if progress else "lost",
        ),
        cost_nanos=booked.cost,
        fee_ppm=progress.fee_ppm if progress else 0,
        draws=tuple([(draw.purse, draw.amount) for draw in booked.draws]),
        account=start.account,
        user=start.user,
        is_byok=billed is not None,
        byok_nanos=NanoUsd(billed or 0),
    )
