"""What a request costs that an account's own credential served: a fee, if one is set. Pure.

The provider bills the account itself. What it costs there, by the price list, is shown and
recorded beside, and not charged.
"""

from typing import Annotated

from msgspec import Meta, Struct

from dragoman.core.money import NanoUsd
from dragoman.ledger.cost import FREE, Cost

MILLION = 1_000_000
MOST_FREE = 10**12


class ByokOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `byok:` of dragoman.yaml."""

    fee_ppm: Annotated[int, Meta(ge=0, le=MILLION)] = 0
    """What is charged, in millionths of what the request costs at the provider."""
    free_requests_per_month: Annotated[int, Meta(ge=0, le=MOST_FREE)] = 0
    """How many requests of an account cost no fee, in each month by the database's clock in UTC."""


def fee_of(upstream: Cost | None, fee_ppm: int) -> Cost | None:
    """Return the fee for a request that cost `upstream` at its provider, rounded up once.

    None: there is a fee, and the price is unknown.
    """
    if fee_ppm == 0:
        return FREE
    if upstream is None:
        return None
    fee = -(-upstream.total * fee_ppm // MILLION)
    return Cost(total=NanoUsd(fee), prompt=NanoUsd(0), completion=NanoUsd(0))
