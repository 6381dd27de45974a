"""Answers from the sums: which rows of them make up a range, and what these come to.

Sums and counts of speeds are added up by the database; where counts are packed (`closing`),
it finds them and `packing` adds them up. Those of a day may lie in both tables, and all count.
"""

from collections.abc import Container, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    func,
    literal_column,
    or_,
    select,
)

from dragoman.records.faces import DAY_S, HOUR_S, SUMS, Face
from dragoman.records.metrics import METRICS, Totals, sums_of
from dragoman.records.packing import Added
from dragoman.records.questions import Line, Lines, Question, can_push, shown
from dragoman.records.speeds import Speed
from dragoman.records.tables import rollup, series, speed, speed_page

PAGES_AT_ONCE = 500
"""So many pages are held at once, some megabytes."""

COLUMNS = {
    "model": series.c.model,
    "variant": series.c.model,
    "provider": series.c.provider_name,
    "endpoint": series.c.endpoint,
    "api_key_id": series.c.key_hash,
    "app": series.c.app,
    "external_user": series.c.label,
    "tag": series.c.label,
}

Part = tuple[Face, int, int]
"""The hours or days of a face, from one moment to another."""


def parts_of(face: Face, asked: Question) -> tuple[list[Part], bool]:
    """Return which rows of which face make up the range, and whether it had to be widened."""
    days = (int(asked.start // DAY_S) * DAY_S, int(-(-asked.end // DAY_S)) * DAY_S)
    if face is not Face.HOURLY:
        return [(face, *days)], (asked.start, asked.end) != days
    start, end = int(asked.start // HOUR_S) * HOUR_S, int(-(-asked.end // HOUR_S)) * HOUR_S
    first, last = -(-start // DAY_S) * DAY_S, end // DAY_S * DAY_S
    if asked.granularity == "hour" or first >= last:
        return [(Face.HOURLY, start, end)], False
    parts = [(Face.HOURLY, start, first), (Face.DAILY, first, last), (Face.HOURLY, last, end)]
    return [part for part in parts if part[1] < part[2]], False


def from_sums(connection: Connection, asked: Question, parts: Sequence[Part]) -> list[Line]:
    """Return the lines of an answer, each with the sums and the speeds that its metrics need."""
    lines = Lines(asked)
    for part in parts:
        groups = _Groups(asked, part, lines)
        for row in connection.execute(_grouped(asked, part, rollup)):
            if totals := groups.totals(row):
                totals.add([int(each) for each in row[groups.width :]], {})
        if _speeds(asked):
            _add_speeds(connection, asked, part, groups)
    return lines.all()


class _Groups:
    """The groups of a part, and which totals each belongs to, as far as that was asked before."""

    def __init__(self, asked: Question, part: Part, lines: Lines) -> None:
        self._names = _names(asked)
        self._columns = _columns(asked)
        self._start = None if asked.granularity else part[1]
        self._lines = lines
        self._known: dict[tuple[Any, ...], Totals | None] = {}
        self.width = len(self._columns) + (asked.granularity is not None)
        """How many values at the beginning of a row are of its group."""

    def totals(self, row: Sequence[Any]) -> Totals | None:
        """Return what the rest of a row is to be added to, None if it is filtered out."""
        group = tuple(row[: self.width])
        if group not in self._known:
            found = {each.name: text for each, text in zip(self._columns, group, strict=False)}
            values = {name: shown(name, found[COLUMNS[name].name]) for name in self._names}
            at = group[-1] if self._start is None else self._start
            self._known[group] = self._lines.totals(at, values)
        return self._known[group]


def _names(asked: Question) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*asked.dimensions, *(each.field for each in asked.filters))))


def _columns(asked: Question) -> list[ColumnElement[str]]:
    """Return what is to be grouped by, beside time; two dimensions may be of one column."""
    return list({COLUMNS[name].name: COLUMNS[name] for name in _names(asked)}.values())


def _speeds(asked: Question) -> list[Speed]:
    """Return which speeds the metrics need."""
    return sorted({one for name in asked.metrics if (one := METRICS[name].speed) is not None})


def _add_speeds(connection: Connection, asked: Question, part: Part, groups: _Groups) -> None:
    """Add the counts of speeds: those in rows of their own, and those that are packed."""
    width = groups.width
    for row in connection.execute(_grouped(asked, part, speed)):
        if totals := groups.totals(row):
            totals.count({int(row[width]): int(row[width + 1])})
    names = _series(connection, asked)
    for kind in _speeds(asked):
        for start, added in _pages(connection, asked, part, kind, names).items():
            time = () if start is None else (start,)
            for series_, found in added.all():
                if totals := groups.totals((*names[series_], *time)):
                    totals.count({kind << 8 | bucket: count for bucket, count in found.items()})


def _series(connection: Connection, asked: Question) -> dict[int, tuple[Any, ...]]:
    """Return the series that a question may be about, each with what is to be grouped by."""
    query = select(series.c.id, *_columns(asked)).where(*_only(asked), *_of_account(asked))
    return {id_: tuple(names) for id_, *names in connection.execute(query)}


def _pages(
    connection: Connection, asked: Question, part: Part, kind: Speed, wanted: Container[int]
) -> dict[int | None, Added]:
    """Return what the pages of a speed come to: each hour or day by itself where these matter."""
    table = speed_page.c
    query = select(table.start, table.counts).where(*_within(part, speed_page), table.kind == kind)
    query = query.order_by(table.start, table.number)
    rows = connection.execution_options(yield_per=PAGES_AT_ONCE).execute(query)
    found: dict[int | None, Added] = {}
    for some in rows.partitions():
        for start, counts in some:
            at = start if asked.granularity else None
            if at not in found:
                found[at] = Added(wanted)
            found[at].add(counts)
    return found


def _grouped(asked: Question, part: Part, table: Table) -> Select[Any]:
    """Return the query for a part: what it is grouped by, then the code of a speed, then sums.

    Rows are added up per series before their names are looked up, since there are many.
    """
    keys: list[Any] = [table.c.series, *([table.c.start] if asked.granularity else [])]
    names: tuple[str, ...] = SUMS
    needed = sums_of(asked.metrics)
    where = _within(part, table)
    if table is speed:
        keys.append(table.c.code)
        names = ("requests",)
        where.append(or_(*(table.c.code.between(k << 8, k << 8 | 0xFF) for k in _speeds(asked))))
    if only := _only(asked):
        where.append(table.c.series.in_(select(series.c.id).where(*only)))
    sums = [func.sum(table.c[name]).label(name) for name in names if name in needed]
    nil: ColumnElement[int] = literal_column("0")  # to add up what nobody asks for would be dear
    inner = select(*keys, *sums).where(*where).group_by(*keys).subquery()
    groups = [*_columns(asked), *([inner.c.start] if asked.granularity else [])]
    if table is speed:
        groups.append(inner.c.code)
    query = (
        select(*groups, *(func.sum(inner.c[name]) if name in needed else nil for name in names))
        .join_from(inner, series, series.c.id == inner.c.series)
        .where(*_of_account(asked))
        .having(func.count() > 0)
    )
    return query.group_by(*groups) if groups else query


def _within(part: Part, table: Table) -> list[ColumnElement[bool]]:
    face, start, end = part
    return [table.c.face == int(face), table.c.start >= start, table.c.start < end]


def _only(asked: Question) -> list[ColumnElement[bool]]:
    """Return the filters by which few series are left, as the database can see to them."""
    return [
        COLUMNS[each.field].in_(each.values)
        for each in asked.filters
        if each.field in {"api_key_id", "app", "endpoint"} and can_push(each)
    ]


def _of_account(asked: Question) -> list[ColumnElement[bool]]:
    return [] if asked.account is None else [series.c.account == asked.account]
