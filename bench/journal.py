"""What the journal costs: µs to append and to write, and records a second read back.

`python -m bench.journal [payload bytes]`. Nothing else should be running.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import uvloop

from dragoman.store.journal import folder
from dragoman.store.journal.writer import Journal

RECORDS = 20_000
ROUNDS = 7


def cost_us(act: Callable[[], object]) -> float:
    began = perf_counter()
    for _ in range(RECORDS):
        act()
    return (perf_counter() - began) / RECORDS * 1e6


async def turns_us(journal: Journal, payload: bytes) -> float:
    began = perf_counter()
    for _ in range(RECORDS):
        journal.append(payload)
        await journal.written()
    return (perf_counter() - began) / RECORDS * 1e6


async def rest(journal: Journal) -> None:
    """Have everything flushed and forgotten, as if an applier kept up."""
    end = journal.append(b"!")
    journal.write()
    journal.feed.take(sys.maxsize, 1)
    while journal.synced < end:  # noqa: ASYNC110  # a flush tells nobody
        await asyncio.sleep(0.01)


def append_and_write(journal: Journal, payload: bytes) -> None:
    journal.append(payload)
    journal.write()


async def measure(root: Path, payload: bytes) -> None:
    journal = Journal.create(root, "bench")
    running = asyncio.create_task(journal.run())
    best = dict.fromkeys(("append", "append and write", "append, write and a turn"), 1e9)
    for _ in range(ROUNDS):
        found = []
        found.append(cost_us(lambda: journal.append(payload)))
        await rest(journal)
        found.append(cost_us(lambda: append_and_write(journal, payload)))
        await rest(journal)
        found.append(await turns_us(journal, payload))
        await rest(journal)
        best = {name: min(best[name], us) for name, us in zip(best, found, strict=True)}
    running.cancel()
    for name, us in best.items():
        print(f"{name:<26}{us:6.2f} µs")
    journal.close()
    print(f"{'read back':<26}{read_per_s(journal.path):6,.0f} records/s")


def read_per_s(path: Path) -> float:
    began, offset, count = perf_counter(), 0, 0
    while records := folder.read(path, offset).records:
        count += len(records)
        offset = records[-1].offset
    return count / (perf_counter() - began)


def main() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        uvloop.run(measure(root, bytes(int(sys.argv[1]) if sys.argv[1:] else 300)))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
