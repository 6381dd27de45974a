"""What generations of the past cost by the prices that were in force, and who bore how much.

A record holds what the account paid. Where a generation cost more than was set aside for it,
that is a part of what it cost, and the house bears the rest: the price on record and the
usage tell the whole.
"""

from collections.abc import Iterable

import msgspec

from dragoman.catalog.types import Price
from dragoman.core.money import NanoUsd
from dragoman.ledger.bound import with_fee
from dragoman.ledger.cost import cost_of
from dragoman.records import prices
from dragoman.records.types import Generation
from dragoman.store.sql import Database


def prices_of(records: Database, batch: Iterable[Generation]) -> dict[str, Price]:
    """Read the prices that generations were charged at, by their versions. Blocks."""
    named = {each.price_id for each in batch if each.price_id is not None}
    return {
        id_: msgspec.json.decode(version.price, type=Price)
        for id_, version in records.read_now(prices.find(named)).items()
    }


def owed(made: Generation, price: Price | None) -> NanoUsd:
    """Return what a generation costs at a price with the fee of its time, 0 if nobody knows.

    What its provider reported to have charged counts before the price.
    """
    cost = cost_of(made.usage, price, made.service_tier)
    return NanoUsd(0) if cost is None else with_fee(cost.total, made.fee_ppm)


def is_part(made: Generation, whole: NanoUsd) -> bool:
    """Say whether the account paid a part of the whole, and the house bore the rest."""
    return bool(made.draws) and 0 < made.cost_nanos < whole
