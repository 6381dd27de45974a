"""Which of an endpoint's prices counts: for a prompt of some length, and at some time. Pure.

What a request then costs is computed in `dragoman.ledger.cost`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import structs

from dragoman.catalog.types import Billing, Endpoint, Price, PriceTier, Rate
from dragoman.core import money
from dragoman.core.money import PicoUsd

MILLION: Final = 1_000_000
SAME_TIERS: Final = {"fast": "priority"}
"""OpenAI, "Fast mode": one tier, asked for by either name and answered by either, by the model."""


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


def on_terms(endpoint: Endpoint, billing: Billing) -> Endpoint:
    """Return the endpoint with what its host bills for all models, where its own price is silent.

    Also for the prices that are still to come. What is free stays free.
    """
    if endpoint.free or billing in _NO_TERMS:
        return endpoint
    return structs.replace(
        endpoint,
        price=completed(endpoint.price, billing, endpoint.upstream),
        upcoming=tuple(
            structs.replace(dated, price=completed(dated.price, billing, endpoint.upstream))
            for dated in endpoint.upcoming
        ),
    )


def rates(times: Mapping[str, float]) -> tuple[Rate, ...]:
    """Return multiples of the price by service tier in millionths, in the order of the tiers."""
    return tuple(Rate(tier, round(each * MILLION)) for tier, each in sorted(times.items()))


@lru_cache(maxsize=8192)
def version(price: Price) -> str:
    """Return the id of a price: 16 hexadecimal digits, the same for the same amounts.

    What a price does not name does not count, so that a unit that is added to `Price`
    one day changes no id.
    """
    return hashlib.sha256(canonical(price)).hexdigest()[:16]


def canonical(price: Price) -> bytes:
    """Return a price as the JSON that `version` is of, which reads back as the same price."""
    named = {name: value for name, value in msgspec.to_builtins(price).items() if value}
    return msgspec.json.encode(named | {"prompt": price.prompt, "completion": price.completion})


def at(endpoint: Endpoint, now: int) -> Endpoint:
    """Return the endpoint with the price of the Unix time `now`, and what is still to come."""
    begun = [dated for dated in endpoint.upcoming if dated.since <= now]
    if not begun:
        return endpoint
    return structs.replace(
        endpoint, price=begun[-1].price, upcoming=endpoint.upcoming[len(begun) :]
    )


def completed(price: Price | None, billing: Billing, upstream: str) -> Price | None:
    """Return the price of a host's model with what the host bills alike, where it is silent."""
    if price is None:
        return None
    changes: dict[str, object] = dict(_cached(price, billing))
    if price.search is None and billing.search is not None:
        changes["search"] = money.price(billing.search)
    if not price.rates and (times := billing.rates_with(upstream)):
        changes["rates"] = rates(times)
    return structs.replace(price, **changes) if changes else price


def _cached(price: Price, billing: Billing) -> Iterator[tuple[str, object]]:
    """Return what tokens of a cache cost as multiples of a prompt token, in each tier of length.

    What writes no answer (embeddings) is not kept in a cache.
    """
    times = {
        unit: round(each * MILLION)
        for unit in _MULTIPLES
        if (each := getattr(billing, unit)) is not None and getattr(price, unit) is None
    }
    if not times or not price.completion:
        return
    yield from _multiples(price.prompt, times).items()
    if price.tiers:
        yield "tiers", tuple(_tier_on_terms(tier, times) for tier in price.tiers)


def _tier_on_terms(tier: PriceTier, times: Mapping[str, int]) -> PriceTier:
    if tier.prompt is None:
        return tier
    silent = {unit: each for unit, each in times.items() if getattr(tier, unit) is None}
    return structs.replace(tier, **_multiples(tier.prompt, silent))


def _multiples(prompt: PicoUsd, times: Mapping[str, int]) -> dict[str, PicoUsd]:
    return {unit: PicoUsd(prompt * each // MILLION) for unit, each in times.items()}


_MULTIPLES: Final = ("cache_read", "cache_read_marked", "cache_write", "cache_write_1h")
_NO_TERMS = (Billing(), Billing(reports_usd=True))
_UNITS = tuple(name for name in PriceTier.__struct_fields__ if name != "min_prompt_tokens")
