"""`Applier`: takes the records of all journals in a folder, in order, to where they count.

It applies the journal of its own process from memory, those of other living
writers as they grow, and adopts those of dead ones: who gets the lock of a
journal may be sure that nobody writes to it. Each record is applied once,
since its destination keeps the offset in the same transaction; what is here is
only the order, the batches and the patience.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder
from dragoman.store.journal.folder import Ending, Lock, Reading
from dragoman.store.journal.frames import JournalRefused
from dragoman.store.journal.sources import Batch, Source
from dragoman.store.journal.writer import Journal
from dragoman.store.turns import let_go

DAY_S = 86_400.0
NO_END = 2**63 - 1

_log = logging.getLogger(__name__)


class ReadAgain(Exception):
    """What was applied of a journal is not as its destination believed: ask it where to begin."""


class Destination(Protocol):
    """Where records count. Each method may raise Unavailable, and is then called again."""

    async def applied(self, incarnation: str) -> int | None:
        """Return from where to read a journal: 0 if it is new, None when it was ended.

        That may lie before where it was applied to, for what has to be known of it again.
        """
        ...

    async def apply(self, batch: Batch) -> None:
        """Apply the records, and keep `batch.offset`, in one transaction.

        A batch may come again although it was applied: `batch.after` tells what is left of it.
        Once this returns, its records are let go of.
        Raises JournalRefused for records that are not what they should be, and ReadAgain.
        """
        ...

    async def end(self, incarnation: str, ending: Ending) -> None:
        """Learn that a dead writer's journal is applied to its end: nothing will follow.

        Raises ReadAgain.
        """
        ...


class ApplierOptions(Struct, frozen=True, kw_only=True):
    """How much at once, how often, and how long what was applied is kept. Seconds."""

    batch_records: int = 6000
    interval_s: float = 0.25
    """How long fresh records are gathered, and how often other writers' files are looked at."""
    longest_pause_s: float = 5.0
    adoption_s: float = 5.0
    keep_s: float = 7 * DAY_S
    prune_s: float = 3600.0


