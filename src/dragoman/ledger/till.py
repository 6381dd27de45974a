"""The till: what this worker may spend, in memory. Nothing here waits, reads or writes.

The ledger leases a worker parts of purses (`dragoman.ledger.leases`), and the till
gives holds out of them. A request draws on all its purses or on none. Since nothing
awaits, what a call has checked is still so when it takes; and since the sum of leases
never exceeds what is free, no number of workers overspends a purse.

Amounts are nano-USD, times seconds of the monotonic clock.
"""

import sys
from collections.abc import Iterable, KeysView

from msgspec import Struct

from dragoman.core.money import NanoUsd

IDLE_S = 1.0
"""What nobody drew on for so long goes back."""


class Short(Struct, frozen=True):
    """Why a hold was not given: purse -> how much more would have to be leased."""

    missing: dict[str, int]


class Settlement(Struct, frozen=True, gc=False):
    """How a cost falls: on the purses of the hold, and what went beyond it on the house.

    `included` is what falls on inclusive purses.
    """

    charged: NanoUsd
    overrun: NanoUsd
    included: NanoUsd = NanoUsd(0)


class Hold:
    """What one request may cost, set aside in each of its purses until it is settled.

    It stays in the purses, and so in the windows, in which it was opened. In those that are
    `inclusive`, which count what a provider bills the account itself, too, `included` is set aside
    instead of `amount`.
    """

    __slots__ = ("amount", "included", "inclusive", "purses", "settled")

    def __init__(
        self, purses: tuple[str, ...], amount: int, inclusive: tuple[str, ...] = ()
    ) -> None:
        self.purses = purses
        self.amount = amount
        self.inclusive = inclusive
        self.included = 0
        self.settled = False

    def of(self, purse: str) -> int:
        """Return what is set aside in one of the purses."""
        return self.included if purse in self.inclusive else self.amount

    def more(self, amount: int, included: int) -> dict[str, int]:
        """Return what each purse has to give for so much more, and so much in inclusive ones."""
        if not self.inclusive:
            return dict.fromkeys(self.purses, amount)
        inclusive = self.inclusive
        return {purse: included if purse in inclusive else amount for purse in self.purses}


class _Drawer:
    """The part of one purse that this worker has: leased to it, set aside, used up."""

    __slots__ = ("consumed", "granted", "held", "tired", "touched")

    def __init__(self, now: float) -> None:
        self.granted = 0
        self.held = 0
        self.consumed = 0
        self.touched = now
        self.tired = False

    @property
    def available(self) -> int:
        return self.granted - self.held - self.consumed


class Till:
    """The leases of one worker, and the holds it gave out of them."""

    def __init__(self) -> None:
        self._drawers: dict[str, _Drawer] = {}

    def grant(self, purse: str, amount: int, now: float) -> None:
        """Put in what the ledger has leased, or what it would not take back."""
        drawer = self._drawers.get(purse)
        if drawer is None:
            drawer = self._drawers[purse] = _Drawer(now)
        drawer.granted += amount
        drawer.touched = now

    def available(self, purse: str) -> int:
        """Return how much a hold on this purse may be without a further lease."""
        drawer = self._drawers.get(purse)
        return 0 if drawer is None else drawer.available

    def knows(self, purse: str) -> bool:
        """Say whether anything of the purse is here, or was within the last second."""
        return purse in self._drawers

    def hold(self, purses: Iterable[str], amount: int, now: float) -> Hold | Short:
        """Set `amount` aside in all of the purses, or in none of them."""
        hold = Hold(tuple(dict.fromkeys(purses)), 0)
        short = self.extend(hold, amount, now)
        return hold if short is None else short

    def extend(self, hold: Hold, amount: int, now: float, included: int = 0) -> Short | None:
        """Set `amount` more aside in all purses of a hold, `included` in those that are inclusive.

        If one is short, change nothing.
        """
        if hold.settled:
            raise ValueError("a hold that is settled is not extended")
        if amount < 0 or included < 0:
            raise ValueError("a hold is not negative")
        wanted = hold.more(amount, included)
        missing = {
            purse: more - there
            for purse, more in wanted.items()
            if (there := self.available(purse)) < more
        }
        if missing:
            return Short(missing)
        for purse, more in wanted.items():
            drawer = self._drawers.get(purse)
            if drawer is not None:  # a hold of nothing needs no lease
                drawer.held += more
                drawer.touched = now
        hold.amount += amount
        hold.included += included
        return None

    def settle(self, hold: Hold, cost: int, now: float, billed: int = 0) -> Settlement:
        """Use up what the request cost, as far as it was held, and free the rest. Once.

        What a provider `billed` the account itself is used up of inclusive purses besides.
        """
        if hold.settled:
            raise ValueError("a hold is settled once")
        if cost < 0 or billed < 0:
            raise ValueError("a cost is not negative")
        hold.settled = True
        charged = min(cost, hold.amount)
        included = min(charged + billed, hold.included)
        for purse, used in hold.more(charged, included).items():
            drawer = self._drawers.get(purse)
            if drawer is not None:
                drawer.held -= hold.of(purse)
                drawer.consumed += used
                drawer.touched = now
        return Settlement(NanoUsd(charged), NanoUsd(cost - charged), NanoUsd(included))

    @property
    def purses(self) -> KeysView[str]:
        """Of which purses anything is here, or was within the last second."""
        return self._drawers.keys()

    def tire(self, purse: str) -> None:
        """Have what nobody holds of a purse count as idle once, whoever draws on it meanwhile."""
        if (drawer := self._drawers.get(purse)) is not None:
            drawer.tired = True

    def idle(self, now: float, most: int = sys.maxsize) -> dict[str, int]:
        """Take out what nobody drew on for a second: purse -> amount, to be given back.

        That of so many purses at `most`: more is left for another time.

        It is gone from here, whether or not the ledger gets to know: what was given back
        and used all the same would be spent twice. A drawer that is empty is forgotten.
        """
        back: dict[str, int] = {}
        for purse, drawer in list(self._drawers.items()):
            if now - drawer.touched < IDLE_S and not drawer.tired:
                continue
            drawer.tired = False
            if (rest := drawer.available) > 0:
                back[purse] = rest
                drawer.granted -= rest
            if drawer.held == 0:
                del self._drawers[purse]
            if len(back) >= most:
                break
        return back
