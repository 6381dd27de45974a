"""Reads what the recorder wrote: one generation, the latest, and the usage of a key."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct
from sqlalchemy import Connection, Select, case, func, or_, select

from dragoman.core.money import NanoUsd
from dragoman.records.rows import from_row
from dragoman.records.tables import generation, key_usage
from dragoman.records.types import Generation
from dragoman.store.sql import Database


class Wanted(Struct, frozen=True, kw_only=True):
    """Which generations to read; None lets all through. `since` is Unix time, inclusive.

    `model` is the one that was asked for, or the one that answered.
    """

    model: str | None = None
    provider: str | None = None
    status: int | None = None
    key_hash: str | None = None
    since: float | None = None


class KeyUsage(Struct, frozen=True, kw_only=True):
    """What a key has spent: ever, and in the present UTC day, week (from Monday) and month."""

    total: NanoUsd = NanoUsd(0)
    day: NanoUsd = NanoUsd(0)
    week: NanoUsd = NanoUsd(0)
    month: NanoUsd = NanoUsd(0)


async def nothing_pending() -> None:
    """Stand in for a recorder's `flush` where this process records nothing."""


class Reader:
    """Reads the records, including those that `flush` has yet to write."""

    def __init__(
        self, records: Database, flush: Callable[[], Awaitable[None]] = nothing_pending
    ) -> None:
        self._records = records
        self._flush = flush

    async def one(self, id_: str, *, key_hash: str | None) -> Generation | None:
        """Return a generation, of this key only unless None.

        One that was recorded a moment ago is found: it is written first.
        """
        query = select(generation).where(generation.c.id == id_)
        if key_hash is not None:
            query = query.where(generation.c.key_hash == key_hash)
        found = await self._read(query)
        if not found:
            await self._flush()
            found = await self._read(query)
        return found[0] if found else None

    async def latest(self, wanted: Wanted, limit: int) -> tuple[Generation, ...]:
        """Return at most `limit` generations, newest first, as far as they are written."""
        query = _matching(wanted).order_by(generation.c.created_at.desc(), generation.c.id.desc())
        return await self._read(query.limit(limit))

    async def usage(self, key_hash: str, now: float) -> KeyUsage:
        """Return what a key has spent up to this moment."""
        await self._flush()
        return await self._records.read(lambda connection: _usage(connection, key_hash, now))

    async def _read(self, query: Select[tuple[object, ...]]) -> tuple[Generation, ...]:
        return await self._records.read(lambda connection: _rows(connection, query))


def _rows(connection: Connection, query: Select[tuple[object, ...]]) -> tuple[Generation, ...]:
    return tuple(from_row(dict(row)) for row in connection.execute(query).mappings())


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
    return query


def _usage(connection: Connection, key_hash: str, now: float) -> KeyUsage:
    today = datetime.fromtimestamp(now, UTC).date()
    starts = (date.min, today, today - timedelta(days=today.weekday()), today.replace(day=1))
    sums = [
        func.coalesce(func.sum(case((key_usage.c.day >= start, key_usage.c.cost_nanos))), 0)
        for start in starts
    ]
    query = select(*sums).where(key_usage.c.key_hash == key_hash)
    total, day, week, month = (NanoUsd(int(each)) for each in connection.execute(query).one())
    return KeyUsage(total=total, day=day, week=week, month=month)
