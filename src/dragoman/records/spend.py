"""What keys and accounts have spent in some days, out of the sums that are kept anyway."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, case, func, select, true

from dragoman.records.faces import Face
from dragoman.records.tables import key_usage, rollup, series
from dragoman.store.sql import Work

AT_ONCE = 500
"""For so many keys or accounts one statement adds up."""


class Days(Struct, frozen=True):
    """Some days in UTC, in Unix time: from the day of `start` on, and before that of `end`."""

    start: int
    end: int | None = None


Sums = dict[str, tuple[int, ...]]
"""Nano-USD by key or account, in the order of the days that were asked for."""


def of_keys(hashes: Sequence[str], spans: Sequence[Days]) -> Work[Sums]:
    """Add up what keys have spent. Who spent nothing is left out."""
    table = key_usage.c

    def work(connection: Connection) -> Sums:
        sums = [_sum(table.cost_nanos, _within(table.day, each, _date)) for each in spans]
        query = select(table.key_hash, *sums).group_by(table.key_hash)
        query = query.where(_from_the_first(table.day, spans, _date))
        found: Sums = {}
        for start in range(0, len(hashes), AT_ONCE):
            some = query.where(table.key_hash.in_(hashes[start : start + AT_ONCE]))
            found |= {row[0]: tuple(map(int, row[1:])) for row in connection.execute(some)}
        return found

    return work


def of_accounts(accounts: Sequence[str], spans: Sequence[Days]) -> Work[Sums]:
    """Add up what accounts have spent. Who spent nothing is left out."""
    joined = rollup.join(series, rollup.c.series == series.c.id)
    table = rollup.c

    def work(connection: Connection) -> Sums:
        sums = [_sum(table.cost_nanos, _within(table.start, each, int)) for each in spans]
        query = select(series.c.account, *sums).select_from(joined).group_by(series.c.account)
        query = query.where(table.face == Face.DAILY, _from_the_first(table.start, spans, int))
        found: Sums = {}
        for start in range(0, len(accounts), AT_ONCE):
            some = query.where(series.c.account.in_(accounts[start : start + AT_ONCE]))
            found |= {row[0]: tuple(map(int, row[1:])) for row in connection.execute(some)}
        return found

    return work


def _sum(column: ColumnElement[int], within: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((within, column))), 0)


def _within(
    column: ColumnElement[object], span: Days, read: Callable[[int], object]
) -> ColumnElement[bool]:
    since = column >= read(span.start)
    return since if span.end is None else and_(since, column < read(span.end))


def _from_the_first(
    column: ColumnElement[object], spans: Sequence[Days], read: Callable[[int], object]
) -> ColumnElement[bool]:
    """Leave out the days before all of those that are asked for."""
    first = min((each.start for each in spans), default=0)
    return column >= read(first) if first > 0 else true()


def _date(at: int) -> date:
    return datetime.fromtimestamp(at, UTC).date()
