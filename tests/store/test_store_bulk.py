"""Many rows in few statements."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, select

from dragoman.store.bulk import add_rows, insert_rows
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.postgres import open_database

METADATA = MetaData()
ORDER = Table("order", METADATA, Column("n", Integer, primary_key=True), Column("user", Text))
"""A table and a column that only go by in quotes."""

SUMS = Table(
    "sum",
    METADATA,
    Column("of", Text, primary_key=True),
    Column("group", Text, primary_key=True),
    Column("count", Integer),
    Column("total", Integer),
)
"""Sums by two names, all in need of quotes."""


@pytest.fixture
def db(tmp_path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, tmp_path / "test.db")
    database.run_now(METADATA.create_all)
    yield database
    database.close()


def rows(connection: Connection) -> list[tuple[int, str | None]]:
    return [tuple(row) for row in connection.execute(select(ORDER).order_by(ORDER.c.n))]


@pytest.mark.parametrize("count", [0, 1, 3, 99, 100, 628])
def test_every_row_arrives(db: Database, count: int) -> None:
    made: list[tuple[int, str | None]] = [(n, f"u{n}" if n % 2 else None) for n in range(count)]
    db.run_now(lambda connection: insert_rows(connection, ORDER, made))
    assert db.run_now(rows) == made


@pytest.mark.parametrize("count", [0, 1, 628])
def test_what_is_added_is_inserted_or_adds_up(db: Database, count: int) -> None:
    known: list[tuple[str, str, int, int]] = [(f"u{n}", "x", 1, n) for n in range(0, count + 2, 2)]
    added = [(f"u{n}", "x", 2, 10) for n in range(count)]
    db.run_now(lambda connection: add_rows(connection, SUMS, known))
    db.run_now(lambda connection: add_rows(connection, SUMS, added))
    expected = {row[:2]: row[2:] for row in known}
    for of, group, times, total in added:
        before = expected.get((of, group), (0, 0))
        expected[of, group] = (before[0] + times, before[1] + total)
    found = db.run_now(lambda connection: connection.execute(select(SUMS)).all())
    assert {tuple(row[:2]): tuple(row[2:]) for row in found} == expected


def test_what_was_the_same_in_all_rows_need_not_stay_so(db: Database) -> None:
    made: list[tuple[str, str, int | None, int | None]] = [
        *[(f"a{n}", "x", None, 0) for n in range(105)],
        *[(f"b{n}", "x", n or None, 0) for n in range(105)],
        *[(f"c{n}", "x", None, n) for n in range(105)],
        *[(f"d{n}", "x", 0, None) for n in range(105)],
    ]
    for some in (made[:1], made[1:4], made[4:210], made[210:]):
        db.run_now(partial(insert_rows, table=SUMS, rows=some))
    found = db.run_now(lambda connection: connection.execute(select(SUMS)).all())
    assert sorted(map(tuple, found)) == sorted(made)
