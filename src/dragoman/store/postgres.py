"""A `dragoman.store.sql.Database` in one schema of a PostgreSQL server.

The driver has a thread and an event loop of its own: whatever a report costs to decode, no
request waits for it, and commands and servers use the same object from any loop. Writers
and readers have connections of their own, so that reports delay no write. Units of work run
in that one thread, each in a transaction on a connection, and wait for the server together.

Everything is bounded: waiting for a lock, for a statement, for a whole unit. Whatever goes
wrong in the server or on the way to it leaves as `Unavailable`; what is a defect of ours
(a violated constraint, a value that does not fit, wrong SQL) leaves raw.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import BoundedSemaphore, Lock, Thread
from typing import Any, TypeVar

import asyncpg
import uvloop
from msgspec import Struct
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from dragoman.core.errors import Unavailable
from dragoman.store.listener import Listener
from dragoman.store.sql import MOST_WAITING, Work

T = TypeVar("T")

WRITERS = READERS = 4
FOREVER_S = 86_400.0
LOOK_AGAIN_S = 0.25
"""How long a unit waits for a connection of others before it sees whether it may make one.

SQLAlchemy's pool tells nobody who waits when making a connection failed or was cancelled."""

OUR_CLASSES = ("0A", "22", "23", "42")
"""Unsupported, a value that does not fit, a constraint, wrong SQL ("PostgreSQL Error Codes")."""
NOT_OURS = ("42501", "42P01")
"""No privilege, and no such table: the operator's to mend."""


class Patience(Struct, frozen=True, kw_only=True):
    """How long to wait: for a connection, a lock, a unit that writes, one that reads. Seconds."""

    connect_s: float = 5.0
    lock_s: float = 2.0
    write_s: float = 10.0
    read_s: float = 30.0


class PostgresDatabase:
    """One schema. Connects on first use, and anew whenever the server has been away."""

    def __init__(self, url: str, schema: str, patience: Patience = Patience()) -> None:  # noqa: B008  # a frozen value
        self._patience = patience
        self._connect = partial(_connect, url, schema, patience)
        self._writes = _engine(partial(self._connect, patience.write_s, reads=False), WRITERS)
        self._reads = _engine(partial(self._connect, patience.read_s, reads=True), READERS)
        self._thread = _LoopThread()
        self._listener: Listener | None = None

    async def run(self, work: Work[T]) -> T:
        """Do `work` in a write transaction. Who stops waiting for it has it rolled back."""
        unit = partial(_transact, self._writes, work, self._patience.write_s)
        return await asyncio.wrap_future(self._thread.submit(unit))

    async def read(self, work: Work[T]) -> T:
        """Do `work`, which must not write, beside the writers. It sees one moment throughout."""
        unit = partial(_transact, self._reads, work, self._patience.read_s)
        return await asyncio.wrap_future(self._thread.submit(unit))

    def run_now(self, work: Work[T]) -> T:
        """Do what `run` does, and block until it is done: for commands, never in a server."""
        return self._thread.submit(partial(_transact, self._writes, work, FOREVER_S)).result()

    def read_now(self, work: Work[T]) -> T:
        """Do what `read` does, and block until it is done: for commands, never in a server."""
        return self._thread.submit(partial(_transact, self._reads, work, FOREVER_S)).result()

    async def news(self, within_s: float) -> None:
        """Return when another node announced a change, at the latest after `within_s`."""
        try:
            heard = self._thread.submit(partial(self._wait, within_s))
        except Unavailable:
            await asyncio.sleep(within_s)
        else:
            await asyncio.wrap_future(heard)

    def close(self) -> None:
        """Finish what was asked for and close every connection. Blocks; idempotent."""
        self._thread.close(self._disconnect)

    async def _wait(self, within_s: float) -> None:
        if self._listener is None:
            self._listener = Listener(partial(self._connect, FOREVER_S, reads=True))
            self._thread.keep(self._listener.run())
        await self._listener.wait(within_s)

    async def _disconnect(self) -> None:
        await self._writes.dispose()
        await self._reads.dispose()


