"""What comes by a journal is stored once and added up once, however late its sums are written."""

from collections.abc import Sequence

import msgspec
import pytest

from dragoman.records import lines
from dragoman.records.journaled import (
    FEW,
    MOST_ROWS,
    SummedElsewhere,
    Told,
    Waiting,
    reached,
    record,
    sum_up,
)  # fmt: skip
from dragoman.records.reader import Reader, Wanted
from dragoman.records.rollup import share
from dragoman.records.rows import COLUMNS, NUMBERS, OTHER, to_row
from dragoman.records.tables import generation
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from tests.records.samples import FULL, NOON, PLAIN, sample

JOURNAL = "0" * 32
MANY = FEW + 50


def told(first: int, count: int, keys: int) -> list[Told]:
    """Return lines of so many keys, of which number n ends at offset n."""
    numbers = range(first, first + count)
    return [Told(n, lines.line(sample(n, key_hash=f"{n % keys:064d}"))) for n in numbers]


async def counted(db: Database) -> tuple[int, float]:
    """Return how many generations are stored, and how many are in the usage of keys."""
    stored = len(await Reader(db).latest(Wanted(), 10_000))
    return stored, await Reader(db).spent() / PLAIN.cost_nanos


async def write(db: Database, some: Sequence[Told], waiting: Waiting, *, sums: bool) -> None:
    waiting.add(some, some[-1].offset)
    due = waiting if sums else None
    await db.run(record(JOURNAL, some, some[-1].offset, due))


def test_sums_wait_only_where_they_are_nearly_as_many_as_generations() -> None:
    few, dense, sparse, full = Waiting(0), Waiting(0), Waiting(0), Waiting(0)
    few.add(told(1, FEW, FEW), FEW)
    dense.add(told(1, MANY, 5), MANY)
    sparse.add(told(1, MANY, MANY), MANY)
    full.add(told(1, MOST_ROWS, MOST_ROWS), MOST_ROWS)
    assert [each.is_due for each in (few, dense, sparse, full)] == [True, True, False, True]


async def test_sums_that_waited_are_written_once(db: Database) -> None:
    waiting = Waiting(0)
    await write(db, told(1, 30, 30), waiting, sums=False)
    assert await counted(db) == (30, 0)
    await write(db, told(31, 30, 30), waiting, sums=False)
    await db.run(sum_up(JOURNAL, waiting))
    await db.run(sum_up(JOURNAL, waiting))  # as when nobody could say whether it was committed
    assert await counted(db) == (60, 60)
    found = await db.read(reached(JOURNAL))
    assert (found.stored, found.summed) == (60, 60)
    usage = await Reader(db).usage(f"{7:064d}", NOON)
    assert (usage.total, usage.last) == (2 * PLAIN.cost_nanos, NOON)


async def test_a_batch_that_comes_again_waits_once(db: Database) -> None:
    waiting, batch = Waiting(0), told(1, 10, 10)
    for sums in (False, False, True, True):
        await write(db, batch, waiting, sums=sums)
    assert await counted(db) == (10, 10)


async def test_what_waited_when_the_keeper_was_killed_is_added_up_again(db: Database) -> None:
    await write(db, told(1, 10, 10), Waiting(0), sums=True)
    await write(db, told(11, 10, 10), Waiting(10), sums=False)
    found = await db.read(reached(JOURNAL))
    assert (found.stored, found.summed) == (20, 10)
    heir = Waiting(found.summed)
    await write(db, told(6, 10, 10), heir, sums=False)
    await write(db, told(16, 10, 10), heir, sums=True)
    assert await counted(db) == (25, 25)


async def test_what_another_keeper_added_up_is_not_added_again(db: Database) -> None:
    mine, other = Waiting(0), Waiting(0)
    await write(db, told(1, 10, 10), mine, sums=False)
    await write(db, told(1, 5, 10), other, sums=True)
    with pytest.raises(SummedElsewhere):
        await db.run(sum_up(JOURNAL, mine))
    assert await counted(db) == (10, 5)


def journaled(line: lines.Line) -> lines.Line:
    """Return what is read of a line that was written."""
    written = msgspec.msgpack.encode(line)
    return lines.complete(msgspec.msgpack.decode(written, type=lines.Line))


@pytest.mark.parametrize("made", [PLAIN, FULL, sample(1, user="a\0b\udcff")])
def test_a_line_holds_the_row_and_survives_the_journal(made: Generation) -> None:
    read = journaled(lines.line(made))
    assert read == lines.line(made)
    assert read.row == to_row(made)
    assert share(read).sums[0] == 1


def test_who_was_asked_last_stands_for_an_endpoint_that_did_not_answer() -> None:
    failed = msgspec.structs.replace(FULL, endpoint=None, model=None, provider=None)
    assert share(lines.line(failed)).place.endpoint == FULL.attempts[-1].endpoint


def test_a_row_of_an_earlier_release_is_filled_up_and_one_of_a_later_is_refused() -> None:
    row = to_row(PLAIN)
    assert journaled(lines.Line(row[:-3])).row == row
    with pytest.raises(msgspec.DecodeError):
        journaled(lines.Line((*row, 1)))


def test_columns_are_told_apart_as_the_tables_have_them() -> None:
    types = {column.name: type(column.type).__name__ for column in generation.columns}
    assert {name for name in COLUMNS if types[name] != "Text"} == OTHER
    assert {name for name in COLUMNS if types[name] == "BigInteger"} == set(NUMBERS)
