"""Rate limits on a node of several workers: the keeper counts for all of them.

So a limit of one at a time is one at a time, whichever worker is reached. While the keeper
is silent each worker goes on by itself with its share of a limit, rounded up: never an
error, and never more than the limit and one for each worker. Who owes an answer is not
asked for another: only those wait for a keeper that stands still who asked it first.
"""

import asyncio
from collections import Counter
from functools import partial
from typing import Final

from msgspec import structs

from dragoman.access.limiter import Denied, Draw, Item, LocalLimiter, Quota, Slot
from dragoman.access.rates import Rate
from dragoman.core.errors import OwnError
from dragoman.core.room import one_less
from dragoman.node.contract import ToKeeper

WAIT_S: Final = 0.25


class SharedLimiter:
    """A limiter of one worker among `workers`. `own` counts while the keeper is silent."""

    def __init__(self, keeper: ToKeeper, own: LocalLimiter, workers: int) -> None:
        self._keeper = keeper
        self._own = own
        self._workers = workers
        self._held: Counter[str] = Counter()  # places that `own` gave
        self._owed = 0
        """Answers that did not come in time, and may come yet."""

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all or nothing."""
        if self._owed:
            return await self._alone(demand)
        asked = asyncio.ensure_future(self._keeper.take(demand))
        heard = False
        try:
            async with asyncio.timeout(WAIT_S):
                denied = await asyncio.shield(asked)
            heard = True
        except TimeoutError:
            self._owed += 1
            asked.add_done_callback(self._came)
            return await self._alone(demand)
        except OwnError:
            return await self._alone(demand)
        finally:
            if not heard:  # nobody waits any more for what the keeper may still give
                asked.add_done_callback(partial(self._undo, demand))
        return None if denied is None else structs.replace(denied, item=_same(denied, demand))

    async def used(self, quota: Quota) -> int:
        """Return how much of the quota was taken, as far as can be told."""
        try:
            return await self._keeper.used(quota)
        except OwnError:
            return await self._own.used(quota)

    def correct(self, draw: Draw, units: int) -> None:
        """Put a count right where it was kept."""
        self._keeper.correct(draw, units)

    def leave(self, slot: Slot) -> None:
        """Give a place back to who gave it."""
        if one_less(self._held, slot.bucket):
            self._own.leave(slot)
        else:
            self._keeper.leave(slot)

    async def _alone(self, demand: tuple[Item, ...]) -> Denied | None:
        shares = tuple(share(item, self._workers) for item in demand)
        denied = await self._own.take(shares)
        if denied is not None:
            return structs.replace(denied, item=demand[shares.index(denied.item)])
        self._held.update(item.bucket for item in demand if isinstance(item, Slot))
        return None

    def _came(self, _: "asyncio.Future[Denied | None]") -> None:
        self._owed -= 1

    def _undo(self, demand: tuple[Item, ...], asked: "asyncio.Future[Denied | None]") -> None:
        """Give back the places of a demand that was met too late."""
        if not asked.cancelled() and asked.exception() is None and asked.result() is None:
            for item in demand:
                if isinstance(item, Slot):
                    self._keeper.leave(item)


def _same(denied: Denied, demand: tuple[Item, ...]) -> Item:
    """Return the very item of the demand that was denied."""
    return demand[demand.index(denied.item)]


def share(item: Item, workers: int) -> Item:
    """Return the part of an item's limit that one of so many workers may give. At least one."""
    if isinstance(item, Draw):
        burst = max(-(-item.rate.burst // workers), item.units)
        return structs.replace(item, rate=Rate(item.rate.unit_ns * workers, burst))
    return structs.replace(item, most=-(-item.most // workers))
