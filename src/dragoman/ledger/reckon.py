"""The whole way from what a provider said to what is charged, in one step. Pure.

What can be believed is decided in `belief`, what it costs in `cost`, the fee is the
account's. The result has all that the record of a generation tells of its cost.
"""

from msgspec import Struct

from dragoman.catalog import tariff
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.money import NanoUsd
from dragoman.core.notes import Note
from dragoman.ledger.belief import Seen, believed
from dragoman.ledger.bound import with_fee
from dragoman.ledger.cost import NOTHING, Cost, cost_of
from dragoman.wire.usage import Usage


class Terms(Struct, frozen=True, gc=False):
    """By what a generation is charged: the tier that served it, the account's fee in millionths."""

    service_tier: str | None = None
    fee_ppm: int = 0


class Reckoning(Struct, frozen=True, kw_only=True):
    """What was used and what it costs.

    `cost` is the provider's share, None when no price is known; `owed` the same with the
    account's fee, 0 when it is not. `price_id` names the version of the price, for the
    record.
    """

    usage: Usage
    cost: Cost | None
    owed: NanoUsd
    price_id: str | None
    notes: tuple[Note, ...] = ()


def reckon(
    said: Usage | None, seen: Seen, endpoint: Endpoint, provider: Provider, terms: Terms
) -> Reckoning:
    """Return what an answer of `endpoint` costs, of which `provider` said this; None: nothing."""
    price = endpoint.price
    found = believed(said, seen, provider, price)
    cost = cost_of(found.usage, price, terms.service_tier)
    owed = NOTHING if cost is None else cost.total
    return Reckoning(
        usage=found.usage,
        cost=cost,
        owed=with_fee(owed, terms.fee_ppm) if terms.fee_ppm else owed,
        price_id=None if price is None else tariff.version(price),
        notes=found.notes,
    )
