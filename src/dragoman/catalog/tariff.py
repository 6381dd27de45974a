"""Which of an endpoint's prices counts: for a prompt of some length, and at some time. Pure.

What a request then costs is computed in `dragoman.ledger.cost`.
"""

from msgspec import structs

from dragoman.catalog.types import Endpoint, Price, PriceTier


def applicable(price: Price, prompt_tokens: int) -> Price:
    """Return the price of a request with so long a prompt: that of the tiers it is longer than.

    It holds for the whole request. A tier changes only the prices that it names, and of
    several tiers the longest wins (OpenRouter, guides/overview/models, `overrides`).
    """
    changes = {
        unit: amount
        for tier in price.tiers
        if prompt_tokens > tier.min_prompt_tokens
        for unit in _UNITS
        if (amount := getattr(tier, unit)) is not None
    }
    return structs.replace(price, **changes) if changes else price


def at(endpoint: Endpoint, now: int) -> Endpoint:
    """Return the endpoint with the price of the Unix time `now`, and what is still to come."""
    begun = [dated for dated in endpoint.upcoming if dated.since <= now]
    if not begun:
        return endpoint
    return structs.replace(
        endpoint, price=begun[-1].price, upcoming=endpoint.upcoming[len(begun) :]
    )


_UNITS = tuple(name for name in PriceTier.__struct_fields__ if name != "min_prompt_tokens")
