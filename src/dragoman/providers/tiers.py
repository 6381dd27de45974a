"""Service tiers that a host sells at a price that is known. No other is asked for.

A tier without a rate (`billing.rates`, or `rates` of a price) would be charged at the list's price,
whatever the host takes for it. OpenRouter docs, "Service Tiers": `fast` is `priority`.
"""

from typing import Final

from dragoman.catalog.tariff import SAME_TIERS
from dragoman.catalog.types import Endpoint, Provider

NOT_SOLD: Final = "no such tier is known here: `provider.only` names a provider that has it"
USUAL = frozenset({"auto", "default"})


def sold(tier: str, endpoint: Endpoint, provider: Provider) -> str | None:
    """Return the tier as the host calls it, None if it is not known to have it."""
    if tier in USUAL or provider.kind == "aggregator":
        return tier
    name = SAME_TIERS.get(tier, tier)
    if endpoint.price is not None and endpoint.price.rates:
        return name if any(rate.tier == name for rate in endpoint.price.rates) else None
    return name if name in provider.billing.rates_with(endpoint.upstream) else None
