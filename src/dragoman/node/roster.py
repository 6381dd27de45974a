"""The keeper's side of its workers: who is there, and a clerk for each, who does what it asks."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from msgspec import Struct, field

from dragoman.access.limiter import Denied, Draw, Item, Limiter, Quota, Slot
from dragoman.access.types import Admission, Changes
from dragoman.core.clock import Clock
from dragoman.core.errors import OwnError
from dragoman.core.room import one_less
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.purses import Taken
from dragoman.link.reach import Caller, Station
from dragoman.node.contract import KEEPER, WORKER, Member, ToWorker
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import Premises
from dragoman.office.watch import Troubles
from dragoman.records.content import Kept
from dragoman.records.content_rows import store
from dragoman.upstream.health import HealthBoard, Tally

SILENT_S = 10.0
"""After how long without a word a worker counts as silent. It speaks each second."""
HEARD_AT_ONCE = 20
"""Of how many endpoints a worker's tallies are taken in within one turn of the event loop."""


_log = logging.getLogger(__name__)


class Means(Struct, frozen=True, kw_only=True):
    """What the workers' clerks work with."""

    premises: Premises
    limiter: Limiter
    health: HealthBoard
    clock: Clock
    byok: ByokOptions = ByokOptions()
    troubles: Troubles = field(default_factory=Troubles)

    def bookkeeper(self) -> Bookkeeper:
        """Return who makes journals known to the ledger."""
        premises = self.premises
        return Bookkeeper(premises.ledger, premises.records, premises.node(), self.clock)


class Clerk:
    """Does what one worker asks, and remembers what it holds: that is free when it is gone."""

    def __init__(
        self,
        means: Means,
        on_report: Callable[[], None],
        silent: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.member: Member | None = None
        self.heard_at = means.clock.monotonic()
        self._silent = silent
        self._means = means
        self._on_report = on_report
        self._keeper = LocalKeeper(means.premises.ledger, means.byok)
        self._held: Counter[Slot] = Counter()

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        """Look a key up."""
        return await self._keeper.key(hash_, verifier)

    async def changes(self, since: int, after: str = "") -> Changes:
        """Say what changed."""
        return await self._keeper.changes(since, after)

    async def news(self, within_s: float) -> None:
        """Wait for a change."""
        await self._keeper.news(within_s)

    async def open_journal(self, incarnation: str) -> None:
        """Make the worker's journal known to the ledger."""
        await self._means.bookkeeper().begin(incarnation)

    async def lease(self, incarnation: str, wanted: dict[str, int]) -> Taken:
        """Lease what is wanted."""
        return await self._keeper.take(incarnation, wanted)

    async def give_back(self, incarnation: str, amounts: dict[str, int]) -> None:
        """Take back parts of leases."""
        await self._keeper.give_back(incarnation, amounts)

    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        """Take back what is leased and not used."""
        return await self._keeper.disclaim(incarnation, purses, written)

    async def renew(self, incarnation: str) -> None:
        """Note that the worker lives."""
        await self._keeper.renew(incarnation)

    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        """Say which purses changed."""
        return await self._keeper.purse_changes(since)

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Count a request."""
        denied = await self._means.limiter.take(demand)
        if denied is None:
            self._held.update(item for item in demand if isinstance(item, Slot))
        return denied

    async def used(self, quota: Quota) -> int:
        """Return how much of a quota was taken."""
        return await self._means.limiter.used(quota)

    def correct(self, draw: Draw, units: int) -> None:
        """Put a count right."""
        self._means.limiter.correct(draw, units)

    def leave(self, slot: Slot) -> None:
        """Take a place back, unless it was given by the keeper before this one."""
        if one_less(self._held, slot):
            self._means.limiter.leave(slot)

    async def keep(self, kept: tuple[Kept, ...]) -> None:
        """Store what was said."""
        await self._means.premises.records.run(store(kept))

    async def report(self, member: Member, tallies: dict[str, Tally]) -> tuple[str, ...]:
        """Note how the worker is; tell it what is wrong with the node."""
        self.member, self.heard_at = member, self._means.clock.monotonic()
        items = iter(tallies.items())
        while some := dict(islice(items, HEARD_AT_ONCE)):
            self._means.health.heard(some, self._means.clock.monotonic())
            await asyncio.sleep(0)
        self._on_report()
        return (*self._means.troubles.said, *self._silent())

    def gone(self) -> None:
        """Take back all that the worker held."""
        for slot in self._held.elements():
            self._means.limiter.leave(slot)
        self._held.clear()


class Roster:
    """All workers that are there."""

    def __init__(self, path: Path, means: Means) -> None:
        self._path = path
        self._means = means
        self._clerks: dict[Caller[ToWorker], Clerk] = {}
        self._station = Station(KEEPER, WORKER, self._welcome)
        self._station.on_goodbye(self._goodbye)
        self._news = asyncio.Event()
        self._missed: set[str] = set()

    async def run(self) -> None:
        """Be there for workers until cancelled."""
        await self._station.run(self._path)

    @property
    def is_empty(self) -> bool:
        """Whether every worker is gone."""
        return not self._clerks

    def staff(self) -> tuple[Member, ...]:
        """Return what the workers last said of themselves, by name."""
        members = [clerk.member for clerk in self._clerks.values() if clerk.member]
        return tuple(sorted(members, key=lambda member: member.name))

    async def listening(self, workers: int) -> None:
        """Return once so many workers listen."""
        while sum(member.listening for member in self.staff()) < workers:
            await self._news.wait()
            self._news.clear()

    async def flush(self) -> None:
        """Have every worker hand over what it recorded; what one cannot tell now comes later."""
        calls = [caller.far.flush() for caller in self._clerks]
        for end in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(end, BaseException) and not isinstance(end, OwnError):
                raise end

    def silent(self) -> tuple[str, ...]:
        """Return a sentence for each worker that is there and says nothing, as a stopped one."""
        before = self._means.clock.monotonic() - SILENT_S
        found = [clerk.member for clerk in self._clerks.values() if clerk.heard_at < before]
        gone = {f"{each.name} (process {each.pid})" for each in found if each}
        for name in sorted(gone - self._missed):
            _log.error("node.worker_silent worker=%s", name)
        self._missed = gone
        return tuple(
            f"The worker {name} says nothing: end it with kill -9, and it is started again."
            for name in sorted(gone)
        )

    def _welcome(self, caller: Caller[ToWorker]) -> Clerk:
        clerk = self._clerks[caller] = Clerk(self._means, self._news.set, self.silent)
        return clerk

    def _goodbye(self, caller: Caller[ToWorker]) -> None:
        self._clerks.pop(caller).gone()
