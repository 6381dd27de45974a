"""A bank over real books, whose answers a test may hold up, lose, or refuse to give."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger import leases
from dragoman.ledger.purses import Taken
from dragoman.store.sql import Database, Work
from tests.access.fakes import HandClock

T = TypeVar("T")
Trouble = Literal["before", "after"]
"""Where a call breaks: before anything was done, or with its answer on the way."""


class Bank:
    """Does what a cashier asks. `trouble` breaks one call that moves money, `open` lets calls pass.

    Each refusal takes `refusal_s` on the clock, so that nobody's patience costs a test time.
    """

    def __init__(self, db: Database, clock: HandClock, refusal_s: float = 0.0) -> None:
        self.db = db
        self.clock = clock
        self.refusal_s = refusal_s
        self.trouble: Trouble | None = None
        self.takes: list[dict[str, int]] = []
        self.returned: list[int] = []
        """Of how many purses something was taken back, each time."""
        self.open = asyncio.Event()
        self.open.set()
        self.silent = False

    async def take(self, incarnation: str, wanted: Mapping[str, int]) -> Taken:
        self.takes.append(dict(wanted))
        taken = await self._do(leases.take(incarnation, wanted, 1.0))
        if taken.refused:
            self.clock.now += self.refusal_s
        return taken

    async def give_back(self, incarnation: str, amounts: Mapping[str, int]) -> None:
        await self._do(leases.give_back(incarnation, amounts))
        self.returned.append(len(amounts))

    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        done = await self._do(leases.disclaim(incarnation, purses, written))
        self.returned.append(len(purses))
        return done

    async def renew(self, incarnation: str) -> None:
        await self._do(leases.renew(incarnation, 1.0))

    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        trouble, self.trouble = self.trouble, None
        try:
            return await self._do(leases.changes(since))
        finally:
            self.trouble = trouble

    async def _do(self, work: Work[T]) -> T:
        await self.open.wait()
        trouble, self.trouble = self.trouble, None
        if self.silent or trouble == "before":
            raise Unavailable("silent")
        done = self.db.run_now(work)
        await asyncio.sleep(0)
        if trouble == "after":
            raise Unavailable("the answer got lost")
        return done


def clock_of(hand: Callable[[], float]) -> Clock:
    return Clock(wall=lambda: 0.0, monotonic=hand)
