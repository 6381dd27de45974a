"""The cashier: gives holds to requests, and leases more of their purses when they run short.

A hold out of what is leased already is a matter of memory (`dragoman.ledger.till`). Only who
is short waits: for one transaction over all purses in question, shared by everybody who
is short of the same ones. A purse that has room once others have settled is waited for,
two seconds at most; that one has no room at all is remembered for a while.

An answer of the ledger may get lost, so that it has leased more than is known here. Once nobody
uses such a purse, and the journal was booked, whatever is still leased of it is given back.

Amounts are nano-USD, times seconds of the monotonic clock.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Protocol

import msgspec

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.room import make_room
from dragoman.ledger.purses import Reason, Refusal, Taken
from dragoman.ledger.till import Hold, Settlement, Till

PATIENCE_S = 2.0
"""How long a request waits for money that others may not need."""
PAUSE_S = 0.1
"""How long a purse that had no room is left alone, unless something is released here."""
ROUND_S = 0.25
RENEWAL_S = 30.0
STALE_S = 300.0
"""Without a word from the ledger for so long, nothing is given out: it may take us for dead."""
EMPTY_S = 5.0
"""How long a purse without room is not asked about, unless its limit changes: what was charged to
it may come back."""
DOUBT_S = 30.0
"""How long after an answer was lost the question may still be on its way."""
MOST_REMEMBERED = 10_000
AT_ONCE = 100
"""So many purses are given back in one transaction: who leases waits for it, 50 ms in SQLite."""
IN_A_ROUND = 10
"""So many times, before it is looked again which limits changed."""
MOST_PAGES = 100
"""So often in a round it is asked which limits changed, as long as there are more."""
END_OF_TIME = 2**63 - 1

_log = logging.getLogger(__name__)


class Bank(Protocol):
    """What a worker asks of the ledger. Each method may raise Unavailable."""

    async def take(self, incarnation: str, wanted: Mapping[str, int]) -> Taken:
        """Lease what is wanted, purse -> amount, all or nothing."""
        ...

    async def give_back(self, incarnation: str, amounts: Mapping[str, int]) -> None:
        """Return parts of leases."""
        ...

    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        """Take back all that is leased of these purses: nobody uses them.

        Only once the journal is booked up to `written`; say whether it is.
        """
        ...

    async def renew(self, incarnation: str) -> None:
        """Learn that the worker lives."""
        ...

    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        """Return purses whose limits changed after epoch `since`, and up to which these are all."""
        ...


class NoRoom(Exception):
    """A hold that cannot be given, and each purse that stands in the way."""

    def __init__(self, refused: tuple[Refusal, ...]) -> None:
        super().__init__(", ".join(f"{each.purse}: {each.reason}" for each in refused))
        self.refused = refused


class Cashier:
    """Gives holds out of what one worker has leased. Lives in one event loop."""

    def __init__(
        self, bank: Bank, incarnation: str, clock: Clock, written: Callable[[], int] = lambda: 0
    ) -> None:
        """`written` is how far the worker's journal reaches, with all that was settled before."""
        self._bank = bank
        self._incarnation = incarnation
        self._written = written
        self._now = clock.monotonic
        self._till = Till()
        self._refills: dict[str, asyncio.Task[bool]] = {}
        self._pressed: dict[str, tuple[float, Refusal]] = {}
        """Purses whose room others have: until when the ledger is not asked again."""
        self._empty: dict[str, tuple[float, Refusal]] = {}
        """Purses that have none: until when that is believed."""
        self._doubtful: dict[str, float] = {}
        """Purses of which more may be leased than is here, and since when."""
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._epoch: int | None = None
        """Up to where changes of limits are known; None while they would change nothing."""
        self._heard_at = self._now()
        self._silent = False

    async def hold(
        self,
        purses: tuple[str, ...],
        amount: int,
        inclusive: tuple[str, ...] = (),
        included: int = 0,
        patience_s: float = PATIENCE_S,
    ) -> Hold:
        """Set `amount` aside in all of the purses, `included` in those that are inclusive.

        Raises NoRoom, at the latest once others have kept the room for `patience_s`, Unavailable
        when the ledger does not answer, and gives everything back if it is cancelled.
        """
        hold = Hold(tuple(dict.fromkeys(purses)), 0, inclusive)
        try:
            await self.extend(hold, amount, included, patience_s)
        except BaseException:
            self.settle(hold, 0)
            raise
        return hold

    async def extend(
        self, hold: Hold, amount: int, included: int = 0, patience_s: float = PATIENCE_S
    ) -> None:
        """Set more aside in all purses of a hold. Raises as `hold` does."""
        if self._now() - self._heard_at > STALE_S:
            raise Unavailable("The ledger has not answered for minutes.", retry_after_s=5)
        deadline = self._now() + patience_s
        while (short := self._till.extend(hold, amount, self._now(), included)) is not None:
            self._check_room(hold, amount, included)
            if under_way := [
                self._refills[each] for each in short.missing if each in self._refills
            ]:
                await _outcome(under_way)
            elif pressed := [self._pressed[p] for p in short.missing if self._is_pressed(p)]:
                await self._released(min(until for until, _ in pressed), deadline, pressed)
            else:
                refill = self._refill(hold, amount, included, short.missing)
                if await asyncio.shield(refill):
                    return

    def settle(self, hold: Hold, cost: int, billed: int = 0) -> Settlement:
        """Use up what a request cost, as far as it was held, and free the rest. Never waits.

        `billed` is what its provider bills the account itself: that inclusive purses count, too.
        """
        settlement = self._till.settle(hold, cost, self._now(), billed)
        freed = hold.amount > settlement.charged or hold.included > settlement.included
        if self._waiting and freed:
            self._wake()
        return settlement

    async def run(self) -> None:
        """Give back what is idle, renew leases, and learn of changed limits, until cancelled."""
        renew_at = self._now() + RENEWAL_S
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                if self._now() >= renew_at or self._silent:
                    await self._renew()
                    renew_at = self._now() + RENEWAL_S
                await self._forget_changed()
                await self._give_back()
                await self._disclaim()
            except Unavailable as cause:
                if not self._silent:
                    _log.warning("ledger.silent", extra={"cause": str(cause)})
                self._silent = True

    async def close(self) -> None:
        """Give back what nobody holds."""
        with suppress(Unavailable):
            while rest := self._till.idle(float("inf"), AT_ONCE):
                await self._bank.give_back(self._incarnation, rest)

    async def _renew(self) -> None:
        asked = self._now()
        await self._bank.renew(self._incarnation)
        self._heard(asked)

    async def _forget_changed(self) -> None:
        """Learn which limits changed: who was refused may ask again, and what is free goes back.

        So a limit that was lowered acts on what a busy worker has at hand, too.
        """
        now = self._now()
        for memory in (self._empty, self._pressed):
            for purse in [purse for purse, (until, _) in memory.items() if until <= now]:
                del memory[purse]
        if not (self._empty or self._till.purses or self._refills):
            self._epoch = None
        if self._epoch is None:
            return
        for _ in range(MOST_PAGES):
            since = self._epoch
            self._epoch, changed = await self._bank.purse_changes(since)
            if self._epoch < since:  # an older database was restored
                changed = (*self._empty, *self._till.purses)
            for purse in changed:
                self._empty.pop(purse, None)
                self._till.tire(purse)
            if not changed:
                return

    async def _begin_to_follow(self) -> None:
        """Learn the present epoch before a first lease, so that no change after it is missed."""
        if self._epoch is None:
            self._follow(from_epoch=(await self._bank.purse_changes(END_OF_TIME))[0])

    def _follow(self, from_epoch: int) -> None:
        # Who asked at the same time may have had an earlier answer.
        self._epoch = from_epoch if self._epoch is None else min(self._epoch, from_epoch)

    async def _give_back(self) -> None:
        # While the ledger is silent what is leased is all there is to live on.
        for _ in range(IN_A_ROUND):
            if not (rest := self._till.idle(self._now(), AT_ONCE)):
                return
            try:
                await self._bank.give_back(self._incarnation, rest)
            except BaseException:
                self._doubt(rest)
                raise

    async def _disclaim(self) -> None:
        """Give back whatever is leased of purses that nobody uses, where an answer was lost.

        Nobody takes of them meanwhile: who is short waits as for a refill.
        """
        long_ago = self._now() - DOUBT_S
        unused = (
            purse
            for purse, since in self._doubtful.items()
            if since <= long_ago and purse not in self._refills and not self._till.knows(purse)
        )
        if purses := tuple(islice(unused, AT_ONCE)):
            await asyncio.shield(self._under_way(self._clear_up(purses), purses))

    async def _clear_up(self, purses: tuple[str, ...]) -> bool:
        try:
            booked = await self._bank.disclaim(self._incarnation, purses, self._written())
        finally:
            for purse in purses:
                del self._refills[purse]
        if booked:
            for purse in purses:
                del self._doubtful[purse]
        return booked

    def _doubt(self, purses: Iterable[str]) -> None:
        now = self._now()
        for purse in purses:
            self._doubtful[purse] = now

    def _refill(
        self, hold: Hold, amount: int, included: int, missing: Mapping[str, int]
    ) -> asyncio.Task[bool]:
        """Lease what a hold is short of, and extend it at once, before anybody else can.

        In a task of its own: what the ledger has leased must arrive, whoever hangs up.
        """
        return self._under_way(self._lease(hold, amount, included, missing), missing)

    def _under_way(
        self, work: Coroutine[None, None, bool], purses: Iterable[str]
    ) -> asyncio.Task[bool]:
        task = asyncio.create_task(work)
        task.add_done_callback(_seen)
        for purse in purses:
            self._refills[purse] = task
        return task

    async def _lease(
        self, hold: Hold, amount: int, included: int, missing: Mapping[str, int]
    ) -> bool:
        """Say whether the hold has been extended. Who refused is remembered."""
        asked = self._now()
        try:
            await self._begin_to_follow()
            known = self._epoch
            taken = await self._bank.take(self._incarnation, missing)
        except BaseException:
            self._doubt(missing)
            raise
        finally:
            for purse in missing:
                del self._refills[purse]
        self._heard(asked)
        now, more = self._now(), hold.more(amount, included)
        for refused in taken.refused:
            wanted = hold.of(refused.purse) + more[refused.purse]
            self._remember(_for_all_of(wanted, refused), now)
        for purse, granted in taken.granted.items():
            self._till.grant(purse, granted, now)
            if self._epoch != known:  # it may be of a limit that was lowered meanwhile
                self._till.tire(purse)
        return not hold.settled and self._till.extend(hold, amount, now, included) is None

    def _remember(self, refused: Refusal, now: float) -> None:
        if refused.reason is Reason.IN_FLIGHT:
            self._pressed[refused.purse] = now + PAUSE_S, refused
            return
        make_room(self._empty, MOST_REMEMBERED)
        self._empty[refused.purse] = now + EMPTY_S, refused

    def _check_room(self, hold: Hold, amount: int, included: int) -> None:
        """Raise NoRoom if a purse is known to have none, whatever others give back."""
        now = self._now()
        refused = tuple(
            found[1]
            for purse, more in hold.more(amount, included).items()
            if (found := self._empty.get(purse)) is not None
            and found[0] > now
            and not _may_fit(found[1], hold.of(purse) + more)
        )
        if refused:
            raise NoRoom(refused)

    def _is_pressed(self, purse: str) -> bool:
        pressed = self._pressed.get(purse)
        if pressed is None:
            return False
        if pressed[0] > self._now():
            return True
        del self._pressed[purse]
        return False

    async def _released(
        self, until: float, deadline: float, pressed: list[tuple[float, Refusal]]
    ) -> None:
        """Wait until something is released here, or `until`. Raises NoRoom after the deadline."""
        now = self._now()
        if now >= deadline:
            raise NoRoom(tuple(refused for _, refused in pressed))
        released = asyncio.get_running_loop().create_future()
        self._waiting[released] = None
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(until, deadline) - now):
                    await released
        finally:
            self._waiting.pop(released, None)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for released in waiting:
            if not released.done():
                released.set_result(None)

    def _heard(self, asked: float) -> None:
        self._heard_at = max(self._heard_at, asked)
        if self._silent:
            self._silent = False
            _log.warning("ledger.answers")


async def _outcome(refills: list[asyncio.Task[bool]]) -> None:
    """Wait for what others are short of, too. Raises what they are told."""
    done, _ = await asyncio.wait(refills)
    for refill in done:
        refill.result()


def _seen(refill: asyncio.Task[bool]) -> None:
    """Take note of how a refill ended, for whoever asked may be gone."""
    if not refill.cancelled():
        refill.exception()


def _for_all_of(wanted: int, refused: Refusal) -> Refusal:
    """Return the refusal for all that is wanted: what was asked for may be but the missing part."""
    if _may_fit(refused, wanted):
        return refused
    return msgspec.structs.replace(refused, reason=Reason.EXHAUSTED)


def _may_fit(refused: Refusal, wanted: int) -> bool:
    balance = refused.balance
    return balance.limit is None or balance.limit - balance.spent >= wanted
