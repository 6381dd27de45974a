"""Finds the generations of a key in a SQLite file, however many there are of others.

An index by key would have every request of another key write a page of its own. Here
generations are taken in runs, in the order in which they were written down, and each run
has a small index by key, whose few pages many requests share. Who looks for a key asks run
after run, the latest first, and stops as soon as no run that is left could hold a later
one. A run knows its latest; so the order is by time, even where a generation was
written down late.

It repairs itself: what is not in a run yet, after an upgrade or a restore, is
taken in with the next that is written.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

ROWS_BITS = 13
"""A run has 8192 rows: an index of some 50 pages, and 1200 runs in ten million rows."""
RUNS_AT_ONCE = 64
MOST_AT_ONCE = 20_000
"""How many rows that are in no run yet are taken in at once, some 30 ms."""
PREFIX = 8
"""How much of a key's hash is in the index: four billion are told apart."""

Found = tuple[float, int]
"""When a generation began, and its row."""

_COVERED = text("SELECT max(last_row) FROM derived_key_run")
_LAST = text("SELECT max(rowid) FROM generation")
_NEXT = text(
    "SELECT max(rowid) FROM"
    " (SELECT rowid FROM generation WHERE rowid > :after ORDER BY rowid LIMIT :most)"
)
_TAKE_RUNS = text(
    f"INSERT INTO derived_key_run SELECT rowid >> {ROWS_BITS}, max(rowid), max(created_at)"  # noqa: S608
    " FROM generation WHERE rowid > :after AND rowid <= :to GROUP BY 1 ORDER BY 1"
    " ON CONFLICT (number) DO UPDATE SET last_row = excluded.last_row,"
    " latest = max(derived_key_run.latest, excluded.latest)"
)
_TAKE_ROWS = text(
    f"INSERT INTO derived_key_trail SELECT rowid >> {ROWS_BITS},"  # noqa: S608
    f" substr(key_hash, 1, {PREFIX}), created_at, rowid FROM generation"
    " WHERE rowid > :after AND rowid <= :to"
)
_RUNS = text("SELECT number, latest FROM derived_key_run ORDER BY latest DESC")
_FORGET = (
    text(
        "DELETE FROM derived_key_trail WHERE run <= (SELECT max(number) FROM derived_key_run"
        " WHERE last_row < :first)"
    ),
    text("DELETE FROM derived_key_run WHERE last_row < :first"),
)
_FIRST = text("SELECT min(rowid) FROM generation")


def extend(connection: Connection) -> bool:
    """Take in what is in no run yet, or the first of it; say whether all is taken in."""
    covered = connection.execute(_COVERED).scalar() or 0
    last = connection.execute(_LAST).scalar() or 0
    to = last
    if last - covered > MOST_AT_ONCE:  # of numbers, of which many may be forgotten
        to = connection.execute(_NEXT, {"after": covered, "most": MOST_AT_ONCE}).scalar() or 0
    if to > covered:
        connection.execute(_TAKE_RUNS, {"after": covered, "to": to})
        connection.execute(_TAKE_ROWS, {"after": covered, "to": to})
    return to >= last


def is_whole(connection: Connection) -> bool:
    """Say whether every generation is in a run."""
    covered = connection.execute(_COVERED).scalar() or 0
    return covered >= (connection.execute(_LAST).scalar() or 0)


def forget(connection: Connection) -> None:
    """Drop the runs of which no generation is left."""
    first = connection.execute(_FIRST).scalar()
    for statement in _FORGET:
        connection.execute(statement, {"first": 2**62 if first is None else first})


def runs(connection: Connection) -> Sequence[tuple[int, float]]:
    """Return the numbers of all runs and when their latest began, from the latest on."""
    return [(row[0], row[1]) for row in connection.execute(_RUNS)]


def of_key(
    connection: Connection, key_hash: str, before: float
) -> Iterator[tuple[list[Found], float]]:
    """Yield what a key did before a moment, and since when it is complete, from the latest on.

    The prefix may be that of another key, too.
    """
    wanted = runs(connection)
    for start in range(0, len(wanted), RUNS_AT_ONCE):
        some = wanted[start : start + RUNS_AT_ONCE]
        rest = wanted[start + RUNS_AT_ONCE : start + RUNS_AT_ONCE + 1]
        numbers = ", ".join(str(number) for number, _ in some)
        query = text(
            f"SELECT at, row FROM derived_key_trail WHERE run IN ({numbers})"  # noqa: S608
            " AND key = :key AND at < :before"
        )
        asked = {"key": key_hash[:PREFIX], "before": before}
        found = [(row[0], row[1]) for row in connection.execute(query, asked)]
        yield found, rest[0][1] if rest else float("-inf")
