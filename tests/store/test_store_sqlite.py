"""The database in a file: connections, locks, and what its failures become."""

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from dragoman.core.errors import Unavailable
from dragoman.store import sqlite
from dragoman.store.sql import MOST_WAITING, Work, giving_way
from dragoman.store.sqlite import LARGE_PAGE, SqliteDatabase, Synchronous


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
def db(path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(path, synchronous="NORMAL", busy_timeout_s=0.05)
    database.run_now(execute("CREATE TABLE number (n INTEGER PRIMARY KEY)"))
    yield database
    database.close()


async def test_what_is_written_can_be_read(db: SqliteDatabase) -> None:
    await db.run(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == [7]
    assert db.run_now(numbers) == [7]


@pytest.mark.parametrize(("goes_on_s", "rests"), [(0.0, 2), (float("inf"), 0)])
async def test_work_that_gives_way_rests_between_statements_once_it_has_gone_on_for_long(
    db: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, goes_on_s: float, rests: int
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("dragoman.store.sqlite.time.sleep", slept.append)
    monkeypatch.setattr(sqlite, "WORK_S", goes_on_s)
    await db.run(giving_way(execute("INSERT INTO number VALUES (7)")))
    await db.run(giving_way(execute("INSERT INTO number VALUES (8)")))
    assert slept == [sqlite.REST_S] * rests
    await db.run(execute("INSERT INTO number VALUES (9)"))
    assert await db.read(numbers) == [7, 8, 9]
    assert len(slept) == rests


async def test_work_that_raises_leaves_nothing_behind(db: SqliteDatabase) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO number VALUES (7)"))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        await db.run(work)
    assert await db.read(numbers) == []


async def test_a_reader_cannot_write(db: SqliteDatabase) -> None:
    with pytest.raises(Unavailable):
        await db.read(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == []


async def test_a_violated_constraint_is_a_defect_of_ours_and_not_silence(
    db: SqliteDatabase,
) -> None:
    await db.run(execute("INSERT INTO number VALUES (7)"))
    with pytest.raises(IntegrityError):
        await db.run(execute("INSERT INTO number VALUES (7)"))


async def test_a_locked_database_is_unavailable_and_works_again_later(
    db: SqliteDatabase, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as caught:
        await db.run(execute("INSERT INTO number VALUES (7)"))
    assert caught.value.retry_after_s == 1
    assert caught.value.__cause__ is not None
    assert await db.read(numbers) == [], "a lock for writing does not stop readers"
    other.close()
    await db.run(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == [7]


async def test_a_full_database_is_unavailable_and_keeps_what_it_had(db: SqliteDatabase) -> None:
    def fill(connection: Connection) -> None:
        pages: int = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
        connection.execute(text("CREATE TABLE text (t TEXT)"))
        connection.execute(text("INSERT INTO text VALUES (zeroblob(100000))"))

    await db.run(execute("INSERT INTO number VALUES (7)"))
    with pytest.raises(Unavailable):
        await db.run(fill)
    assert await db.read(numbers) == [7]


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
async def test_a_damaged_or_missing_database_is_unavailable(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "elsewhere" / "test.db"
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    database = SqliteDatabase(path, synchronous="NORMAL", busy_timeout_s=0.05)
    for do in (database.run, database.read):
        with pytest.raises(Unavailable):
            await do(numbers)
    database.close()


async def test_a_closed_database_is_unavailable_and_may_be_closed_again(db: SqliteDatabase) -> None:
    db.close()
    db.close()
    with pytest.raises(Unavailable):
        await db.run(numbers)


async def test_a_long_report_delays_neither_writes_nor_other_reads(db: SqliteDatabase) -> None:
    begun, done = threading.Event(), threading.Event()

    def report(connection: Connection) -> list[int]:
        found = numbers(connection)
        begun.set()
        assert done.wait(30)
        return found + numbers(connection)

    reading = asyncio.create_task(db.read(report))
    assert await asyncio.to_thread(begun.wait, 10)
    await db.run(execute("INSERT INTO number VALUES (7)"))
    assert await db.read(numbers) == [7]
    done.set()
    assert await reading == [], "a report sees one moment, from beginning to end"


async def test_what_waits_for_the_database_is_bounded(db: SqliteDatabase) -> None:
    done = threading.Event()
    tasks = [asyncio.create_task(db.run(lambda _: done.wait(30))) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="waiting"):
        await db.run(numbers)
    done.set()
    await asyncio.gather(*tasks)
    assert await db.run(numbers) == []


async def test_writes_are_done_in_the_order_they_were_asked_for(db: SqliteDatabase) -> None:
    seen: list[int] = []

    def note(n: int) -> Work[None]:
        return lambda _: seen.append(n)

    await asyncio.gather(*(db.run(note(n)) for n in range(50)))
    assert seen == list(range(50))


@pytest.mark.parametrize(("synchronous", "code"), [("FULL", 2), ("NORMAL", 1)])
async def test_connections_are_as_asked_for(
    path: Path, synchronous: Synchronous, code: int
) -> None:
    def pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    database = SqliteDatabase(path, synchronous=synchronous)
    assert await database.run(pragmas) == ["wal", code, 1, 5000]
    assert await database.read(pragmas) == ["wal", code, 1, 5000]
    database.close()


@pytest.mark.parametrize("first", ["run", "read"])
async def test_only_the_owner_may_open_the_files(path: Path, first: str) -> None:
    umask = os.umask(0)
    try:
        database = SqliteDatabase(path, synchronous="FULL")
        await getattr(database, first)(lambda _: None)
        await database.run(execute("CREATE TABLE number (n INTEGER PRIMARY KEY)"))
        files = list(path.parent.iterdir())
        assert len(files) == 3, "the database, its -wal and its -shm"
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        database.close()
    finally:
        os.umask(umask)


class Contested(sqlite3.Connection):
    """Another process is changing the journal mode, a given number of times."""

    refusals = 0

    def execute(self, sql: str, _parameters: object = (), /) -> sqlite3.Cursor:
        if self.refusals and "journal_mode" in sql:
            self.refusals -= 1
            raise sqlite3.OperationalError("database is locked")
        return super().execute(sql)


def test_a_change_of_journal_mode_is_tried_until_the_other_process_is_done(path: Path) -> None:
    connection = sqlite3.connect(path, factory=Contested)
    connection.refusals = 2
    sqlite._use_wal(connection, patience_s=5)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.refusals = 1
    with pytest.raises(sqlite3.OperationalError):
        sqlite._use_wal(connection, patience_s=0)
    connection.close()


async def test_a_file_that_another_process_holds_is_waited_for(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    other.execute("BEGIN EXCLUSIVE")
    database = SqliteDatabase(path, synchronous="FULL")
    waiting = asyncio.create_task(database.run(numbers))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    assert await waiting == []
    database.close()


async def test_two_that_open_a_new_file_at_once_both_succeed(path: Path) -> None:
    databases = [SqliteDatabase(path, synchronous="FULL") for _ in range(8)]
    await asyncio.gather(
        *(db.run(execute("CREATE TABLE IF NOT EXISTS number (n INTEGER)")) for db in databases)
    )
    for db in databases:
        db.close()


async def test_another_process_that_comes_and_goes_is_seen_and_sees(
    db: SqliteDatabase, path: Path
) -> None:
    await db.run(execute("INSERT INTO number VALUES (1)"))
    assert await db.read(numbers) == [1]
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('INSERT INTO number VALUES (2)'); c.commit(); c.close()"  # noqa: E501
    for _ in range(2):
        other_process = await asyncio.create_subprocess_exec(sys.executable, "-c", other, path)
        assert await other_process.wait() == 0
        assert 2 in await db.read(numbers)
        await db.run(execute("DELETE FROM number WHERE n = 2"))
    with sqlite3.connect(path) as fresh:
        assert fresh.execute("SELECT n FROM number").fetchall() == [(1,)]
    fresh.close()


def test_a_new_file_has_pages_of_the_size_asked_for_and_one_that_is_there_keeps_its_own(
    path: Path,
) -> None:
    for asked in (LARGE_PAGE, 4096):
        database = SqliteDatabase(path, synchronous="NORMAL", page_bytes=asked)
        database.run_now(lambda c: c.execute(text("CREATE TABLE IF NOT EXISTS t (a)")))
        found = database.read_now(lambda c: c.execute(text("PRAGMA page_size")).scalar())
        database.close()
        assert found == LARGE_PAGE


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_was_taken_away_is_neither_written_nor_read(
    db: SqliteDatabase, path: Path, how: str
) -> None:
    db.run_now(execute("INSERT INTO number VALUES (7)"))
    other = path.with_name("other.db")
    shutil.copy(path, other)
    path.unlink()
    if how == "replaced":
        other.rename(path)
    for ask in (db.run_now, db.read_now):
        with pytest.raises(Unavailable, match="Restart it"):
            ask(numbers)
