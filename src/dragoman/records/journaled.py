"""Generations that come by a journal: stored with the offset that says how far it is stored.

What they come to may be written later, since many batches together make fewer rows than
each of them: it has an offset of its own, in the transaction that writes it. What is not
written when the keeper is killed is read from the journal again.

Each function returns a unit of work for `dragoman.store.sql.Database`.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, select, text

from dragoman.records.lines import Line
from dragoman.records.recorder import add_sums, insert
from dragoman.records.rollup import Sums, share
from dragoman.records.tables import recorded
from dragoman.store.sql import Work

DENSE = 4
"""Sums of so many generations for each row are written with their batch: they cost little."""
FEW = 200
"""So are those of so few generations."""
MOST_ROWS = 30_000
"""How many rows may wait."""

_STORED = text(
    "INSERT INTO recorded (incarnation, applied_offset, summed_offset)"
    " VALUES (:incarnation, :offset, 0)"
    " ON CONFLICT (incarnation) DO UPDATE SET applied_offset = :offset"
)
_SUMMED = text("UPDATE recorded SET summed_offset = :offset WHERE incarnation = :incarnation")


class Told(Struct, frozen=True, gc=False):
    """The line of a generation, and where in the journal what tells of it ends."""

    offset: int
    line: Line


class Reached(Struct, frozen=True):
    """Up to which offsets a journal's generations are stored, and added to the sums."""

    stored: int
    summed: int


class SummedElsewhere(Exception):
    """Somebody else added part of what waits here: it must be read from the journal again."""


class Behind(Exception):
    """Less of a journal is stored than was: the database lost what it had committed."""


class Waiting:
    """What a journal's generations come to that is not written yet: from one offset to another."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.sums = Sums()

    @property
    def is_due(self) -> bool:
        """Whether it is better written now than later."""
        rows, count = len(self.sums), self.sums.generations
        return count <= FEW or rows * DENSE <= count or rows >= MOST_ROWS

    def add(self, told: Iterable[Told], offset: int) -> None:
        """Add what comes up to an offset, as far as it was not added before."""
        before, sums = self.end, self.sums
        for each in told:
            if each.offset > before:
                sums.add(share(each.line))
        self.end = max(before, offset)


def reached(incarnation: str) -> Work[Reached]:
    """Read how far a journal's generations are stored and added up."""
    query = select(recorded.c.applied_offset, recorded.c.summed_offset)
    query = query.where(recorded.c.incarnation == incarnation)

    def work(connection: Connection) -> Reached:
        row = connection.execute(query).first()
        return Reached(0, 0) if row is None else Reached(row[0], row[1])

    return work


def record(
    incarnation: str,
    told: Sequence[Told],
    offset: int,
    waiting: Waiting | None = None,
    start: int = 0,
) -> Work[None]:
    """Store the generations that are new, that it is done up to `offset`, and what waits.

    All before `start` was stored, once. Raises Behind when it no longer is, and SummedElsewhere.
    """

    def work(connection: Connection) -> None:
        found = reached(incarnation)(connection)
        if found.stored < start:
            raise Behind(f"Of journal {incarnation} {found.stored} bytes are stored, not {start}.")
        if offset > found.stored:
            insert(connection, [each.line for each in told if each.offset > found.stored])
            connection.execute(_STORED, {"incarnation": incarnation, "offset": offset})
        if waiting is not None:
            _sum_up(connection, incarnation, waiting, found.summed)

    return work


def sum_up(incarnation: str, waiting: Waiting) -> Work[None]:
    """Write what waits. Raises SummedElsewhere."""
    return lambda connection: _sum_up(
        connection, incarnation, waiting, reached(incarnation)(connection).summed
    )


def _sum_up(connection: Connection, incarnation: str, waiting: Waiting, summed: int) -> None:
    if summed >= waiting.end:
        return  # it was, though nobody could say so when it was asked for
    if summed != waiting.start:
        raise SummedElsewhere(incarnation)
    add_sums(connection, waiting.sums)
    connection.execute(_SUMMED, {"incarnation": incarnation, "offset": waiting.end})
