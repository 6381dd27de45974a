"""A destination in memory that keeps offsets as a transaction would, and fails on command."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder
from dragoman.store.journal.applier import Applier, ApplierOptions
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.sources import Batch
from dragoman.store.journal.writer import Journal

QUICK = ApplierOptions(batch_records=3, interval_s=0.001, longest_pause_s=0.004, adoption_s=0.0)
BODIES = [b"%d" % number for number in range(10)]


class Books:
    """What was applied. Of `troubles`, each is had once: before a commit, or after it."""

    def __init__(self, troubles: Iterable[str] = ()) -> None:
        self.troubles = list(troubles)
        self.offsets: defaultdict[str, int] = defaultdict(int)
        self.applied_of: defaultdict[str, list[bytes]] = defaultdict(list)
        self.endings: dict[str, Ending] = {}
        self.batches: list[int] = []
        self.order: list[str] = []

    async def applied(self, incarnation: str) -> int | None:
        self._fail("asked")
        return None if incarnation in self.endings else self.offsets[incarnation]

    async def apply(self, batch: Batch) -> None:
        self._fail("before")
        new = batch.after(self.offsets[batch.incarnation])
        self.batches.append(len(batch.records))
        self.order.append(batch.incarnation)
        self.applied_of[batch.incarnation] += [record.payload for record in new]
        self.offsets[batch.incarnation] = max(self.offsets[batch.incarnation], batch.offset)
        self._fail("after")

    async def end(self, incarnation: str, ending: Ending) -> None:
        self._fail("end")
        assert incarnation not in self.endings, "ended twice"
        self.endings[incarnation] = ending

    def _fail(self, when: str) -> None:
        if self.troubles and self.troubles[0] == when:
            self.troubles.pop(0)
            raise Unavailable("locked")


def of(root: Path, books: Books, own: Journal | None = None) -> Applier:
    return Applier(root, "node-1", books, own=own, options=QUICK)


def dead(root: Path, bodies: list[bytes], node: str = "node-1") -> Path:
    """Leave the journal of a writer that is gone."""
    journal = Journal(folder.create(root, node))
    for body in bodies:
        journal.append(body)
    journal.close()
    return journal.path


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.001)
