"""What is recorded is found, counted once, and not lost to a short silence."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.records.reader import KeyUsage, Reader, Wanted
from dragoman.records.recorder import store
from dragoman.records.tables import key_usage
from dragoman.records.types import Generation
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from dragoman.wire.usage import Usage
from tests.postgres import held, open_database
from tests.records.samples import DAY_S, FULL, NOON, PLAIN, sample


async def write(db: Database, *made: Generation) -> None:
    await db.run(lambda connection: store(connection, made))


@pytest.fixture
def late(db: Database) -> Reader:
    """A reader of records of which `FULL` and `PLAIN` are not written until it has to wait."""
    return Reader(db, partial(write, db, FULL, PLAIN))


async def test_who_asks_at_once_finds_what_is_not_written_yet(late: Reader) -> None:
    assert await late.one(FULL.id, key_hash=None) == FULL


async def test_only_the_key_that_made_it_finds_it_when_asked_so(db: Database) -> None:
    await write(db, PLAIN)
    reader = Reader(db)
    assert await reader.one(PLAIN.id, key_hash=PLAIN.key_hash) == PLAIN
    assert await reader.one(PLAIN.id, key_hash="other") is None
    assert await reader.one("gen-0", key_hash=None) is None


async def test_a_silent_database_is_unavailable_and_writes_nothing_by_halves(
    db: Database, state: DatabaseOptions, path: Path
) -> None:
    with held(state, path, "generation"), pytest.raises(Unavailable):
        await write(db, PLAIN)
    await write(db, PLAIN)
    assert await Reader(db).one(PLAIN.id, key_hash=None) == PLAIN
    assert (await Reader(db).usage(PLAIN.key_hash, NOON)).total == PLAIN.cost_nanos


async def test_a_batch_written_twice_is_counted_once(db: Database) -> None:
    await write(db, PLAIN, PLAIN)
    await write(db, PLAIN, sample(2))
    await write(db, PLAIN)
    reader = Reader(db)
    assert len(await reader.latest(Wanted(), 10)) == 2
    assert (await reader.usage(PLAIN.key_hash, NOON)).total == 3_000


async def test_usage_adds_up_per_key_and_day_in_utc(db: Database) -> None:
    await write(db, PLAIN, sample(2, created_at=NOON + 11.9 * 3600))
    await write(db, sample(3), sample(4, created_at=NOON + 12 * 3600), sample(5, key_hash="x"))
    rows = await db.read(
        lambda connection: connection.execute(
            key_usage.select().order_by(key_usage.c.key_hash, key_usage.c.day)
        ).all()
    )
    assert [(row.key_hash[0], str(row.day), *row[2:-1]) for row in rows] == [
        ("k", "2024-06-20", 3, 30, 15, 4_500, 0),
        ("k", "2024-06-21", 1, 10, 5, 1_500, 0),
        ("x", "2024-06-20", 1, 10, 5, 1_500, 0),
    ]


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        (0, KeyUsage(total=NanoUsd(7), day=NanoUsd(7), week=NanoUsd(7), month=NanoUsd(7))),
        (1, KeyUsage(total=NanoUsd(7), week=NanoUsd(7), month=NanoUsd(7))),
        (3, KeyUsage(total=NanoUsd(7), week=NanoUsd(7), month=NanoUsd(7))),
        (4, KeyUsage(total=NanoUsd(7), month=NanoUsd(7))),
        (19, KeyUsage(total=NanoUsd(7), month=NanoUsd(7))),
        (20, KeyUsage(total=NanoUsd(7))),
    ],
)
async def test_days_weeks_from_monday_and_months_begin_at_midnight_utc(
    db: Database, days_ago: int, expected: KeyUsage
) -> None:
    await write(db, sample(1, created_at=NOON - days_ago * DAY_S, cost_nanos=NanoUsd(7)))
    began = NOON - days_ago * DAY_S
    assert await Reader(db).usage(PLAIN.key_hash, NOON) == replace(expected, last=began)


async def test_a_key_that_was_never_used_has_used_nothing(db: Database) -> None:
    assert await Reader(db).usage("nobody", NOON) == KeyUsage()


async def test_usage_includes_what_is_not_written_yet(late: Reader) -> None:
    assert (await late.usage(PLAIN.key_hash, NOON)).day == FULL.cost_nanos + PLAIN.cost_nanos


async def test_absurd_counts_do_not_stop_the_record(db: Database) -> None:
    usage = Usage(prompt=2**100, completion=5)
    made = [sample(number, usage=usage, cost_nanos=NanoUsd(2**100)) for number in range(3)]
    await write(db, *made)
    assert (await Reader(db).usage(PLAIN.key_hash, NOON)).total > 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), [4, 3, 2, 1]),
        (Wanted(model="acme/other"), [2]),
        (Wanted(model="alias"), [3]),
        (Wanted(provider="beta"), [2]),
        (Wanted(status=502), [3]),
        (Wanted(key_hash="x"), [4]),
        (Wanted(since=NOON + 3), [4, 3]),
        (Wanted(since=NOON + 3, key_hash="x", status=200), [4]),
        (Wanted(provider="nobody"), []),
    ],
)
async def test_the_latest_that_match_come_newest_first(
    db: Database, wanted: Wanted, expected: list[int]
) -> None:
    changes: Sequence[dict[str, Any]] = (
        {},
        {"model": "acme/other", "provider": "beta"},
        {"requested": "alias", "status": 502},
        {"key_hash": "x"},
    )
    made = [sample(n, created_at=NOON + n, **change) for n, change in enumerate(changes, 1)]
    await write(db, *made)
    found = await Reader(db).latest(wanted, 10)
    assert [int(each.id[-20:]) for each in found] == expected
    assert await Reader(db).latest(wanted, 1) == found[:1]


@pytest.mark.parametrize("limit", [1, 3, 4, 10])
async def test_the_latest_of_a_key_come_from_all_its_days(db: Database, limit: int) -> None:
    midnight = NOON + DAY_S / 2
    times = (NOON - 40 * DAY_S, NOON - 40 * DAY_S + 1, midnight - 0.001, midnight, midnight + 5)
    mine = [sample(n, key_hash="x", created_at=at) for n, at in enumerate(times, 1)]
    others = [sample(n + 10, created_at=at) for n, at in enumerate(times, 1)]
    await write(db, *mine, *others)
    found = await Reader(db).latest(Wanted(key_hash="x"), limit)
    assert found == tuple(reversed(mine))[:limit]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(st.characters()), st.dictionaries(st.text(), st.text(st.characters())))
def test_any_text_can_be_recorded(db: Database, user: str, tags: dict[str, str]) -> None:
    odd = sample(abs(hash((user, *tags))), user=user, tags=tags, upstream_id=user)
    db.run_now(lambda connection: store(connection, [odd]))


async def test_two_nodes_that_write_at_once_lose_nothing_and_double_nothing(
    db: Database, state: DatabaseOptions, path: Path
) -> None:
    other = open_database(state, path)
    rows = [sample(n, key_hash=f"{n % 3:064d}") for n in range(60)]

    async def node(database: Database, order: int) -> None:
        for start in range(0, 60, 10):  # both write all rows, one from the end
            part = rows[::order][start : start + 10]
            while True:
                try:
                    await database.run(partial(store, made=part))
                except Unavailable:
                    continue
                break

    await asyncio.gather(node(db, 1), node(other, -1))
    other.close()
    assert len(await Reader(db).latest(Wanted(), 100)) == 60
    for key in range(3):
        assert (await Reader(db).usage(f"{key:064d}", NOON)).total == 20 * PLAIN.cost_nanos
