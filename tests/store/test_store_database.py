"""What every database promises, whichever it is."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from dragoman.core.errors import Unavailable
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import MOST_WAITING, Database, Work, announce, be_patient
from tests.postgres import held, open_database


def execute(statement: str) -> Work[None]:
    def work(connection: Connection) -> None:
        connection.execute(text(statement))

    return work


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM number ORDER BY n")).scalars())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def db(state: DatabaseOptions, path: Path) -> Iterator[Database]:
    database = open_database(state, path)
    database.run_now(execute("CREATE TABLE number (n INTEGER PRIMARY KEY)"))
    yield database
    database.close()


@pytest.fixture
def other(state: DatabaseOptions, path: Path) -> Iterator[Database]:
    """The same database, as another process has it open."""
    database = open_database(state, path)
    yield database
    database.close()


async def test_what_is_written_can_be_read(db: Database) -> None:
    await db.run(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == [7]
    assert db.run_now(numbers) == db.read_now(numbers) == [7]


async def test_work_that_raises_leaves_nothing_behind(db: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO number VALUES (7)"))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        await db.run(work)
    assert await db.read(numbers) == []


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(Unavailable):
        await db.read(execute("INSERT INTO number VALUES (7)"))
    with pytest.raises(Unavailable):
        db.read_now(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == []


async def test_a_violated_constraint_is_a_defect_of_ours_and_not_silence(db: Database) -> None:
    await db.run(execute("INSERT INTO number VALUES (7)"))
    with pytest.raises(IntegrityError):
        await db.run(execute("INSERT INTO number VALUES (7)"))


async def test_a_table_that_is_not_there_is_silence_and_not_a_defect(db: Database) -> None:
    with pytest.raises(Unavailable):
        await db.read(execute("SELECT * FROM nothing"))


async def test_what_another_process_holds_is_unavailable_and_works_again_later(
    db: Database, state: DatabaseOptions, path: Path
) -> None:
    with held(state, path, "number"):
        with pytest.raises(Unavailable) as caught:
            await db.run(execute("INSERT INTO number VALUES (7)"))
        assert await db.read(numbers) == [], "a lock for writing does not stop readers"
    assert caught.value.retry_after_s == 1
    assert caught.value.__cause__ is not None
    await db.run(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == [7]


async def test_a_report_sees_one_moment_from_beginning_to_end(
    db: Database, other: Database
) -> None:
    begun, done = threading.Event(), threading.Event()

    def report(connection: Connection) -> list[int]:
        found = numbers(connection)
        begun.set()
        assert done.wait(30)
        return found + numbers(connection)

    reading = asyncio.create_task(db.read(report))
    assert await asyncio.to_thread(begun.wait, 10)
    await other.run(execute("INSERT INTO number VALUES (7)"))
    assert await other.read(numbers) == [7]
    done.set()
    assert await reading == []


async def test_what_waits_for_the_database_is_bounded(db: Database) -> None:
    done = threading.Event()
    tasks = [asyncio.create_task(db.run(lambda _: done.wait(30))) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="waiting"):
        await db.run(numbers)
    done.set()
    await asyncio.gather(*tasks)
    assert await db.run(numbers) == []


async def test_who_stops_waiting_takes_nothing_from_the_others(db: Database) -> None:
    waiting = [asyncio.create_task(db.read(numbers)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    assert [task.result() for task in waiting[1::2] if await task == []] == [[]] * 25
    assert await db.run(numbers) == []


async def test_a_closed_database_is_unavailable_and_may_be_closed_again(db: Database) -> None:
    db.close()
    db.close()
    with pytest.raises(Unavailable, match="closed"):
        await db.run(numbers)
    with pytest.raises(Unavailable, match="closed"):
        db.read_now(numbers)
    await db.news(0.001)


async def test_closing_waits_for_what_was_asked_for(db: Database, other: Database) -> None:
    writing = [
        asyncio.create_task(db.run(execute(f"INSERT INTO number VALUES ({n})"))) for n in range(20)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(db.close)
    await asyncio.gather(*writing)
    assert await other.read(numbers) == list(range(20))


async def test_no_news_comes_after_a_while(db: Database) -> None:
    await db.news(0.001)
    await db.run(announce)
    await db.run(be_patient)
    await db.news(0.001)
