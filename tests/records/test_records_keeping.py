"""The way to a key's generations, the parts of PostgreSQL's table, and an end to what is old."""

import pytest
from sqlalchemy import Connection, delete, func, select, text

from dragoman.records import partitions, retention, trail
from dragoman.records.reader import Reader, Wanted
from dragoman.records.recorder import store
from dragoman.records.retention import first_kept, forget_generations, forget_sums
from dragoman.records.tables import generation, key_usage, rollup
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from tests.records.samples import DAY_S, NOON, sample


async def write(db: Database, *made: Generation) -> None:
    await db.run(lambda connection: store(connection, made))


async def counted(db: Database, table: str) -> int:
    query = text(f"SELECT count(*) FROM {table}")
    return await db.read(lambda connection: int(connection.execute(query).scalar_one()))


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "RUNS_AT_ONCE", 1)


@pytest.mark.usefixtures("small_runs")
async def test_the_latest_of_a_key_are_by_time_even_if_written_late(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_TAKE_RUNS", "_TAKE_ROWS"):
        statement = str(getattr(trail, name)).replace(f">> {trail.ROWS_BITS}", ">> 2")
        monkeypatch.setattr(trail, name, text(statement))
    times = [5, 1, 9, 3, 30, 2, 8, 31, 4, 7, 29, 6]
    mine = [sample(n, key_hash="a" * 64, created_at=NOON + at) for n, at in enumerate(times)]
    for number, one in enumerate(mine):
        await write(db, one, sample(100 + number, created_at=NOON + number))
    expected = sorted(mine, key=lambda one: -one.created_at)
    for limit in (1, 3, 12, 20):
        found = await Reader(db).latest(Wanted(key_hash="a" * 64), limit)
        assert list(found) == expected[:limit]
    before = await Reader(db).latest(Wanted(key_hash="a" * 64, before=NOON + 9, since=NOON + 4), 9)
    assert [one.created_at - NOON for one in before] == [8, 7, 6, 5, 4]


async def test_keys_that_begin_alike_are_told_apart(db: Database) -> None:
    one, other = "a" * 63 + "1", "a" * 63 + "2"
    await write(db, sample(1, key_hash=one), sample(2, key_hash=other))
    assert [m.key_hash for m in await Reader(db).latest(Wanted(key_hash=one), 9)] == [one]


async def test_the_way_repairs_itself(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DELETE FROM derived_key_run"))
            connection.execute(text("DELETE FROM derived_key_trail"))

    monkeypatch.setattr(trail, "MOST_AT_ONCE", 2)
    await write(db, *[sample(n, key_hash="x") for n in range(5)])
    await db.run(lose)
    assert len(await Reader(db).latest(Wanted(key_hash="x"), 9)) == 5
    for number in range(10, 15):
        await write(db, sample(number, key_hash="x"))
    assert len(await Reader(db).latest(Wanted(key_hash="x"), 99)) == 10
    if await db.read(lambda connection: connection.dialect.name) == "sqlite":
        assert await db.read(trail.is_whole)


async def test_the_way_repairs_itself_where_what_came_first_is_forgotten(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(connection: Connection) -> None:
        connection.execute(delete(generation).where(generation.c.id != kept.id))
        if connection.dialect.name == "sqlite":
            connection.execute(text("DELETE FROM derived_key_run"))
            connection.execute(text("DELETE FROM derived_key_trail"))

    monkeypatch.setattr(trail, "MOST_AT_ONCE", 2)
    kept = sample(9, key_hash="x")
    await write(db, *[sample(n, key_hash="x") for n in range(9)], kept)
    await db.run(lose)
    await write(db, sample(20, key_hash="x"))
    assert len(await Reader(db).latest(Wanted(key_hash="x"), 9)) == 2
    if await db.read(lambda connection: connection.dialect.name) == "sqlite":
        assert await db.read(trail.is_whole)


async def test_days_that_are_too_old_are_forgotten_a_little_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    await db.run(lambda connection: partitions.prepare(connection, NOON - DAY_S))
    made = [sample(n, created_at=NOON - (n % 4) * DAY_S, key_hash="x") for n in range(40)]
    await write(db, *made)
    before = first_kept(NOON, 1)
    rounds = 1
    while await db.run(forget_generations(before)):
        rounds += 1
    assert rounds > 1
    left = await Reader(db).latest(Wanted(), 100)
    assert {m.id for m in left} == {m.id for m in made if m.created_at >= before}
    assert len(await Reader(db).latest(Wanted(key_hash="x"), 100)) == len(left)
    assert (await Reader(db).usage("x", NOON)).total == 40 * 1_500
    await write(db, *made[:1])
    assert len(await Reader(db).latest(Wanted(), 100)) == len(left)


async def test_all_may_be_forgotten_and_new_ones_are_found(db: Database) -> None:
    await write(db, sample(1, key_hash="x"), sample(2, key_hash="x"))
    while await db.run(forget_generations(NOON + DAY_S)):
        pass
    assert await counted(db, "generation") == 0
    await write(db, sample(3, key_hash="x"))
    assert len(await Reader(db).latest(Wanted(key_hash="x"), 9)) == 1


async def test_sums_are_forgotten_apart_and_what_keys_spent_is_not(db: Database) -> None:
    await write(db, sample(1), sample(2, created_at=NOON - 9 * DAY_S))
    while await db.run(forget_sums(first_kept(NOON, 3))):
        pass
    kept = select(func.min(rollup.c.start))
    assert await db.read(lambda c: c.execute(kept).scalar_one()) >= first_kept(NOON, 3)
    spent = select(func.sum(key_usage.c.requests))
    assert await db.read(lambda c: int(c.execute(spent).scalar_one())) == 2
    assert await counted(db, "generation") == 2


async def test_each_day_to_come_has_a_part_of_its_own(db: Database) -> None:
    if await db.read(lambda connection: connection.dialect.name) == "sqlite":
        assert await db.run(lambda connection: partitions.prepare(connection, NOON)) == 0
        return
    await write(db, sample(1))  # lies among the rest, and so do all of its day
    made = await db.run(lambda connection: partitions.prepare(connection, NOON))
    assert made == partitions.AHEAD_DAYS
    again = await db.run(lambda connection: partitions.prepare(connection, NOON))
    assert again == 0
    await write(db, sample(2), sample(3, created_at=NOON + DAY_S))
    assert await counted(db, partitions.name_of(int(NOON // DAY_S + 1) * int(DAY_S))) == 1
    assert await counted(db, partitions.REST) == 2
    query = select(generation.c.id).where(generation.c.created_at > NOON)
    assert len(await db.read(lambda c: c.execute(query).all())) == 1
