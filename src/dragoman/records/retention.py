"""Forgets what is older than it shall be kept, a little at a time, so that no writer waits long.

Whole days go: a generation with the UTC day on which it began. What keys have spent stays.
"""

from sqlalchemy import Connection, delete, select, text

from dragoman.records import partitions, trail
from dragoman.records.faces import DAY_S, Face
from dragoman.records.tables import rollup, speed, speed_page
from dragoman.store.sql import Work

ROWS_AT_ONCE = 2000
"""Some 20 ms of the one writer of a SQLite file."""

_DELETE_SQLITE = text(
    "DELETE FROM generation WHERE rowid IN (SELECT rowid FROM generation"
    " WHERE created_at < :before ORDER BY created_at LIMIT :rows)"
)
_DELETE_LOOSE = (
    "DELETE FROM {part} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {part}"
    " WHERE created_at < :before ORDER BY created_at LIMIT :rows))"
)


def first_kept(now: float, days: int) -> float:
    """Return when the first day began that is kept: today, and `days` whole days before."""
    return (now // DAY_S - days) * DAY_S


def forget_generations(before: float) -> Work[bool]:
    """Forget some generations that began before a moment; say whether there may be more."""

    def work(connection: Connection) -> bool:
        asked = {"before": before, "rows": ROWS_AT_ONCE}
        if connection.dialect.name == "postgresql":
            return partitions.drop(connection, before) or _forget_loose(connection, asked)
        gone = connection.execute(_DELETE_SQLITE, asked).rowcount
        if gone:
            trail.forget(connection)
        return gone == ROWS_AT_ONCE

    return work


def _forget_loose(connection: Connection, asked: dict[str, float]) -> bool:
    """Delete some old rows that lie in no part of their day; say whether there may be more."""
    for part in partitions.loose(connection):
        gone = connection.execute(text(_DELETE_LOOSE.format(part=part)), asked).rowcount
        if gone == ROWS_AT_ONCE:
            return True
    return False


def forget_sums(before: float) -> Work[bool]:
    """Forget the sums of one hour or day of a face; say whether there may be more."""

    def work(connection: Connection) -> bool:
        for table in (rollup, speed, speed_page):
            for face in Face:
                where = (table.c.face == int(face), table.c.start < before)
                oldest = select(table.c.start).where(*where).order_by(table.c.start).limit(1)
                start = connection.execute(oldest).scalar()
                if start is not None:
                    whole = (table.c.face == int(face), table.c.start == start)
                    connection.execute(delete(table).where(*whole))
                    return True
        return False

    return work
