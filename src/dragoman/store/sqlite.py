"""A `dragoman.store.sql.Database` in one SQLite file.

All writes go through one thread, one after the other, so that no two of this
process ever wait for each other's locks; reads have threads of their own, so
that a long report delays no write. Whatever goes wrong in the driver (locked,
full, missing, damaged) leaves as `Unavailable`, never raw.
"""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Literal, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.pool import QueuePool

from dragoman.core.errors import Unavailable
from dragoman.store.sql import GIVES_WAY, MOST_WAITING, Work

# The driver takes both as they are, but looks for a way to adapt them first, at the price of
# two exceptions a value: half of what a row of a generation costs. Looked up, they cost the least.
sqlite3.register_adapter(bool, {False: 0, True: 1}.__getitem__)
sqlite3.register_adapter(type(None), {None: None}.__getitem__)

T = TypeVar("T")

Synchronous = Literal["FULL", "NORMAL"]
"""Whether a commit survives a loss of power (FULL) or only that of the process (NORMAL)."""

LARGE_PAGE = 16_384
"""Bytes of a page where rows come by the thousand: four times as many to each that is written to
the log, and again to the file. SQLite's own 4,096 are better where a commit changes few."""

READERS = 4
RETRY_S = 0.01
WORK_S, REST_S = 0.001, 0.002
"""Where work gives way, a statement that ends so long after the last rest is followed by another.
A thread that goes on at once has the interpreter for half of the time or more, whoever waits: the
driver lets go of it and is back before another thread has woken up (CPython issue 7946, the
convoy effect). Resting more often would cost more: what the processor had at hand is gone."""
RESTED_AT = "rested at"
_log = logging.getLogger(__name__)

OUR_DEFECTS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class SqliteDatabase:
    """One SQLite file. Opened on first use, in the threads that use it."""

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Synchronous,
        busy_timeout_s: float = 5.0,
        page_bytes: int = 4096,
    ) -> None:
        """Keep the database in a file. One that is there already keeps its size of a page."""
        file = _File(path, synchronous, busy_timeout_s, page_bytes)
        opened_to_write = partial(_open, file, partial(_use_wal, patience_s=busy_timeout_s))
        opened_to_read = partial(_open, file, _refuse_writes)
        same = _Same(path)
        self._writes = _Lane(_engine(opened_to_write, "BEGIN IMMEDIATE", 1), same, 1)
        self._reads = _Lane(_engine(opened_to_read, "BEGIN", READERS), same, READERS)

    async def run(self, work: Work[T]) -> T:
        """Do `work` in a write transaction. Raises Unavailable when the database does."""
        return await asyncio.wrap_future(self._writes.submit(work))

    async def read(self, work: Work[T]) -> T:
        """Do `work`, which must not write, beside the writer."""
        return await asyncio.wrap_future(self._reads.submit(work))

    def run_now(self, work: Work[T]) -> T:
        """Do what `run` does, and block until it is done: for commands, never in a server."""
        return self._writes.submit(work).result()

    def read_now(self, work: Work[T]) -> T:
        """Do what `read` does, and block until it is done: for commands, never in a server."""
        return self._reads.submit(work).result()

    async def news(self, within_s: float) -> None:
        """Return after that time: other processes that change a file tell nobody."""
        await asyncio.sleep(within_s)

    def close(self) -> None:
        """Finish what was asked for and close every connection. Blocks; idempotent."""
        self._writes.close()
        self._reads.close()


class _Lane:
    """Threads that take work in turn, and a bound on how much may wait for them."""

    def __init__(self, engine: Engine, same: "_Same", threads: int) -> None:
        self._engine = engine
        self._same = same
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dragoman-sql")
        self._places = BoundedSemaphore(MOST_WAITING)

    def submit(self, work: Work[T]) -> Future[T]:
        """Queue `work`, to run in a transaction of its own."""
        if not self._places.acquire(blocking=False):
            raise Unavailable("Too much is waiting for the database.", retry_after_s=1)
        try:
            future = self._threads.submit(self._transact, work)
        except RuntimeError as closed:
            self._places.release()
            raise Unavailable("The database is closed.", retry_after_s=1) from closed
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        """Wait for what was submitted, then close the connections."""
        self._threads.shutdown()
        self._engine.dispose()

    def _transact(self, work: Work[T]) -> T:
        try:
            with self._engine.begin() as connection:
                self._same.check()
                return work(connection)
        except OUR_DEFECTS:
            raise
        except (DBAPIError, OSError) as cause:
            raise Unavailable("The database did not answer.", retry_after_s=1) from cause


class _Same:
    """Knows the file that was opened, and whether its path still leads there.

    SQLite goes on with a file that was deleted or replaced, and all that is written is lost with
    the process. So nothing is done then: journals have what is not in the new file, and a process
    that starts with that books it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None
        self._told = False

    def check(self) -> None:
        """Raise Unavailable unless the path leads where it led the first time."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - a third of the time of Path.stat
        except FileNotFoundError:
            here = (0, 0)
        else:
            here = (found.st_dev, found.st_ino)
        if self._known is None:
            self._known = here
        elif here != self._known:
            if not self._told:
                self._told = True
                _log.critical("store.sqlite.replaced", extra={"path": str(self._path)})
            raise Unavailable(
                f"{self._path.name} was deleted or replaced beneath this process. Restart it.",
                retry_after_s=1,
            )


class _File(Struct, frozen=True):
    """Where the database is, and how its connections behave."""

    path: Path
    synchronous: Synchronous
    busy_timeout_s: float
    page_bytes: int


def _open(file: _File, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    # Created here, since SQLite would let others read it. Its -wal and -shm inherit the mode.
    # A file that exists is not opened: closing any descriptor of it would drop the locks that
    # SQLite holds on it in this process (POSIX), and another process would delete its WAL.
    with suppress(FileExistsError):
        os.close(os.open(file.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        file.path,
        timeout=file.busy_timeout_s,
        isolation_level=None,  # the driver must not begin transactions by its own rules
        check_same_thread=False,  # the pool hands a connection to one thread at a time
    )
    try:
        connection.execute(f"PRAGMA page_size={file.page_bytes}")
        connection.execute(f"PRAGMA synchronous={file.synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _refuse_writes(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only=ON")


def _use_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    # SQLite does not wait for a lock when the journal mode changes, whatever the
    # busy timeout, so two processes that create the file together meet here.
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_S)
        else:
            return


def _engine(creator: Callable[[], sqlite3.Connection], begin: str, connections: int) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=creator,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    event.listen(engine, "after_cursor_execute", _give_way)
    return engine


def _give_way(connection: Connection, *_: Any) -> None:
    if GIVES_WAY not in connection.get_execution_options():
        return
    if time.monotonic() - connection.info.get(RESTED_AT, 0.0) >= WORK_S:
        time.sleep(REST_S)
        connection.info[RESTED_AT] = time.monotonic()
