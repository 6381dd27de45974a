"""Adds up what happened, by dimensions and time: from the sums where they know, else row by row.

Which face of the sums is read follows from what is asked. The narrow face has hours at the
edges of a range and days between; the wide ones have days alone, to which a range is
widened. What no face knows is read from generations themselves, for at most 31 days.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, func, or_, select

from dragoman.core.errors import InvalidRequest, RequestTooSlow
from dragoman.records.faces import DAY_S, HOUR_S, SUMS, Face
from dragoman.records.lines import line
from dragoman.records.metrics import DIMENSIONS, METRICS, Totals, nothing
from dragoman.records.rollup import Share, label, share
from dragoman.records.rows import from_row
from dragoman.records.speeds import Speed
from dragoman.records.tables import generation, rollup, series, speed
from dragoman.records.types import Generation
from dragoman.store.sql import Work

Granularity = Literal["minute", "hour", "day", "week", "month"]
Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in"]
Scalar = str | float | None

MOST_RAW_S = 31 * DAY_S
MOST_MINUTES_S = 3 * HOUR_S
PATIENCE_S = 20.0
"""How long rows are read one by one before the question is given up."""
ROWS_AT_ONCE = 1000
MOST_PUSHED = 500

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
WIDE = {"api_key_id", "app"}


class Filter(Struct, frozen=True, kw_only=True):
    """What a dimension must be. `unset` lets through what has no value, too."""

    field: str
    operator: Operator
    values: tuple[str | float, ...]
    unset: bool = False

    def holds(self, value: Scalar) -> bool:
        """Say whether a value is let through."""
        if value is None:
            return self.unset
        return _COMPARED[self.operator](value, self.values)


class Question(Struct, frozen=True, kw_only=True):
    """What is asked: of one account, or of all where it is None. Times are Unix seconds."""

    account: str | None
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    granularity: Granularity | None = None
    start: float
    end: float
    filters: tuple[Filter, ...] = ()


class Line(Struct, frozen=True):
    """A row of the answer: when (Unix time, None without granularity), of what, how much."""

    at: int | None
    values: tuple[Scalar, ...]
    totals: Totals


class Answer(Struct, frozen=True):
    """The lines, in no order, and what the caller should know."""

    lines: list[Line]
    warnings: tuple[str, ...] = ()


def answer(asked: Question) -> Work[Answer]:
    """Answer a question. Raises InvalidRequest, and RequestTooSlow where too many rows match."""
    fields = {*asked.dimensions, *(each.field for each in asked.filters)}
    face = None if _wants_rows(asked) else _face(asked, fields)
    if face is None:
        _check_raw(asked, fields)
        return lambda connection: Answer(_from_rows(connection, asked))
    parts, widened = _parts(face, asked)
    said = ("time_range was widened to whole UTC days, by which this is kept",) if widened else ()
    return lambda connection: Answer(_from_sums(connection, asked, parts), said)


def bucket_start(at: float, granularity: Granularity) -> int:
    """Return when the minute, hour, day, week (from Sunday) or month began, in UTC."""
    spans = {"minute": 60, "hour": HOUR_S, "day": DAY_S}
    if granularity in spans:
        return int(at // spans[granularity] * spans[granularity])
    day = datetime.fromtimestamp(at, UTC).date()
    if granularity == "week":
        day -= timedelta(days=(day.weekday() + 1) % 7)
    else:
        day = day.replace(day=1)
    return int(_midnight(day))


def split_model(model: str) -> tuple[str, str]:
    """Return the id of a model without its variant, and the variant."""
    base, _, variant = model.partition(":")
    return base, variant or "standard"


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _face(asked: Question, fields: set[str]) -> Face | None:
    """Return the face that knows all these, None if generations themselves must be read."""
    labels, each = fields & {"external_user", "tag"}, asked.granularity
    if any(DIMENSIONS[field].raw for field in fields) or len(labels) > 1 or each == "minute":
        return None
    if labels or fields & WIDE:
        if each == "hour":
            return None
        return {"external_user": Face.USERS, "tag": Face.TAGS}.get(
            min(labels, default=""), Face.KEYS
        )
    return Face.HOURLY


def _wants_rows(asked: Question) -> bool:
    """Say whether the range is so short, and so far from whole hours, that only rows are right."""
    return asked.end - asked.start <= MOST_MINUTES_S and bool(
        asked.start % HOUR_S or asked.end % HOUR_S
    )


def _check_raw(asked: Question, fields: set[str]) -> None:
    span = asked.end - asked.start
    if asked.granularity == "minute" and span > MOST_MINUTES_S:
        raise InvalidRequest("granularity: minute is for a time_range of at most 3 hours")
    if span > MOST_RAW_S:
        names = ", ".join(sorted(f for f in fields if DIMENSIONS[f].raw)) or "this combination"
        raise InvalidRequest(f"time_range: {names} can be asked for at most 31 days")


_Part = tuple[Face, int, int]


def _parts(face: Face, asked: Question) -> tuple[list[_Part], bool]:
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


_Key = tuple[int | None, tuple[Scalar, ...]]


class _Lines:
    """Lines as they grow."""

    def __init__(self, asked: Question) -> None:
        self._asked = asked
        self._totals: dict[_Key, Totals] = {}

    def totals(self, at: float, values: Mapping[str, Scalar]) -> Totals | None:
        """Return what to add to, None for what is filtered out."""
        asked = self._asked
        if not all(each.holds(values[each.field]) for each in asked.filters):
            return None
        start = None if asked.granularity is None else bucket_start(at, asked.granularity)
        key = (start, tuple(values[name] for name in asked.dimensions))
        totals = self._totals.get(key)
        if totals is None:
            totals = self._totals[key] = nothing()
        return totals

    def all(self) -> list[Line]:
        return [Line(at, values, totals) for (at, values), totals in self._totals.items()]


def _from_sums(connection: Connection, asked: Question, parts: Sequence[_Part]) -> list[Line]:
    lines = _Lines(asked)
    tables = [rollup]
    if _speeds(asked):
        tables.append(speed)
    for part in parts:
        into: dict[tuple[Any, ...], Totals | None] = {}
        for table in tables:
            _add_rows(connection, asked, part, table, _Into(lines, into))
    return lines.all()


class _Into(Struct, frozen=True):
    """Lines, and which of them each group of rows belongs to, as far as that was asked before."""

    lines: _Lines
    known: dict[tuple[Any, ...], Totals | None]


def _add_rows(
    connection: Connection, asked: Question, part: _Part, table: Table, into: _Into
) -> None:
    """Add the sums of `rollup`, or the counts per code of `speed`."""
    names = tuple(dict.fromkeys((*asked.dimensions, *(each.field for each in asked.filters))))
    columns = {COLUMNS[name].name: COLUMNS[name] for name in names}
    timed = asked.granularity is not None
    query = _grouped(asked, part, table, [*columns.values()])
    width = len(columns) + timed
    lines, known = into.lines, into.known
    for row in connection.execute(query):
        group, rest = row[:width], row[width:]
        if group not in known:
            found = dict(zip(columns, group, strict=False))
            values = {name: _shown(name, found[COLUMNS[name].name]) for name in names}
            known[group] = lines.totals(group[-1] if timed else part[1], values)
        totals = known[group]
        if totals is None:
            continue
        if table is rollup:
            totals.add([int(each) for each in rest], {})
        else:
            code = int(rest[0])
            totals.speeds[code] = totals.speeds.get(code, 0) + int(rest[1])


def _speeds(asked: Question) -> set[Speed]:
    """Return which speeds the metrics need."""
    return {one for name in asked.metrics if (one := METRICS[name].speed) is not None}


def _grouped(asked: Question, part: _Part, table: Table, by: list[Any]) -> Select[Any]:
    """Return the query for a part: what it is grouped by, then the code of a speed, then sums.

    Rows are added up per series before their names are looked up, since there are many.
    """
    face, start, end = part
    keys: list[Any] = [table.c.series, *([table.c.start] if asked.granularity else [])]
    names: tuple[str, ...] = SUMS
    where = [table.c.face == int(face), table.c.start >= start, table.c.start < end]
    if table is speed:
        keys.append(table.c.code)
        names = ("requests",)
        where.append(or_(*(table.c.code.between(k << 8, k << 8 | 0xFF) for k in _speeds(asked))))
    only = [
        COLUMNS[each.field].in_(each.values)
        for each in asked.filters
        if each.field in {"api_key_id", "app", "endpoint"} and _can_push(each)
    ]
    if only:
        where.append(table.c.series.in_(select(series.c.id).where(*only)))
    sums = [func.sum(table.c[name]).label(name) for name in names]
    inner = select(*keys, *sums).where(*where).group_by(*keys).subquery()
    groups = [*by, *([inner.c.start] if asked.granularity else [])]
    if table is speed:
        groups.append(inner.c.code)
    query = (
        select(*groups, *(func.sum(inner.c[name]) for name in names))
        .join_from(inner, series, series.c.id == inner.c.series)
        .having(func.count() > 0)
    )
    if asked.account is not None:
        query = query.where(series.c.account == asked.account)
    return query.group_by(*groups) if groups else query


def _can_push(each: Filter) -> bool:
    fits = each.operator in {"eq", "in"} and not each.unset and len(each.values) <= MOST_PUSHED
    return fits and all(isinstance(value, str) for value in each.values)


def _shown(name: str, text: str) -> Scalar:
    if not text:
        return None
    if name in {"model", "variant"}:
        return split_model(text)[name == "variant"]
    return text


def _from_rows(connection: Connection, asked: Question) -> list[Line]:
    lines = _Lines(asked)
    table = generation.c
    query = select(generation).where(table.created_at >= asked.start, table.created_at < asked.end)
    if asked.account is not None:
        query = query.where(table.account == asked.account)
    for each in asked.filters:
        if each.field in _ROW_COLUMNS and _can_push(each):
            query = query.where(_ROW_COLUMNS[each.field].in_(each.values))
    by_tag = "tag" in {*asked.dimensions, *(each.field for each in asked.filters)}
    end = time.monotonic() + PATIENCE_S
    chunks = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings()
    for chunk in chunks.partitions():
        if time.monotonic() > end:
            raise RequestTooSlow(
                "Operation timed out. Too many generations match: ask for a shorter time_range, "
                "or without the dimensions and filters that are in no sum."
            )
        for row in chunk:
            made = from_row(dict(row))
            added = share(line(made))
            speeds = {code: added.speeds.count(code) for code in added.speeds}
            for tag in added.tags if by_tag else ("",):
                totals = lines.totals(added.at, _Values(made, added, tag))
                if totals is not None:
                    totals.add([*added.sums], speeds)
    return lines.all()


_ROW_COLUMNS = {
    "api_key_id": generation.c.key_hash,
    "session_id": generation.c.session_id,
    "generation_id": generation.c.id,
    "external_user": generation.c.user,
}

_OF_ROW: Mapping[str, Callable[[Generation, Share], Scalar]] = {
    "model": lambda _, added: _shown("model", added.place.model),
    "variant": lambda _, added: _shown("variant", added.place.model),
    "provider": lambda _, added: added.place.provider_name or None,
    "endpoint": lambda _, added: added.place.endpoint or None,
    "api_key_id": lambda _, added: added.place.key_hash,
    "app": lambda _, added: added.place.app or None,
    "external_user": lambda _, added: added.user or None,
    "session_id": lambda made, _: label(made.session_id) if made.session_id else None,
    "origin": lambda made, _: made.referer,
    "finish_reason": lambda made, _: made.finish_reason,
    "error_type": lambda made, _: made.error_type,
    "status": lambda made, _: str(made.status),
    "service_tier": lambda made, _: made.service_tier,
    "context_length_bucket": lambda made, _: _length(made.usage.prompt),
    "generation_id": lambda made, _: made.id,
}


class _Values(dict[str, Scalar]):
    """The dimensions of a generation, each found when it is asked for."""

    def __init__(self, made: Generation, added: Share, tag: str) -> None:
        super().__init__(tag=tag or None)
        self._made = made
        self._added = added

    def __missing__(self, name: str) -> Scalar:
        return _OF_ROW[name](self._made, self._added)


def _length(tokens: int) -> str:
    """Return the power of ten, in thousands of tokens, that a prompt fits in."""
    thousands = 1
    while tokens > thousands * 1000:
        thousands *= 10
    return f"{thousands}K"


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Scalar, tuple[Any, ...]], bool]:
    def holds(value: Scalar, wanted: tuple[Any, ...]) -> bool:
        (bound,) = wanted
        if isinstance(bound, int | float):
            try:
                return compare(float(value or 0), bound)
            except ValueError:
                return False
        return compare(str(value), bound)

    return holds


def _among(value: Scalar, wanted: tuple[Any, ...]) -> bool:
    return any(str(value) == (f"{each:g}" if isinstance(each, float) else each) for each in wanted)


_COMPARED: Mapping[Operator, Callable[[Scalar, tuple[Any, ...]], bool]] = {
    "eq": _among,
    "in": _among,
    "neq": lambda value, wanted: not _among(value, wanted),
    "not_in": lambda value, wanted: not _among(value, wanted),
    "gt": _ordered(lambda a, b: a > b),
    "gte": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "lte": _ordered(lambda a, b: a <= b),
}
