"""The databases of an ordeal, and what may become of them beside the gateway that uses them.

`strike` harms one and returns what was done once it may be used again; `outage` takes it away for
as long as a block lasts.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGSTOP
from typing import Final, Protocol

from dragoman.office.premises import LEDGER, RECORDS
from dragoman.store.options import DatabaseOptions
from tests.postgres import OwnServer

LOCK: Final = (
    "import sqlite3, sys\n"
    "line = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
    "line.execute('BEGIN IMMEDIATE')\n"
    "print('locked', flush=True)\n"
    "sys.stdin.read()\n"
)
"""A program that keeps all writers from a database until its stdin is closed."""


class Database(Protocol):
    """Where a gateway keeps its state."""

    options: DatabaseOptions

    def strike(self, random: Random) -> str:
        """Harm it, and return how. It may be used again, now or in a moment. Blocks."""


class Files:
    """Two SQLite files, which other processes lock for up to `most_s`."""

    def __init__(self, data: Path, most_s: float) -> None:
        self.options = DatabaseOptions()
        self._data = data
        self._most_s = most_s

    def strike(self, random: Random) -> str:
        """Have another process lock one of them, or both."""
        names = random.choice([(LEDGER,), (RECORDS,), (LEDGER, RECORDS)])
        with self.locked(names):
            time.sleep(random.uniform(0.1, 1.0) * self._most_s)
        return "locked " + "+".join(name.partition(".")[0] for name in names)

    @contextmanager
    def locked(self, names: tuple[str, ...] = (LEDGER, RECORDS)) -> Iterator[None]:
        """Have other processes lock files while the block lasts."""
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(_locked(self._data / name))
            yield


class Server:
    """A PostgreSQL server of our own. Some of its processes are killed, or all of them."""

    def __init__(self, own: OwnServer, schema: str) -> None:
        self.options = DatabaseOptions(url=own.url, schema=schema)
        self._own = own
        self._strikes: tuple[tuple[str, Callable[[], object]], ...] = (
            ("server", self._kill_all),
            ("backend", own.kill_one),
        )
        self._struck = 0

    def strike(self, _: Random) -> str:
        """Kill the whole server and start it, or one of its processes; by turns."""
        name, strike = self._strikes[self._struck % len(self._strikes)]
        self._struck += 1
        strike()
        return name

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Have it stopped while the block lasts, in good order."""
        self._own.stop()
        try:
            yield
        finally:
            self._own.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have its processes stand still while the block lasts: no connection ends, or answers."""
        self._own.send(SIGSTOP)
        try:
            yield
        finally:
            self._own.send(SIGCONT)

    def _kill_all(self) -> None:
        self._own.kill()
        self._own.start()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    command = [sys.executable, "-c", LOCK, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        yield
