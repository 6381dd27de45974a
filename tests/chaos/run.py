"""Go through ordeals and outages, and print what came of them.

    python -m tests.chaos.run [--cycles 100] [--away 30] [--only files-1 server-2 …]

The exit code says whether all books were right.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests import postgres
from tests.chaos.databases import Database, Files, Server
from tests.chaos.ordeal import Ordeal, endure
from tests.chaos.outage import of_files, of_server, weather
from tests.chaos.verdict import Verdict

LOCKED_S: Final = 6.0
"""Longer than a writer waits for a lock."""
MOST_SHOWN: Final = 50


class Sort(Struct, frozen=True):
    """A sort of gateway: where its state is, and how many workers it has."""

    name: str
    on_server: bool
    workers: int
    words: str


SORTS: Final = (
    Sort("files-1", False, 1, "one process, SQLite"),  # noqa: FBT003 - by their place
    Sort("files-2", False, 2, "a keeper and two workers, SQLite"),  # noqa: FBT003
    Sort("server-2", True, 2, "a keeper and two workers, PostgreSQL"),  # noqa: FBT003
)


@contextmanager
def _ordeal(sort: Sort) -> Iterator[tuple[Ordeal, Database]]:
    with tempfile.TemporaryDirectory(prefix="dragoman-chaos-") as home:
        if not sort.on_server:
            yield from _with(Path(home), Files(Path(home) / "data", LOCKED_S), sort)
            return
        with postgres.own_server(postgres.LASTING) as own:
            yield from _with(Path(home), Server(own, "chaos"), sort)


def _with(home: Path, database: Database, sort: Sort) -> Iterator[tuple[Ordeal, Database]]:
    ordeal = Ordeal(home, database, sort.workers)
    try:
        yield ordeal, database
    finally:
        ordeal.stop()


def _killed(sort: Sort, cycles: int, load_s: float) -> Verdict:
    with _ordeal(sort) as (ordeal, _):
        return asyncio.run(endure(ordeal, cycles, load_s))


def _weathered(sort: Sort, away_s: float) -> Verdict:
    with _ordeal(sort) as (ordeal, database):
        outages = of_server(database) if isinstance(database, Server) else ()
        outages = of_files(database) if isinstance(database, Files) else outages
        return asyncio.run(weather(ordeal, outages, away_s))


def _faults(title: str, go: Callable[[], Verdict]) -> int:
    """Go through something, say what came of it, and return how much of it is wrong."""
    print(f"\n{title}", flush=True)
    verdict = go()
    print(verdict)
    for fault in verdict.faults[:MOST_SHOWN]:
        print(f"  WRONG: {fault}")
    print("The books are right." if not verdict.faults else f"{len(verdict.faults)} are wrong.")
    return len(verdict.faults)


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    options = argparse.ArgumentParser(description="Kill a gateway again and again.")
    options.add_argument("--cycles", type=int, default=100, help="kills of each sort, 0 for none")
    options.add_argument("--load", type=float, default=1.0, help="seconds of load in a cycle")
    options.add_argument("--away", type=float, default=30.0, help="of an outage, 0 for none")
    names = [sort.name for sort in SORTS]
    options.add_argument("--only", nargs="+", choices=names, default=names, help="sorts")
    return options.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit code says whether the books are right."""
    options, wrong = _options(given), 0
    for sort in [sort for sort in SORTS if sort.name in options.only]:
        if options.cycles:
            title = f"{options.cycles} kills: {sort.words}"
            wrong += _faults(title, lambda: _killed(sort, options.cycles, options.load))  # noqa: B023 - now
        if options.away:
            title = f"Outages of {options.away:g} s: {sort.words}"
            wrong += _faults(title, lambda: _weathered(sort, options.away))  # noqa: B023 - now
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
