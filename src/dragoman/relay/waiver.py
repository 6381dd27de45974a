"""A waiver: one of the requests by own credentials that cost an account no fee in a month.

They are a purse that holds requests instead of money. A request that may be served by
an own credential sets one aside; if a fee becomes due, it is used up in its place, else it goes
back. So it is counted as money is: once, whoever crashes (docs/decisions/0013).
"""

from dragoman.core.money import NanoUsd
from dragoman.ledger.cashier import Cashier, NoRoom
from dragoman.ledger.till import Hold
from dragoman.ledger.types import Draw


class Waiver:
    """One request, set aside. It is settled once."""

    __slots__ = ("_cashier", "_hold")

    def __init__(self, cashier: Cashier, hold: Hold) -> None:
        self._cashier = cashier
        self._hold = hold

    def settle(self, *, used: bool) -> tuple[Draw, ...]:
        """Use it up or give it back; return what is drawn on the allowance."""
        self._cashier.settle(self._hold, 1 if used else 0)
        return (Draw(self._hold.purses[0], NanoUsd(1)),) if used else ()


async def waiver(cashier: Cashier, allowance: str) -> Waiver | None:
    """Set a request aside, None when none is left, or all that are left may yet be used.

    Nobody waits for one: the fee is due then. Raises Unavailable.
    """
    try:
        return Waiver(cashier, await cashier.hold((allowance,), 1, patience_s=0.0))
    except NoRoom:
        return None