def make_schema(schema: str) -> Work[None]:
    """Make the schema unless it exists. `schema` is a name as `DatabaseOptions` allows."""

    def work(connection: Connection) -> None:
        found = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
        # Asked first, since IF NOT EXISTS wants the right to make one in any case.
        if connection.execute(found, {"name": schema}).first() is None:
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))

    return work


class _LoopThread:
    """A thread with an event loop, a bound on what may wait for it, and an orderly end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._kept: set[asyncio.Task[None]] = set()
        self._places = BoundedSemaphore(MOST_WAITING)
        self._open = True
        self._lock = Lock()
        self._thread = Thread(target=self._loop.run_forever, name="dragoman-postgres", daemon=True)
        self._thread.start()

    def submit(self, unit: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start `unit` in the loop. Cancelling the future cancels it."""
        if not self._places.acquire(blocking=False):
            raise Unavailable("Too much is waiting for the database.", retry_after_s=1)
        future: Future[T] = Future()
        future.add_done_callback(lambda _: self._places.release())
        with self._lock:
            if self._open:
                self._loop.call_soon_threadsafe(self._start, unit, future)
                return future
        self._places.release()
        raise Unavailable("The database is closed.", retry_after_s=1)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until the end, which cancels it. To be called within the loop."""
        self._kept.add(self._loop.create_task(work))

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for what was submitted, do `last`, and end the thread."""
        with self._lock:
            if not self._open:
                return
            self._open = False
        self._loop.call_soon_threadsafe(lambda: self.keep(self._end(last)))
        self._thread.join()
        self._loop.close()

    def _start(self, unit: Callable[[], Coroutine[Any, Any, T]], future: Future[T]) -> None:
        task = self._loop.create_task(unit())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(partial(_hand_over, future))
        future.add_done_callback(partial(self._abandon, task))

    def _abandon(self, task: asyncio.Task[T], future: Future[T]) -> None:
        if future.cancelled() and self._open:
            with suppress(RuntimeError):  # closed just now
                self._loop.call_soon_threadsafe(task.cancel)

    async def _end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)
        others = self._kept - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await last()
        self._loop.stop()


def _hand_over(future: Future[T], task: asyncio.Task[T]) -> None:
    """Give what a task came to, to whoever waits for it in another thread."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled():
        future.cancel()
    elif not future.set_running_or_notify_cancel():
        return
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


async def _transact(engine: AsyncEngine, work: Work[T], patience_s: float) -> T:
    try:
        async with asyncio.timeout(patience_s):
            while True:
                with suppress(NoConnectionFree):  # nothing was begun
                    async with engine.begin() as connection:
                        return await connection.run_sync(work)
    except DBAPIError as cause:
        if _is_ours(cause):
            raise
        raise _silence() from cause
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as cause:
        raise _silence() from cause


def _silence() -> Unavailable:
    return Unavailable("PostgreSQL did not answer.", retry_after_s=1)


def _is_ours(error: DBAPIError) -> bool:
    """Say whether the server refused what we should not have asked for."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return state.startswith(OUR_CLASSES) and state not in NOT_OURS


async def _connect(
    url: str, schema: str, patience: Patience, statement_s: float, *, reads: bool
) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(
            url,
            timeout=patience.connect_s,
            server_settings={
                "application_name": "dragoman",
                "search_path": f'"{schema}"',
                "timezone": "UTC",
                "jit": "off",  # for reports over everything; ours are short
                "lock_timeout": f"{patience.lock_s * 1000:.0f}",
                "statement_timeout": f"{statement_s * 1000:.0f}",
                "idle_in_transaction_session_timeout": f"{statement_s * 1000:.0f}",
                "default_transaction_isolation": "repeatable read" if reads else "read committed",
                "default_transaction_read_only": "on" if reads else "off",
            },
        )
    except ValueError:  # its words may hold a part of the password
        raise asyncpg.InterfaceError(
            "The address cannot be read: write what is not a letter or digit as %XX"
        ) from None


def _engine(connect: Callable[[], Any], connections: int) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=LOOK_AGAIN_S,  # the unit that waits has a limit of its own
        pool_use_lifo=True,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_the_dead)
    return engine


def _refuse_the_dead(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool make another connection when the server closed this one meanwhile."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