class Applier:
    """Applies the journals of one folder that are of one node.

    A second one for the same folder would only follow the first, and end nothing that
    the first has adopted; the offsets in their destination keep records from counting twice.
    """

    def __init__(
        self,
        root: Path,
        node: str,
        destination: Destination,
        *,
        own: Journal | None = None,
        options: ApplierOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._root = root
        self._node = node
        self._destination = destination
        self._own = own
        self._options = options or ApplierOptions()
        self._clock = clock or Clock()
        self._sources: dict[str, Source] = {}
        self._ended: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self._look_at = self._prune_at = float("-inf")

    @property
    def refused(self) -> Mapping[str, str]:
        """The journals that cannot be applied to their end: their directories' names, and why."""
        return MappingProxyType(self._refused)

    @property
    def living(self) -> frozenset[str]:
        """The journals to which somebody may still append, as far as they were looked at."""
        return frozenset(source.incarnation for source in self._sources.values() if not source.dead)

    async def run(self) -> None:
        """Apply what comes, until cancelled."""
        pause = self._options.interval_s
        while True:
            began = self._clock.monotonic()
            try:
                await self.catch_up()
                if self._clock.monotonic() - began > self._options.interval_s:
                    continue  # as much has been gathered meanwhile as is at other times
                pause = self._options.interval_s
                await self._something_new()
            except Unavailable:
                pause = min(2 * pause, self._options.longest_pause_s)
            await asyncio.sleep(pause)

    async def catch_up(self) -> None:
        """Apply all that is there now, or raise Unavailable. Callers take turns.

        What writers add meanwhile is left for later: so under load it comes in large batches,
        and whoever waits is not kept until the load ends.
        """
        async with self._turn:
            await self._look_around()
            ends = await self._ends()
            while await self._round(ends):
                pass

    def close(self) -> None:
        """Let go of the journals that were adopted. They will be found again."""
        for source in self._sources.values():
            _release(source)
        self._sources.clear()
        self._look_at = float("-inf")

    async def _something_new(self) -> None:
        """Return at once when files of others may grow, else with fresh records of our own."""
        if self._own is None or len(self._sources) > 1:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.adoption_s):
                await self._own.feed.fresh.wait()
        self._own.feed.fresh.clear()

    async def _ends(self) -> dict[str, int]:
        """Return how far the journals reach now that somebody writes."""
        living = [source.path for source in self._sources.values() if not source.dead]
        ends = {
            path.name: self._own.end for path in living if self._own and self._is_own(path.name)
        }
        if others := [path for path in living if path.name not in ends]:
            ends |= await asyncio.to_thread(_ends_of, others)
        return ends

    async def _round(self, ends: Mapping[str, int]) -> bool:
        """Apply one batch of each journal that is not applied to its end; say if there was any."""
        found = False
        for source in list(self._sources.values()):
            if source.applied < ends.get(source.incarnation, NO_END):
                found |= await self._step(source)
        return found

    async def _step(self, source: Source) -> bool:
        try:
            found = await source.next(self._options.batch_records)
        except JournalRefused as why:
            self._refuse(source, str(why))
            return False
        except OSError as why:  # another time it may be read
            self._note_refusal(source.incarnation, str(why))
            return False
        self._refused.pop(source.incarnation, None)
        try:
            if isinstance(found, Batch):
                return await self._applied(source, found)
            if source.finished(found):
                await self._end(source, found)
            elif source.dead:
                self._refuse(source, found.detail)
        except ReadAgain:
            self._drop(source)
            self._look_at = float("-inf")
        return False

    async def _applied(self, source: Source, batch: Batch) -> bool:
        try:
            await self._destination.apply(batch)
        except JournalRefused as why:
            self._refuse(source, str(why))
            return False
        source.done()
        await let_go(batch.records)
        return True

    async def _end(self, source: Source, reading: Reading) -> None:
        ending = reading.ending or Ending.CLEAN
        await self._destination.end(source.incarnation, ending)
        if ending is Ending.TORN:
            detail = {"journal": source.incarnation, "detail": reading.detail}
            _log.warning("store.journal.torn", extra=detail)
        self._ended[source.incarnation] = source.applied
        self._drop(source)

    def _refuse(self, source: Source, why: str) -> None:
        self._note_refusal(source.incarnation, why)
        self._drop(source)

    def _note_refusal(self, name: str, why: str) -> None:
        if self._refused.get(name) != why:
            _log.error("store.journal.refused", extra={"journal": name, "reason": why})
        self._refused[name] = why

    def _drop(self, source: Source) -> None:
        self._sources.pop(source.incarnation, None)
        _release(source)

    async def _look_around(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        found = await self._found()
        try:
            while found:
                await self._take_up(found[-1])
                found.pop()
        finally:
            for source in found:  # unless somebody lets go of them, they look alive for ever
                _release(source)
        self._look_at = now + self._options.adoption_s
        if now >= self._prune_at:
            self._prune_at = now + self._options.prune_s
            await asyncio.to_thread(self._prune)

    async def _found(self) -> list[Source]:
        """Return what `_discover` does. Who is cancelled lets go of the locks it took."""
        looking = asyncio.ensure_future(asyncio.to_thread(self._discover))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            for source in await looking:
                _release(source)
            raise

    async def _take_up(self, source: Source) -> None:
        applied = await self._destination.applied(source.incarnation)
        if applied is None:
            self._ended[source.incarnation] = 0
            _release(source)
            return
        source.start(applied)
        self._sources[source.incarnation] = source

    def _discover(self) -> list[Source]:
        """Take the locks of the dead, and return the journals that are new here. In a thread."""
        for source in self._sources.values():
            if not source.dead and not self._is_own(source.incarnation):
                source.lock = _lock(source.path)
        return list(self._strangers())

    def _strangers(self) -> Iterator[Source]:
        for path in folder.find(self._root):
            name = path.name
            if name in self._sources or name in self._ended or name in self._refused:
                continue
            if self._is_own(name):
                yield Source(path, self._node, None, self._own)
            elif self._is_ours(path):
                yield Source(path, self._node, _lock(path))

    def _is_own(self, name: str) -> bool:
        own = self._own
        return own is not None and not own.closed and name == own.incarnation

    def _is_ours(self, path: Path) -> bool:
        try:
            node = folder.header_of(path).node
        except JournalRefused as why:
            self._note_refusal(path.name, str(why))
            return False
        except OSError as why:  # such as one that was deleted meanwhile: looked at again
            _log.warning("store.journal.unread", extra={"journal": path.name, "error": str(why)})
            return False
        if node != self._node:
            mine = f"this is {self._node!r}. Put it back where it was."
            self._note_refusal(path.name, f"It is of node {node!r}, and {mine}")
        return node == self._node

    def _prune(self) -> None:
        before = self._clock.wall() - self._options.keep_s
        folder.sweep(self._root, before)
        for source in list(self._sources.values()):
            with suppress(JournalRefused, OSError):
                folder.prune(source.path, source.applied, before)
        for name in list(self._ended):
            with suppress(OSError):
                if folder.remove(self._root / name, before):
                    del self._ended[name]


def _ends_of(paths: Sequence[Path]) -> dict[str, int]:
    """Return how far journals reach, but for those of which it cannot be told."""
    ends = {}
    for path in paths:
        with suppress(JournalRefused, OSError):  # which whoever reads it tells of
            ends[path.name] = folder.end(path)
    return ends


def _lock(path: Path) -> Lock | None:
    try:
        return folder.take_lock(path)
    except OSError:
        return None


def _release(source: Source) -> None:
    if source.lock is not None:
        source.lock.release()
        source.lock = None
