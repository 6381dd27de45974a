"""What was said in a generation, on its way to where it is kept. Only of accounts that opted in.

It goes beside the journal of money and never through it: money must not be lost, this may be.
So the way is bounded, in number and in bytes; what does not fit is lost and counted. Nothing
here touches a disk. How it is kept is told in `content_rows`.
"""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from dragoman.core.errors import Unavailable
from dragoman.store.batch import Batch, BatchOptions

MOST_BYTES: Final = 1024 * 1024
"""What is kept of one generation at most, before it is packed."""
MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
OPTIONS: Final = BatchOptions(capacity=2_000, size=8, interval_s=0.5)
"""At most eight at once, so that a batch fits into a frame between two processes."""

_log = logging.getLogger(__name__)


class Content(Struct, frozen=True, kw_only=True):
    """What was said. `body` is the JSON object that `GET /generation/content` shows as `data`."""

    id: str
    account: str
    key_hash: str
    created_at: float
    body: bytes


class Kept(Struct, frozen=True, kw_only=True):
    """The same as it is stored: `packed` is the body in zlib's form (RFC 1950)."""

    id: str
    account: str
    key_hash: str
    created_at: float
    packed: bytes


Deliver = Callable[[tuple[Kept, ...]], Awaitable[None]]
"""Takes what is to be kept. May be called twice with the same. Raises Unavailable."""


class Contents:
    """The way. Its owner runs `run`, and closes it at the end."""

    def __init__(self, deliver: Deliver, options: BatchOptions = OPTIONS) -> None:
        self._deliver = deliver
        self._batch = Batch(self._hand_over, options)
        self._bytes = 0
        self._refused = 0
        self._told = 0

    @property
    def lost(self) -> int:
        """How many were lost, since the start."""
        return self._refused + self._batch.dropped

    def put(self, content: Content) -> None:
        """Have it kept, if there is room. Never blocks, never fails."""
        size = len(content.body)
        if self._bytes + size > MOST_WAITING_BYTES:
            self._refused += 1
        elif self._batch.put(content):
            self._bytes += size

    async def run(self) -> None:
        """Hand over what is put, until cancelled."""
        await self._batch.run()

    async def flush(self) -> None:
        """Return once all that was put before now is kept. Raises Unavailable."""
        await self._batch.flush()

    async def close(self) -> None:
        """Hand over what is left, for as long as the options allow."""
        await self._batch.close()
        self._tell()

    async def _hand_over(self, some: Sequence[Content]) -> None:
        self._tell()
        # In a thread: a megabyte takes longer to pack than a token may wait.
        kept = await asyncio.to_thread(_packed, some)
        size = sum(len(each.body) for each in some)
        try:
            await self._deliver(kept)
        except (Unavailable, asyncio.CancelledError):
            raise  # it waits again
        except BaseException:
            self._bytes -= size
            raise
        self._bytes -= size

    def _tell(self) -> None:
        if self.lost > self._told:
            _log.warning("records.content_lost items=%d", self.lost - self._told)
            self._told = self.lost


def unpacked(kept: Kept) -> bytes:
    """Return the body of what was kept."""
    return zlib.decompress(kept.packed)


def _packed(some: Sequence[Content]) -> tuple[Kept, ...]:
    return tuple(
        Kept(
            id=each.id,
            account=each.account,
            key_hash=each.key_hash,
            created_at=each.created_at,
            packed=zlib.compress(each.body, level=1),
        )
        for each in some
    )
