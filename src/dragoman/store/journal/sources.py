"""Where an applier takes the records of one journal from, in order and in batches.

Three kinds of journal: our own, whose records come from memory as long as they
are there; that of a living writer in another process, read as it grows; that of
a dead writer, whose lock we hold, and which has an end.
"""

import asyncio
from collections import deque
from pathlib import Path

from msgspec import Struct

from dragoman.store.journal import folder
from dragoman.store.journal.folder import Ending, Lock, Reading
from dragoman.store.journal.frames import Record
from dragoman.store.journal.writer import Journal
from dragoman.store.turns import Pace

GATHERED_AT_ONCE = 100
"""How many records are taken out of memory between two looks at the clock: some 0.1 ms."""


class Batch(Struct, frozen=True):
    """Records of one journal that follow each other, to be applied in one transaction."""

    incarnation: str
    node: str
    start: int
    """The offset at which the first record begins."""
    records: list[Record]

    @property
    def offset(self) -> int:
        """The offset behind the last record: how far the journal is applied after this."""
        return self.records[-1].offset

    def after(self, applied: int) -> tuple[Record, ...]:
        """Return the records that are not applied where everything up to `applied` is."""
        return tuple(record for record in self.records if record.offset > applied)


class Source:
    """One journal, and how far it was applied."""

    def __init__(
        self, path: Path, node: str, lock: Lock | None, own: Journal | None = None
    ) -> None:
        self.path = path
        self.node = node
        self.lock = lock
        self._own = own
        self._read: deque[Record] = deque()
        self._batch: Batch | None = None
        self._gathered: list[Record] = []
        self._applied = 0

    @property
    def incarnation(self) -> str:
        """The random id of the journal."""
        return self.path.name

    @property
    def applied(self) -> int:
        """The offset up to which everything was applied."""
        return self._applied

    @property
    def dead(self) -> bool:
        """Whether nobody can append to it any more."""
        return self.lock is not None

    def start(self, applied: int) -> None:
        """Go on after `applied`."""
        self._applied = applied

    async def next(self, most: int) -> Batch | Reading:
        """Return the next batch, the same until it was `done`; else how the journal ends.

        Only of a dead writer's journal is the ending final. Raises JournalRefused and OSError.
        """
        if self._batch is not None:
            return self._batch
        await self._gather(most)
        if not self._gathered:
            reading = await asyncio.to_thread(folder.read, self.path, self._applied)
            if not reading.records:
                return reading
            self._read.extend(reading.records)
            await self._gather(most)
        self._batch = Batch(self.incarnation, self.node, self._applied, self._gathered)
        self._gathered = []
        return self._batch

    def done(self) -> None:
        """Learn that the batch was applied."""
        if self._batch is not None:
            self._applied = self._batch.offset
            self._batch = None

    def finished(self, reading: Reading) -> bool:
        """Say whether `reading` is the last word on this journal."""
        return self.dead and reading.ending in (Ending.CLEAN, Ending.TORN)

    async def _gather(self, most: int) -> None:
        """Take records that are in memory, in parts: there may be thousands, and others wait."""
        gathered, pace = self._gathered, Pace()
        while few := min(GATHERED_AT_ONCE, most - len(gathered)):
            some = self._from_memory(gathered[-1].offset if gathered else self._applied, few)
            if not some:
                return
            gathered += some
            await pace.keep()

    def _from_memory(self, offset: int, most: int) -> list[Record]:
        if self._read:
            return [self._read.popleft() for _ in range(min(most, len(self._read)))]
        return self._own.feed.take(offset, most) if self._own else []
