"""The tab of a request whose money is limited: what is set aside for it, and what more it takes.

Opened before the request is sent, in all of its purses, at the dearest endpoint of its plan.
Endpoints that the purses have no room for leave the plan; if none is left, the caller is told
what could be paid. An answer without `max_tokens` is held in slices: when it has used most of what
is held, more is set aside meanwhile, and if there is none the stream ends.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dragoman.access.types import Funds
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.errors import GatewayError
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger.bound import (
    MILLION,
    Size,
    affordable_prompt,
    affordable_tokens,
    most,
    most_output,
    next_slice,
    prompt_tokens,
)
from dragoman.ledger.cashier import Cashier, NoRoom
from dragoman.ledger.margin import NONE
from dragoman.ledger.purses import Reason, Refusal, purse_of_user
from dragoman.ledger.till import Hold, Settlement
from dragoman.relay.unpaid import Wish, unpaid
from dragoman.routing import types as routing
from dragoman.routing.types import Drop, Plan, Step

BYTES_PER_TOKEN = 2
"""For how much of a hold is used: fewer bytes than a token has in most languages, to be early."""


class Tab:
    """What one request has set aside, until it is settled."""

    __slots__ = ("_cashier", "_extending", "_offers", "_size", "hold", "refused")

    def __init__(
        self,
        cashier: Cashier,
        hold: Hold,
        size: Size,
        offers: "Offers",
    ) -> None:
        self.hold = hold
        self.refused: GatewayError | None = None
        """Why the answer must end here, once no more could be set aside for it."""
        self._cashier = cashier
        self._size = size
        self._offers = offers
        self._extending: asyncio.Task[None] | None = None

    def grown(self, produced_bytes: int) -> GatewayError | None:
        """Learn how long the answer is by now; return the error that ends it, if it must end."""
        size = self._size
        if size.sliced and self._extending is None and self.refused is None and self.hold.purses:
            held = size.output_tokens * size.choices
            slice_ = next_slice(held, produced_bytes // BYTES_PER_TOKEN)
            if slice_:
                self._extending = asyncio.create_task(self._extend(slice_))
        return self.refused

    def settle(self, cost: int, billed: int = 0) -> Settlement:
        """Charge what the request cost, as far as it was held, and free the rest. Once.

        `billed` is what the provider bills the account itself.
        """
        if self._extending is not None:
            self._extending.cancel()
        return self._cashier.settle(self.hold, cost, billed)

    def bound_at(self, endpoint_id: str) -> int:
        """Return the most that the request was to cost at one endpoint, as far as it is held."""
        return self._offers.most_at(self._size, endpoint_id)

    async def _extend(self, tokens: int) -> None:
        size = replace(self._size, output_tokens=self._size.output_tokens + tokens)
        most = self._offers.most(size)
        amount = most.paid - self.hold.amount
        included = most.included - self.hold.included if self.hold.inclusive else 0
        try:
            await self._cashier.extend(self.hold, amount, included)
        except NoRoom as no:
            wanted = Most(amount, included).of(no.refused, self.hold.inclusive)
            wish = self._offers.wish(size, wanted, no.refused, self.hold.inclusive)
            self.refused = unpaid(no.refused, wish)
        except GatewayError as error:
            self.refused = error
        else:
            self._size = size
        finally:
            self._extending = None


class Fees(Struct, frozen=True):
    """What is paid on top of usage, and for usage that a provider bills the account, in ppm.

    `margins` are those of endpoints that billed beyond their bound (`dragoman.ledger.margin`).
    """

    account: int = 0
    byok: int = 0
    margins: Mapping[str, int] = NONE


class Drawn(Struct, frozen=True):
    """The purses that a request draws on, and which of them count what a provider bills, too."""

    purses: tuple[str, ...]
    inclusive: tuple[str, ...] = ()


def drawn_on(funds: Funds, user: str | None) -> Drawn:
    """Return the purses of a request of this end user, his own among them where he is limited."""
    if funds.users is None:
        return Drawn(funds.purses, funds.inclusive)
    own = purse_of_user(funds.users, user)
    inclusive = tuple([own if each == funds.users else each for each in funds.inclusive])
    return Drawn((*funds.purses, own), inclusive)


class Most(Struct, frozen=True):
    """The most that an account pays for a request, and that inclusive purses count for it."""

    paid: int
    included: int

    def of(self, refused: tuple[Refusal, ...], inclusive: tuple[str, ...]) -> int:
        """Return what was wanted of purses that had no room for it."""
        return max(self.included if each.purse in inclusive else self.paid for each in refused)


class Offers:
    """What the endpoints of a plan may cost, whoever's credential they are called with."""

    def __init__(
        self, steps: Sequence[Step], providers: Mapping[str, Provider], fees: Fees
    ) -> None:
        self._fees = fees
        self._house = _spoken([step for step in steps if step.byok is None], providers)
        self._own = _spoken([step for step in steps if step.byok is not None], providers)

    def most(self, size: Size) -> Most:
        """Return the most that a request of this size can cost."""
        margins = self._fees.margins
        house = most(size, self._house, self._fees.account, margins) or 0
        if not self._own:
            return Most(house, house)
        own = most(size, self._own, 0, margins) or 0
        fee = -(-own * self._fees.byok // MILLION)
        return Most(max(house, fee), max(house, own + fee))

    def most_at(self, size: Size, endpoint_id: str) -> int:
        """Return the most that a request of this size can cost at one endpoint of the plan."""
        here = Offers((), {}, self._fees)
        here._house = [each for each in self._house if each[0].id == endpoint_id]
        here._own = [each for each in self._own if each[0].id == endpoint_id]
        return here.most(size).paid

    def _payable(
        self, refused: tuple[Refusal, ...], inclusive: tuple[str, ...]
    ) -> Iterator[tuple[Endpoint, str, NanoUsd]]:
        """Yield each endpoint with what the purses have for its bound, beside fee and margin."""
        house = [MILLION + self._fees.account] * len(refused)
        own = [self._fees.byok + (MILLION if each.purse in inclusive else 0) for each in refused]
        for offered, shares in ((self._house, house), (self._own, own)):
            parts = [(_left(each), share) for each, share in zip(refused, shares, strict=True)]
            money = min((left * MILLION // share for left, share in parts if share), default=0)
            for endpoint, dialect in offered:
                margin = self._fees.margins.get(endpoint.id, MILLION)
                yield endpoint, dialect, NanoUsd(money * MILLION // margin)

    def wish(
        self, size: Size, amount: int, refused: tuple[Refusal, ...], inclusive: tuple[str, ...]
    ) -> Wish:
        """Return what could be paid at the endpoint where most could."""
        payable = list(self._payable(refused, inclusive))
        could = [affordable_tokens(size, *each) for each in payable]
        prompts = [affordable_prompt(size, *each) for each in payable]
        best = max(
            range(len(could)),
            key=lambda i: (math.inf if (n := could[i]) is None else n, prompts[i]),
        )
        endpoint, dialect, _ = payable[best]
        return Wish(
            amount=amount,
            tokens=most_output(size, endpoint),
            affordable=could[best],
            prompt=prompt_tokens(size, endpoint, dialect),
            affordable_prompt=prompts[best],
        )


class Room(Struct, frozen=True):
    """What is left for what an account pays, and for what inclusive purses count."""

    paid: float
    included: float


async def open_tab(
    cashier: Cashier,
    drawn: Drawn,
    size: Size,
    the_plan: Plan,
    offered: Callable[[Sequence[Step]], Offers],
) -> tuple[Tab, Plan]:
    """Set aside what a request may cost; return the tab, and the plan as far as it can be paid.

    `offered` tells what steps may cost. The plan may be left without steps where no price is
    known. Raises PaymentRequired, PermissionDenied for a key that has used up its limit, and
    Unavailable.
    """
    purses, inclusive = drawn.purses, drawn.inclusive
    the_plan = _without(the_plan, _unpriced(the_plan.steps, drawn))
    while the_plan.steps:
        offers = offered(the_plan.steps)
        amount = offers.most(size)
        included = amount.included if inclusive else 0
        if amount.paid == included == 0:
            break
        try:
            hold = await cashier.hold(purses, amount.paid, inclusive, included)
        except NoRoom as no:
            costs = [(step, offered([step]).most(size)) for step in the_plan.steps]
            room = _room(no.refused, inclusive)
            the_plan = _without(the_plan, _too_dear(costs, room))
            if not the_plan.steps:
                wanted = amount.of(no.refused, inclusive)
                wish = offers.wish(size, wanted, no.refused, inclusive)
                raise unpaid(no.refused, wish) from None
        else:
            return Tab(cashier, hold, size, offers), the_plan
    return Tab(cashier, Hold((), 0), size, offered(())), the_plan


def _unpriced(steps: Sequence[Step], drawn: Drawn) -> list[tuple[Step, routing.Refusal]]:
    words = "price is unknown, and what the caller may spend is limited"
    return [
        (step, routing.Refusal(step.endpoint, Drop.PRICE_UNKNOWN, words))
        for step in steps
        if step.endpoint.price is None and (step.byok is None or drawn.inclusive)
    ]


def _spoken(steps: Sequence[Step], providers: Mapping[str, Provider]) -> list[tuple[Endpoint, str]]:
    """Return the endpoints, each with its dialect."""
    return [
        (step.endpoint, step.endpoint.dialect or providers[step.endpoint.provider].dialect)
        for step in steps
    ]


def _room(refused: tuple[Refusal, ...], inclusive: tuple[str, ...]) -> Room:
    """Return how much a hold may be at most; nothing where waiting is what would help."""
    spent_out = [each for each in refused if each.reason is Reason.EXHAUSTED]
    paid = included = math.inf
    for each in spent_out or refused:
        left = max(0, _left(each)) if spent_out else 0
        if each.purse in inclusive:
            included = min(included, left)
        else:
            paid = min(paid, left)
    return Room(paid, included)


def _too_dear(costs: Sequence[tuple[Step, Most]], room: Room) -> list[tuple[Step, routing.Refusal]]:
    """Return the steps that may cost more than there is room for, each with how much."""
    found = []
    for step, cost in costs:
        short = [(cost.paid, room.paid), (cost.included, room.included)]
        for amount, left in short:
            if amount > left:
                words = f"may cost {_usd(amount)} USD, and {_usd(int(left))} USD are left"
                found.append((step, routing.Refusal(step.endpoint, Drop.UNAFFORDABLE, words)))
                break
    return found


def _without(the_plan: Plan, dropped: list[tuple[Step, routing.Refusal]]) -> Plan:
    if not dropped:
        return the_plan
    gone = [step for step, _ in dropped]
    return replace(
        the_plan,
        steps=tuple(step for step in the_plan.steps if step not in gone),
        refusals=(*the_plan.refusals, *(refusal for _, refusal in dropped)),
    )


def _left(refused: Refusal) -> int:
    return (refused.balance.limit or 0) - refused.balance.spent


def _usd(nanos: int) -> str:
    return f"{usd(NanoUsd(nanos)):.6f}"
