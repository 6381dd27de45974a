"""Who counts: the protocol of a limiter, and the one that counts within this process.

A demand is met as a whole or not at all. Taking may wait for another machine, which is
why it is a coroutine; giving back may not, since it happens on the way out of a request
that was cancelled.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dragoman.access.rates import Rate, corrected, left, taken
from dragoman.core.room import make_room

MOST_BUCKETS = 100_000


class Draw(Struct, frozen=True, tag=True):
    """So many units out of a bucket that refills."""

    bucket: str
    rate: Rate
    units: int = 1


class Slot(Struct, frozen=True, tag=True):
    """One of `most` places, to be given back."""

    bucket: str
    most: int


class Quota(Struct, frozen=True, tag=True):
    """One of `most` in a window, which is part of the bucket's name, and so never given back."""

    bucket: str
    most: int


Item = Draw | Slot | Quota


class Denied(Struct, frozen=True):
    """What of a demand could not be had, for how long (0: nobody knows), and what is left of it."""

    item: Item
    wait_ns: int = 0
    left: int = 0


def divided(item: Item, nodes: int) -> Item:
    """Return the part of an item that is one of so many nodes': at least one unit or place."""
    if nodes <= 1:
        return item
    if not isinstance(item, Draw):
        return replace(item, most=max(1, item.most // nodes))
    rate = Rate(item.rate.unit_ns * nodes, max(1, item.rate.burst // nodes))
    return replace(item, rate=rate, units=min(item.units, rate.burst))


class Limiter(Protocol):
    """Counts for whoever shares it: one process, or all nodes."""

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all of the demand, or nothing, and say what stood in the way."""

    async def used(self, quota: Quota) -> int:
        """Return how much of the quota has been taken."""

    def correct(self, draw: Draw, units: int) -> None:
        """Make it as if `draw` had been of so many units."""

    def leave(self, slot: Slot) -> None:
        """Give a place back."""


class LocalLimiter:
    """A limiter in memory. It forgets the buckets used least lately, and all at a restart.

    `now_ns` is a clock that never jumps, in nanoseconds.
    """

    def __init__(self, now_ns: Callable[[], int], most: int = MOST_BUCKETS) -> None:
        self._now_ns = now_ns
        self._most = most
        self._tats: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._used: dict[str, int] = {}

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all or nothing. Does not suspend."""
        now = self._now_ns()
        for item in demand:
            denied = self._denied(item, now)
            if denied is not None:
                return denied
        for item in demand:
            self._take(item, now)
        return None

    async def used(self, quota: Quota) -> int:
        """Return how much of the quota has been taken."""
        return self._used.get(quota.bucket, 0)

    def correct(self, draw: Draw, units: int) -> None:
        """Move the bucket by the difference. One that was forgotten was full."""
        tat = self._tats.get(draw.bucket)
        if tat is not None:
            more = units - draw.units
            self._tats[draw.bucket] = corrected(tat, self._now_ns(), more, draw.rate)

    def leave(self, slot: Slot) -> None:
        """Give a place back."""
        rest = self._held[slot.bucket] - 1
        if rest:
            self._held[slot.bucket] = rest
        else:
            del self._held[slot.bucket]

    def _denied(self, item: Item, now: int) -> Denied | None:
        if isinstance(item, Draw):
            tat = self._tats.get(item.bucket, now)
            _, wait_ns = taken(tat, now, item.units, item.rate)
            return Denied(item, wait_ns, left(tat, now, item.rate)) if wait_ns else None
        counts = self._held if isinstance(item, Slot) else self._used
        return Denied(item) if counts.get(item.bucket, 0) >= item.most else None

    def _take(self, item: Item, now: int) -> None:
        if isinstance(item, Draw):
            after, _ = taken(self._tats.pop(item.bucket, now), now, item.units, item.rate)
            self._remember(self._tats, item.bucket, after)
        elif isinstance(item, Slot):
            self._held[item.bucket] = self._held.get(item.bucket, 0) + 1
        else:
            self._remember(self._used, item.bucket, self._used.pop(item.bucket, 0) + 1)

    def _remember(self, known: dict[str, int], bucket: str, value: int) -> None:
        make_room(known, self._most)
        known[bucket] = value


class DividedLimiter:
    """A limiter that keeps to this node's part of each limit: of `nodes()` that are alive."""

    def __init__(self, whole: Limiter, nodes: Callable[[], int]) -> None:
        self._whole = whole
        self._nodes = nodes

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all or nothing. What stood in the way is told as it was asked for."""
        nodes = self._nodes()
        if nodes <= 1:
            return await self._whole.take(demand)
        parts = tuple([divided(item, nodes) for item in demand])
        denied = await self._whole.take(parts)
        if denied is None:
            return None
        item = next(whole for whole in demand if whole.bucket == denied.item.bucket)
        return replace(denied, item=item)

    async def used(self, quota: Quota) -> int:
        """Return how much of the quota has been taken at this node."""
        return await self._whole.used(quota)

    def correct(self, draw: Draw, units: int) -> None:
        """Make it as if `draw` had been of so many units."""
        part = divided(draw, self._nodes())
        assert isinstance(part, Draw), "a part is of its whole's kind"
        self._whole.correct(part, units)

    def leave(self, slot: Slot) -> None:
        """Give a place back."""
        self._whole.leave(slot)
