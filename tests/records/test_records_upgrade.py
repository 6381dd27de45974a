"""A database that was in use before the tables of today: nothing is lost, and nobody waits long."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text

from dragoman.records import partitions, retention
from dragoman.records.migrations import MIGRATIONS, ROOM
from dragoman.records.reader import Reader, Wanted
from dragoman.records.recorder import store
from dragoman.records.retention import forget_generations
from dragoman.records.rows import COLUMNS, to_row
from dragoman.records.tables import speed
from dragoman.records.types import Generation
from dragoman.store.bulk import add_rows, insert_rows
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.postgres import open_database
from tests.records.samples import DAY_S, FULL, NOON, sample

OLD: Final = 4
"""The last step before generations were divided by day."""
UNDIVIDED: Final = 8
"""The last step before speeds were divided by what they are of."""
SPREAD: Final = (0, 255, 256, 511, 512, 767)
LATER: Final = ("account", "is_byok", "byok_nanos")
SPENT: Final = 1_500
"""What each of them cost, in nano-dollars."""
TODAY: Final = int(NOON // DAY_S) * int(DAY_S)
MADE: Final = (
    *[sample(n, created_at=NOON - n * DAY_S / 2, key_hash=f"{n % 2}" * 64) for n in range(20)],
    replace(FULL, created_at=NOON - 1),
)


@pytest.fixture
def old(tmp_path: Path, state: DatabaseOptions) -> Iterator[Database]:
    """A database as it was, with generations of ten days."""
    database = open_database(state, tmp_path / "records.db")
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS[:OLD], 0.0))
    database.run_now(_populate)
    yield database
    database.close()


def _populate(connection: Connection) -> None:
    names = [name for name in COLUMNS if name not in LATER]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f":{name}" for name in names)
    for made in MADE:
        row = dict(zip(COLUMNS, to_row(made), strict=True))
        connection.execute(text(f"INSERT INTO generation ({columns}) VALUES ({values})"), row)
    used = (
        "INSERT INTO key_usage (key_hash, day, requests, prompt_tokens, completion_tokens,"
        " cost_nanos) VALUES (:key_hash, :day, :requests, 0, 0, :cost)"
    )
    sums = Counter((made.key_hash, made.created_at // DAY_S) for made in MADE)
    for (key_hash, number), requests in sums.items():
        day: date | str = datetime.fromtimestamp(number * DAY_S, UTC).date()
        if connection.dialect.name == "sqlite":
            day = str(day)
        cost = requests * SPENT
        row = {"key_hash": key_hash, "day": day, "requests": requests, "cost": cost}
        connection.execute(text(used), row)


def upgraded(db: Database, now: float = NOON) -> bool:
    """Bring the tables to today's shape, as an installation does at its start."""

    def work(connection: Connection) -> bool:
        migrate(connection, ROOM, MIGRATIONS, now)
        return partitions.set_aside(connection, now)

    return db.run_now(work)


def is_postgresql(db: Database) -> bool:
    return db.run_now(lambda connection: connection.dialect.name) == "postgresql"


async def rows(db: Database, table: str) -> int:
    query = text(f"SELECT count(*) FROM {table}")
    return await db.read(lambda connection: int(connection.execute(query).scalar_one()))


async def write(db: Database, *made: Generation) -> None:
    await db.run(lambda connection: store(connection, made))


async def test_all_that_was_there_is_there_and_goes_on(old: Database) -> None:
    assert upgraded(old) is is_postgresql(old)
    assert upgraded(old) is False, "a second start sets nothing aside"
    reader = Reader(old)
    expected = sorted(MADE, key=lambda made: (-made.created_at, made.id))
    found = await reader.latest(Wanted(), 100)
    assert [each.id for each in found] == [each.id for each in expected]
    assert await reader.one(FULL.id, key_hash=FULL.key_hash) == replace(FULL, created_at=NOON - 1)
    mine = await reader.latest(Wanted(key_hash="1" * 64), 100)
    assert [each.id for each in mine] == [e.id for e in expected if e.key_hash == "1" * 64]
    usage = await reader.usage("0" * 64, NOON)
    assert (usage.total, usage.day, usage.last) == (10 * SPENT, SPENT, NOON)
    await write(old, MADE[0], sample(99, created_at=NOON, key_hash="0" * 64))
    assert len(await reader.latest(Wanted(), 100)) == len(MADE) + 1, "and no row is there twice"
    assert (await reader.usage("0" * 64, NOON)).total == 11 * SPENT


async def test_days_to_come_have_parts_that_are_made_at_once(old: Database) -> None:
    upgraded(old)
    if not is_postgresql(old):
        return
    assert (await rows(old, partitions.REST), await rows(old, partitions.BEFORE)) == (0, len(MADE))
    made = await old.run(lambda connection: partitions.prepare(connection, NOON))
    assert made == partitions.AHEAD_DAYS, "today lies with what was before"
    assert await old.run(lambda connection: partitions.prepare(connection, NOON)) == 0
    tomorrow = partitions.name_of(TODAY + int(DAY_S))
    await write(old, sample(50), sample(51, created_at=NOON + DAY_S))
    assert (await rows(old, tomorrow), await rows(old, partitions.BEFORE)) == (1, len(MADE) + 1)


async def test_old_days_go_row_by_row_and_the_last_with_their_part(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    upgraded(old)
    await old.run(lambda connection: partitions.prepare(connection, NOON))
    before = TODAY - 2 * DAY_S
    while await old.run(forget_generations(before)):
        pass
    left = await Reader(old).latest(Wanted(), 100)
    assert {each.id for each in left} == {each.id for each in MADE if each.created_at >= before}
    await write(old, sample(60, created_at=NOON + 2 * DAY_S))
    while await old.run(forget_generations(TODAY + DAY_S)):
        pass
    assert [each.id for each in await Reader(old).latest(Wanted(), 100)] == [sample(60).id]
    if is_postgresql(old):
        gone = text(f"SELECT to_regclass('{partitions.BEFORE}')")
        assert await old.read(lambda connection: connection.execute(gone).scalar_one()) is None


async def test_rows_of_a_clock_that_was_ahead_stay_where_they_are(old: Database) -> None:
    assert upgraded(old, now=NOON - 3 * DAY_S) is False
    assert len(await Reader(old).latest(Wanted(), 100)) == len(MADE)
    made = await old.run(lambda connection: partitions.prepare(connection, NOON))
    assert made == (partitions.AHEAD_DAYS if is_postgresql(old) else 0)


async def test_speeds_are_divided_and_none_is_lost(tmp_path: Path, state: DatabaseOptions) -> None:
    database = open_database(state, tmp_path / "speeds.db")
    rows_ = [(face, TODAY, 7, code, face * code + 1) for face in (1, 3) for code in SPREAD]

    def populate(connection: Connection) -> None:
        migrate(connection, ROOM, MIGRATIONS[:UNDIVIDED], 0.0)
        insert_rows(connection, speed, rows_)

    database.run_now(populate)
    upgraded(database)
    database.run_now(lambda connection: add_rows(connection, speed, rows_[:1]))
    found = await database.read(lambda c: c.execute(speed.select().order_by(*speed.c)).all())
    assert [tuple(row) for row in found] == [(*rows_[0][:4], 2 * rows_[0][4]), *rows_[1:]]
    if is_postgresql(database):
        parts = ("speed_latency", "speed_generation", "speed_throughput")
        assert [await rows(database, part) for part in parts] == [4, 4, 4]
    database.close()
