"""An applier that runs by itself: when it waits, and when it goes on."""

import asyncio
from pathlib import Path

from dragoman.core.clock import Clock
from dragoman.store.journal.applier import Applier, ApplierOptions
from dragoman.store.journal.sources import Batch
from dragoman.store.journal.writer import Journal
from tests.access.fakes import HandClock
from tests.store.journal_books import BODIES, Books, dead, of, until
from tests.store.journal_disk import opened

HOUR_S = 3600.0


async def test_running_goes_on_by_itself_whatever_the_destination_does(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    books = Books(["asked", "after", "before"])
    with opened(tmp_path) as journal:
        applier = of(tmp_path, books, journal)
        running = asyncio.create_task(applier.run())
        await until(lambda: path.name in books.endings)
        for body in BODIES:
            journal.append(body)
            await asyncio.sleep(0.001)
        await until(lambda: len(books.applied_of[journal.incarnation]) == 10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert books.applied_of == {path.name: BODIES, journal.incarnation: BODIES}


class BusyBooks(Books):
    """A destination that takes an hour a batch, and during the first two of which more comes."""

    def __init__(self, journal: Journal, clock: HandClock) -> None:
        super().__init__()
        self._journal = journal
        self._clock = clock

    async def apply(self, batch: Batch) -> None:
        await super().apply(batch)
        self._clock.now += HOUR_S
        if len(self.batches) < 3:
            self._journal.append(b"and more")
            self._journal.write()


async def test_who_was_busy_for_longer_than_records_are_gathered_goes_on_at_once(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    options = ApplierOptions(interval_s=HOUR_S - 1)
    with opened(tmp_path) as journal:
        books = BusyBooks(journal, clock)
        journal.append(b"the first")
        journal.write()
        applier = Applier(
            tmp_path, "node-1", books, own=journal, options=options, clock=Clock(monotonic=clock)
        )
        running = asyncio.create_task(applier.run())
        await until(lambda: len(books.batches) == 3 or running.done())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert books.batches == [1, 1, 1]


async def test_an_idle_applier_wakes_up_for_the_dead(tmp_path: Path) -> None:
    books = Books()
    options = ApplierOptions(adoption_s=0.01)
    with opened(tmp_path) as journal:
        applier = Applier(tmp_path, "node-1", books, own=journal, options=options)
        running = asyncio.create_task(applier.run())
        await asyncio.sleep(0.02)
        path = dead(tmp_path, BODIES)
        await until(lambda: path.name in books.endings)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
