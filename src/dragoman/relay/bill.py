"""What a request costs, and who is charged for it."""

from msgspec import Struct
from msgspec.structs import replace

from dragoman.access.types import Caller
from dragoman.core.money import DOLLAR, NanoUsd
from dragoman.ledger.cost import FREE, NOTHING, Cost
from dragoman.ledger.types import Draw
from dragoman.relay.books import Charge
from dragoman.relay.tab import Tab
from dragoman.wire.answers import Billing
from dragoman.wire.usage import Usage


class Bill(Struct, frozen=True):
    """What was used, what it costs at the provider, and the charge, once there is one.

    `cost` is None when no price is known. The charge has the account's fee in it, and not
    what went beyond the hold. `price_id` names the version of the price.
    """

    usage: Usage
    cost: Cost | None
    charge: Charge | None = None
    price_id: str | None = None
    is_byok: bool = False
    """Whether the account's own credential served: then the charge is but a fee."""

    @property
    def charged(self) -> NanoUsd:
        """What the account pays."""
        return NOTHING if self.charge is None else self.charge.cost

    @property
    def billed(self) -> NanoUsd:
        """What the provider bills the account itself."""
        return self.cost.total if self.is_byok and self.cost is not None else NOTHING

    def billing(self) -> Billing:
        """Return the costs as the usage object shows them."""
        cost = self.cost
        if cost is None:
            free = 0.0 if self.is_byok else None
            return Billing(
                cost=free, upstream=None, prompt=None, completion=None, is_byok=self.is_byok
            )
        return Billing(
            cost=self.charged / DOLLAR,
            upstream=cost.total / DOLLAR,
            prompt=cost.prompt / DOLLAR,
            completion=cost.completion / DOLLAR,
            is_byok=self.is_byok,
        )


NOTHING_USED = Bill(Usage(), FREE)


def charged(
    caller: Caller,
    tab: Tab | None,
    bill: Bill,
    owed: NanoUsd,
    waived: tuple[Draw, ...] = (),
    *,
    beyond: bool = False,
) -> Bill:
    """Charge what is owed to whoever pays: out of what is held, if anything had to be.

    `waived` is what was drawn in place of a fee. What goes beyond the hold is the house's, or
    the account's too where `beyond` says so. Once a request.
    """
    if tab is None:
        charge = Charge(account=caller.account, cost=owed, draws=waived)
        return Bill(bill.usage, bill.cost, charge, bill.price_id, bill.is_byok)
    hold = tab.hold
    settlement = tab.settle(owed, bill.billed)
    paid, included = settlement.charged, settlement.included
    extra = NanoUsd(settlement.overrun if beyond and hold.purses else 0)
    draws = [
        Draw(purse, NanoUsd((included if purse in hold.inclusive else paid) + extra), beyond=extra)
        for purse in hold.purses
    ]
    charge = Charge(
        account=caller.account,
        cost=NanoUsd(paid + extra),
        overrun=NanoUsd(settlement.overrun - extra),
        draws=(*draws, *waived),
    )
    return replace(bill, charge=charge)


def fee_ppm(caller: Caller) -> int:
    """Return what the caller's account pays on top of usage, in millionths."""
    terms = caller.terms
    return 0 if terms is None or terms.funds is None else terms.funds.fee_ppm
