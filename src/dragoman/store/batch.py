"""A bounded queue of things to write, handed over in batches by one task.

Putting never blocks and never fails: when the queue is full the item is dropped
and counted. While the store is unavailable, batches are kept, in order, and
tried again. It is not a journal: what waits here is lost with the process.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

from msgspec import Struct

from dragoman.core.errors import Unavailable

T = TypeVar("T")

_log = logging.getLogger(__name__)


class BatchOptions(Struct, frozen=True, kw_only=True):
    """How much may wait, how much is written at once, and how often. Seconds."""

    capacity: int = 20_000
    size: int = 500
    interval_s: float = 0.2
    longest_pause_s: float = 5.0
    closing_s: float = 5.0


class Batch(Generic[T]):
    """Collects items and gives them to `write`, which must be idempotent.

    An interrupted batch is written again. A batch that `write` refuses with
    anything but Unavailable is lost, counted and logged: it would be refused for ever.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[None]],
        options: BatchOptions = BatchOptions(),  # noqa: B008  # a frozen value
    ) -> None:
        self._write = write
        self._options = options
        self._waiting: deque[T] = deque()
        self._enough = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self._gone = 0  # items written or lost, since the start
        self._wanted = 0  # how many shall have gone when the present flush ends
        self._on_its_way = 0
        self.dropped = 0
        """How many items were lost, since the start."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> bool:
        """Queue `item`; False if the queue is full and it was dropped."""
        if len(self._waiting) >= self._options.capacity:
            self.dropped += 1
            return False
        self._waiting.append(item)
        if len(self._waiting) >= self._options.size:
            self._enough.set()
        return True

    async def run(self) -> None:
        """Write what is put, until cancelled."""
        pause = self._options.interval_s
        while True:
            await self._pause(pause)
            if await self._attempt():
                pause = self._options.interval_s
            else:
                pause = min(2 * pause, self._options.longest_pause_s)

    async def flush(self) -> None:
        """Write all that was put before now, or raise Unavailable.

        Callers at the same time share one effort.
        """
        self._wanted = self._gone + len(self._waiting) + self._on_its_way
        if self._flushing is None or self._flushing.done():
            if not self._waiting:
                return
            self._flushing = asyncio.create_task(self._drain())
        await asyncio.shield(self._flushing)

    async def close(self) -> None:
        """Write what is left, trying for as long as the options allow, then drop it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.closing_s):
                while not await self._attempt():
                    await self._pause(self._options.interval_s)
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
        if self._waiting:
            self.dropped += len(self._waiting)
            _log.error("store.batch.abandoned", extra={"items": len(self._waiting)})
            self._waiting.clear()

    async def _pause(self, seconds: float) -> None:
        if seconds > self._options.interval_s:  # backing off: a full queue is no reason to hurry
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._enough.wait()
        self._enough.clear()

    async def _attempt(self) -> bool:
        """Flush, and say whether nothing is left to try again."""
        try:
            await self.flush()
        except Unavailable:
            return False
        except Exception:  # noqa: BLE001 - one refused batch must not end the writing of others
            _log.exception("store.batch.refused")
            return False
        return True

    async def _drain(self) -> None:
        # Only up to what was asked for: under load something new always waits, and would be
        # written one by one.
        while (left := self._wanted - self._gone) > 0:
            await self._deliver(list(islice(self._waiting, min(left, self._options.size))))

    async def _deliver(self, batch: Sequence[T]) -> None:
        lost = gone = self._on_its_way = len(batch)
        for _ in batch:
            self._waiting.popleft()
        try:
            await self._write(batch)
            lost = 0
        except (Unavailable, asyncio.CancelledError):
            self._waiting.extendleft(reversed(batch))
            lost = gone = 0
            raise
        finally:
            self._on_its_way = 0
            self._gone += gone
            self.dropped += lost
