"""Reads what was written: one generation, the latest, and the usage of a key."""

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
)

from dragoman.core.money import NanoUsd
from dragoman.records import trail
from dragoman.records.analysis import answer
from dragoman.records.questions import Answer, Question
from dragoman.records.rows import from_row
from dragoman.records.tables import generation, key_usage
from dragoman.records.types import Generation
from dragoman.store.sql import Database

DAY_S = 86_400.0
PAGE = 200
"""How many generations of a key are looked at, at once."""
SUMS = ("total", "day", "week", "month", "byok", "byok_day", "byok_week", "byok_month")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which generations to read; None lets all through. `since` is Unix time, inclusive.

    `model` is the one that was asked for, or the one that answered.
    """

    model: str | None = None
    provider: str | None = None
    status: int | None = None
    key_hash: str | None = None
    since: float | None = None
    before: float | None = None
    """Unix time, exclusive."""
    failed: bool = False
    user: str | None = None
    session_id: str | None = None
    account: str | None = None


class KeyUsage(Struct, frozen=True, kw_only=True):
    """What a key has spent: ever, and in the present UTC day, week (from Monday) and month.

    `last` is when its latest generation began, in Unix time.
    """

    total: NanoUsd = NanoUsd(0)
    day: NanoUsd = NanoUsd(0)
    week: NanoUsd = NanoUsd(0)
    month: NanoUsd = NanoUsd(0)
    byok: NanoUsd = NanoUsd(0)
    byok_day: NanoUsd = NanoUsd(0)
    byok_week: NanoUsd = NanoUsd(0)
    byok_month: NanoUsd = NanoUsd(0)
    """The same of what providers bill the account itself."""
    last: float | None = None


async def nothing_pending() -> None:
    """Stand in for a `flush` where nothing waits to be written."""


class Reader:
    """Reads the records, including those that `flush` has yet to write."""

    def __init__(
        self, records: Database, flush: Callable[[], Awaitable[None]] = nothing_pending
    ) -> None:
        self._records = records
        self._flush = flush

    async def flushed(self) -> None:
        """Have all on record, and in the books, that ended before now."""
        await self._flush()

    async def one(
        self, id_: str, *, key_hash: str | None, account: str | None = None
    ) -> Generation | None:
        """Return a generation, of this key and account only unless None.

        One that was recorded a moment ago is found: it is written first.
        """
        query = select(generation).where(generation.c.id == id_)
        if key_hash is not None:
            query = query.where(generation.c.key_hash == key_hash)
        if account is not None:
            query = query.where(generation.c.account == account)
        found = await self._read(query)
        if not found:
            await self._flush()
            found = await self._read(query)
        return found[0] if found else None

    async def latest(self, wanted: Wanted, limit: int) -> tuple[Generation, ...]:
        """Return at most `limit` generations, newest first, as far as they are written."""
        query = _matching(wanted).order_by(generation.c.created_at.desc(), generation.c.id.desc())
        key_hash = wanted.key_hash
        if key_hash is None:
            return await self._read(query.limit(limit))
        upto = math.inf if wanted.before is None else wanted.before
        return await self._records.read(
            lambda found: _of_key(found, query, _Bounds(key_hash, wanted.since or 0.0, upto), limit)
        )

    async def after(
        self, wanted: Wanted, last: tuple[float, str], limit: int
    ) -> tuple[Generation, ...]:
        """Return at most `limit` generations in the order of time, after one (when, its id)."""
        at, id_ = last
        table = generation.c
        beyond = or_(table.created_at > at, and_(table.created_at == at, table.id > id_))
        query = _matching(wanted).where(table.created_at >= at, beyond)
        return await self._read(query.order_by(table.created_at, table.id).limit(limit))

    async def answer(self, asked: Question) -> Answer:
        """Add up what happened up to this moment. Raises as `analysis.answer` does."""
        await self._flush()
        return await self._records.read(answer(asked))

    async def usage(self, key_hash: str, now: float) -> KeyUsage:
        """Return what a key has spent up to this moment."""
        await self._flush()
        return await self._records.read(lambda connection: _usage(connection, key_hash, now))

    async def usages(self, key_hashes: Sequence[str], now: float) -> dict[str, KeyUsage]:
        """Return what some keys have spent up to this moment; who spent nothing is left out."""
        await self._flush()
        return await self._records.read(lambda connection: _usages(connection, key_hashes, now))

    async def spent(self) -> NanoUsd:
        """Return what all keys have spent up to this moment."""
        await self._flush()
        return await self._records.read(_spent)

    async def _read(self, query: Select[tuple[object, ...]]) -> tuple[Generation, ...]:
        return await self._records.read(lambda connection: _rows(connection, query))


def _spent(connection: Connection) -> NanoUsd:
    total = select(func.coalesce(func.sum(key_usage.c.cost_nanos), 0))
    return NanoUsd(int(connection.execute(total).scalar_one()))


def _rows(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[Generation, ...]:
    return tuple(from_row(dict(row)) for row in connection.execute(query).mappings())


class _Bounds(Struct, frozen=True):
    """Whose generations are wanted: since when, inclusive, and before when."""

    key_hash: str
    since: float
    before: float


def _of_key(
    connection: Connection, query: Select[tuple[object, ...]], bounds: _Bounds, limit: int
) -> tuple[Generation, ...]:
    """Return the latest of a key, looking only where it was used."""
    if connection.dialect.name == "sqlite" and trail.is_whole(connection):
        return _along_the_trail(connection, query, bounds, limit)
    days = select(key_usage.c.day).where(key_usage.c.key_hash == bounds.key_hash)
    found: list[Generation] = []
    for day in connection.execute(days.order_by(key_usage.c.day.desc())).scalars():
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        if start >= bounds.before:
            continue
        if start + DAY_S <= bounds.since:
            break
        within = (generation.c.created_at >= start, generation.c.created_at < start + DAY_S)
        found += _rows(connection, query.where(*within).limit(limit - len(found)))
        if len(found) >= limit:
            break
    return tuple(found)


def _along_the_trail(
    connection: Connection, query: Select[tuple[object, ...]], bounds: _Bounds, limit: int
) -> tuple[Generation, ...]:
    place: ColumnElement[int] = literal_column("generation.rowid")
    waiting: list[trail.Found] = []
    found: list[Generation] = []
    for some, complete in trail.of_key(connection, bounds.key_hash, bounds.before):
        waiting += some
        sure = sorted(each for each in waiting if each[0] > complete)
        waiting = [each for each in waiting if each[0] <= complete]
        while sure and len(found) < limit:
            page = [sure.pop()[1] for _ in range(min(PAGE, len(sure)))]
            found += _rows(connection, query.where(place.in_(page)).limit(limit - len(found)))
        if len(found) >= limit or complete < bounds.since:
            break
    return tuple(found)


def _matching(wanted: Wanted) -> Select[tuple[object, ...]]:
    table, query = generation.c, select(generation)
    if wanted.model is not None:
        query = query.where(or_(table.model == wanted.model, table.requested == wanted.model))
    if wanted.provider is not None:
        query = query.where(table.provider == wanted.provider)
    if wanted.status is not None:
        query = query.where(table.status == wanted.status)
    if wanted.key_hash is not None:
        query = query.where(table.key_hash == wanted.key_hash)
    if wanted.since is not None:
        query = query.where(table.created_at >= wanted.since)
    return _narrowed(query, wanted)


def _narrowed(query: Select[tuple[object, ...]], wanted: Wanted) -> Select[tuple[object, ...]]:
    table = generation.c
    if wanted.before is not None:
        query = query.where(table.created_at < wanted.before)
    if wanted.failed:
        query = query.where(table.status >= 400)
    for column, value in (
        (table.user, wanted.user),
        (table.session_id, wanted.session_id),
        (table.account, wanted.account),
    ):
        if value is not None:
            query = query.where(column == value)
    return query


def _usage(connection: Connection, key_hash: str, now: float) -> KeyUsage:
    return _usages(connection, (key_hash,), now).get(key_hash, KeyUsage())


def _usages(connection: Connection, hashes: Sequence[str], now: float) -> dict[str, KeyUsage]:
    today = datetime.fromtimestamp(now, UTC).date()
    starts = (date.min, today, today - timedelta(days=today.weekday()), today.replace(day=1))
    sums = [
        func.coalesce(func.sum(case((key_usage.c.day >= start, column))), 0)
        for column in (key_usage.c.cost_nanos, key_usage.c.byok_nanos)
        for start in starts
    ]
    last = func.max(key_usage.c.last_at)
    query = select(key_usage.c.key_hash, last, *sums).where(key_usage.c.key_hash.in_(hashes))
    usages = {}
    for key_hash, latest, *row in connection.execute(query.group_by(key_usage.c.key_hash)):
        used = dict(zip(SUMS, (NanoUsd(int(each)) for each in row), strict=True))
        usages[key_hash] = KeyUsage(**used, last=latest or None)
    return usages
