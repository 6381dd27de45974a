"""Adds up what happened, by dimensions and time: from the sums where they know, else row by row.

Which face of the sums is read follows from what is asked. The narrow face has hours at the
edges of a range and days between; the wide ones have days alone, to which a range is
widened. What no face knows is read from generations themselves, for at most 31 days.
"""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, select

from dragoman.core.errors import InvalidRequest, RequestTooSlow
from dragoman.records.faces import DAY_S, HOUR_S, Face
from dragoman.records.lines import line
from dragoman.records.metrics import DIMENSIONS
from dragoman.records.questions import (
    Answer,
    Line,
    Lines,
    Question,
    Scalar,
    can_push,
    shown,
)
from dragoman.records.rollup import Share, label, share
from dragoman.records.rows import from_row
from dragoman.records.summed import from_sums, parts_of
from dragoman.records.tables import generation
from dragoman.records.types import Generation
from dragoman.store.sql import Work

MOST_RAW_S = 31 * DAY_S
MOST_MINUTES_S = 3 * HOUR_S
PATIENCE_S = 20.0
"""How long rows are read one by one before the question is given up."""
ROWS_AT_ONCE = 1000

WIDE = {"api_key_id", "app"}


def answer(asked: Question) -> Work[Answer]:
    """Answer a question. Raises InvalidRequest, and RequestTooSlow where too many rows match."""
    fields = {*asked.dimensions, *(each.field for each in asked.filters)}
    face = None if _wants_rows(asked) else _face(asked, fields)
    if face is None:
        _check_raw(asked, fields)
        return lambda connection: Answer(_from_rows(connection, asked))
    parts, widened = parts_of(face, asked)
    said = ("time_range was widened to whole UTC days, by which this is kept",) if widened else ()
    return lambda connection: Answer(from_sums(connection, asked, parts), said)


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


def _from_rows(connection: Connection, asked: Question) -> list[Line]:
    lines = Lines(asked)
    table = generation.c
    query = select(generation).where(table.created_at >= asked.start, table.created_at < asked.end)
    if asked.account is not None:
        query = query.where(table.account == asked.account)
    for each in asked.filters:
        if each.field in _ROW_COLUMNS and can_push(each):
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
    "model": lambda _, added: shown("model", added.place.model),
    "variant": lambda _, added: shown("variant", added.place.model),
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
