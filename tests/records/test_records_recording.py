"""What is recorded is found at once, counted once, and never lost to a short silence."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.records.reader import KeyUsage, Reader, Wanted
from dragoman.records.recorder import Recorder, store
from dragoman.records.tables import key_usage
from dragoman.records.types import Generation
from dragoman.store.batch import BatchOptions
from dragoman.store.sql import Database
from dragoman.wire.usage import Usage
from tests.records.samples import DAY_S, FULL, NOON, PLAIN, sample


@pytest.fixture
def recorder(db: Database) -> Recorder:
    return Recorder(db, BatchOptions(interval_s=0.01, closing_s=0.1))


@pytest.fixture
def reader(db: Database, recorder: Recorder) -> Reader:
    return Reader(db, recorder.flush)


async def write(db: Database, *made: Generation) -> None:
    await db.run(lambda connection: store(connection, made))


async def test_who_asks_at_once_finds_what_was_recorded(recorder: Recorder, reader: Reader) -> None:
    recorder.record(FULL)
    assert await reader.one(FULL.id, key_hash=None) == FULL


async def test_running_writes_in_the_background(recorder: Recorder, db: Database) -> None:
    running = asyncio.create_task(recorder.run())
    recorder.record(PLAIN)
    elsewhere = Reader(db)
    async with asyncio.timeout(10):
        while not await elsewhere.latest(Wanted(), 10):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    running.cancel()
    assert await elsewhere.one(PLAIN.id, key_hash=None) == PLAIN


async def test_closing_writes_the_rest(recorder: Recorder, db: Database) -> None:
    recorder.record(PLAIN)
    await recorder.close()
    assert await Reader(db).latest(Wanted(), 10) == (PLAIN,)
    assert recorder.dropped == 0


async def test_only_the_key_that_made_it_finds_it_when_asked_so(
    recorder: Recorder, reader: Reader
) -> None:
    recorder.record(PLAIN)
    assert await reader.one(PLAIN.id, key_hash=PLAIN.key_hash) == PLAIN
    assert await reader.one(PLAIN.id, key_hash="other") is None
    assert await reader.one("gen-0", key_hash=None) is None


async def test_a_silent_database_is_unavailable_and_loses_nothing(
    recorder: Recorder, reader: Reader, path: Path
) -> None:
    recorder.record(PLAIN)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await reader.one(PLAIN.id, key_hash=None)
    other.close()
    assert await reader.one(PLAIN.id, key_hash=None) == PLAIN


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
    assert [(row.key_hash[0], str(row.day), *row[2:]) for row in rows] == [
        ("k", "2024-06-20", 3, 30, 15, 4_500),
        ("k", "2024-06-21", 1, 10, 5, 1_500),
        ("x", "2024-06-20", 1, 10, 5, 1_500),
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
    assert await Reader(db).usage(PLAIN.key_hash, NOON) == expected


async def test_a_key_that_was_never_used_has_used_nothing(db: Database) -> None:
    assert await Reader(db).usage("nobody", NOON) == KeyUsage()


async def test_usage_includes_what_was_recorded_a_moment_ago(
    recorder: Recorder, reader: Reader
) -> None:
    recorder.record(PLAIN)
    assert (await reader.usage(PLAIN.key_hash, NOON)).day == 1_500


async def test_absurd_counts_do_not_stop_the_record(recorder: Recorder, reader: Reader) -> None:
    for number in range(3):
        usage = Usage(prompt=2**100, completion=5)
        recorder.record(sample(number, usage=usage, cost_nanos=NanoUsd(2**100)))
    await recorder.flush()
    assert (await reader.usage(PLAIN.key_hash, NOON)).total > 0


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(st.characters()), st.dictionaries(st.text(), st.text(st.characters())))
def test_any_text_can_be_recorded(db: Database, user: str, tags: dict[str, str]) -> None:
    odd = sample(abs(hash((user, *tags))), user=user, tags=tags, upstream_id=user)
    db.run_now(lambda connection: store(connection, [odd]))
