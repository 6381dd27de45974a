"""The parts of `generation` in PostgreSQL: one per UTC day, and one for all other days.

A day's part is made before the day begins, so that nothing of it lies elsewhere; to forget
a day is to drop its part, which costs the same for ten rows and ten million. Locks that
other writers would have to wait for are asked for with little patience, and tried again.

To make a part PostgreSQL reads all of the part for other days, lest a row of the new one lie
there (its manual, "ALTER TABLE", on ATTACH PARTITION), and nobody writes meanwhile. So that one
has to stay small: what was there before there were parts, after an upgrade or a restore, is set
aside once, as a part of its own.
"""

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from dragoman.core.errors import Unavailable
from dragoman.records.faces import DAY_S

AHEAD_DAYS = 3
LOCK = 0x7265636F726473
"""The advisory lock under which parts are made and dropped: `records` in ASCII."""
LOCK_MS = 100

REST = "generation_rest"
BEFORE = "generation_before"
"""What was set aside: everything up to the end of the day on which that was done."""
_NAMES = text(
    "SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid"
    " WHERE inhparent = 'generation'::regclass"
)


_BOUND = text("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = to_regclass(:name)")
_UPTO = re.compile(r"TO \('?([0-9.e+]+)'?\)$")


def name_of(start: int) -> str:
    """Return the name of the part for the day that begins then."""
    return f"generation_{datetime.fromtimestamp(start, UTC):%Y%m%d}"


def set_aside(connection: Connection, now: float) -> bool:
    """Make what lies among the rest a part of its own, if there is no other; say whether it did.

    To be done once, before anybody writes: it reads everything. Nothing on SQLite.
    """
    if connection.dialect.name != "postgresql" or _parts(connection) != {REST}:
        return False
    latest = connection.execute(text(f"SELECT max(created_at) FROM {REST}")).scalar_one()  # noqa: S608
    end = int(now // DAY_S + 1) * DAY_S
    if latest is None or latest >= end:  # some clock was ahead: then it stays where it is
        return False
    for statement in (
        f"ALTER TABLE generation DETACH PARTITION {REST}",
        f"ALTER TABLE {REST} RENAME TO {BEFORE}",
        f"CREATE TABLE {REST} (LIKE generation INCLUDING ALL)",
        f"ALTER TABLE generation ATTACH PARTITION {REST} DEFAULT",
        f"ALTER TABLE generation ATTACH PARTITION {BEFORE} FOR VALUES FROM (MINVALUE) TO ({end})",
    ):
        connection.execute(text(statement))
    return True


def prepare(connection: Connection, now: float) -> int:
    """Make the parts that are lacking, from today on; return how many. Nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return 0
    today = int(now // DAY_S) * DAY_S
    days = [today + number * DAY_S for number in range(AHEAD_DAYS + 1)]
    days = [day for day in days if day >= _aside_until(connection)]
    if {name_of(day) for day in days} <= _parts(connection):
        return 0
    _be_alone(connection)
    known = _parts(connection)
    # Held until the end, so that nobody adds a row of a day whose part is being made.
    connection.execute(text(f"LOCK TABLE {REST} IN ACCESS EXCLUSIVE MODE"))
    lacking = [day for day in days if name_of(day) not in known and not _has_rows(connection, day)]
    for day in lacking:
        name = name_of(day)
        connection.execute(text(f"CREATE TABLE {name} (LIKE generation INCLUDING ALL)"))
        connection.execute(
            text(
                f"ALTER TABLE generation ATTACH PARTITION {name}"
                f" FOR VALUES FROM ({day}) TO ({day + DAY_S})"
            )
        )
    return len(lacking)


def drop(connection: Connection, before: float) -> bool:
    """Drop the oldest part that ends at or before a moment; say whether there was one."""
    last = name_of(int(before // DAY_S) * DAY_S)
    old = sorted(name for name in _parts(connection) - {REST, BEFORE} if name < last)
    if 0 < _aside_until(connection) <= before:
        old.insert(0, BEFORE)
    if not old:
        return False
    _be_alone(connection)
    connection.execute(text(f"DROP TABLE IF EXISTS {old[0]}"))
    return True


def loose(connection: Connection) -> tuple[str, ...]:
    """Return the parts that are of no single day, whose old rows have to be deleted."""
    return tuple(name for name in (BEFORE, REST) if name in _parts(connection))


def _be_alone(connection: Connection) -> None:
    """Keep other nodes from doing the same. Raises Unavailable if one does."""
    free = text("SELECT pg_try_advisory_xact_lock(:lock)")
    if not connection.execute(free, {"lock": LOCK}).scalar_one():
        raise Unavailable("Another node is at it.", retry_after_s=1)
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))


def _parts(connection: Connection) -> set[str]:
    return set(connection.execute(_NAMES).scalars())


def _aside_until(connection: Connection) -> float:
    """Return when the time ends of which all was set aside; 0 if nothing was."""
    bound = connection.execute(_BOUND, {"name": BEFORE}).scalar()
    found = _UPTO.search(bound or "")
    return float(found[1]) if found else 0.0


def _has_rows(connection: Connection, day: int) -> bool:
    query = text(
        f"SELECT 1 FROM {REST} WHERE created_at >= :start AND created_at < :end LIMIT 1"  # noqa: S608
    )
    return connection.execute(query, {"start": day, "end": day + DAY_S}).first() is not None
