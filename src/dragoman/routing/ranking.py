"""In what order the endpoints that may serve a request are tried.

The default is a lottery that favours cheap endpoints; `sort` and the variants
`:nitro` and `:floor` replace it by a fixed order. Three stable partitions follow,
each stronger than the one before: what `provider.order` names comes first, what
misses the preferred speed goes back, what is in trouble goes to the very end
(OpenRouter, provider-selection). Statistics do not overrule a caller who named a
provider, but a provider that just now refuses everybody is of no use to anybody:
of what `provider.order` names, only the rate limited goes to the end.

The price of an endpoint is a blend, three prompt tokens to one completion token,
the usual mix of chat traffic. OpenRouter does not publish its own.
"""

from collections.abc import Callable
from math import inf, log
from random import Random
from typing import cast

from dragoman.catalog.tariff import applicable
from dragoman.catalog.types import Endpoint
from dragoman.routing.slugs import names
from dragoman.routing.types import Ask, Health, Percentiles, Seen, Step
from dragoman.routing.verdicts import prompt_tokens
from dragoman.wire.preferences import Preferences, SortBy

Order = Callable[[list[Step], int, Health, Random], list[Step]]
"""From a pool, the length of the prompt in tokens, what was seen, and chance."""

LOTTERY = "price lottery, odds of 1/price²"
PRICE_UNKNOWN = "price unknown, so after all that are known"
LOWEST_PRICE = "sorted by price, lowest first"
HIGHEST_THROUGHPUT = "sorted by throughput, highest first"
LOWEST_LATENCY = "sorted by latency, lowest first"
NOT_MEASURED = "not measured lately, so after all that were, by price"
TOOLS_FIRST = "supports tools; among those price lottery, odds of 1/price²"
IN_ORDER = "named in provider.order"
TOO_SLOW = "misses the preferred throughput or latency"
OUTAGE = "faults within the last 30 s, so at the end"
COOLING = "rate limited or without a usable credential just now, so at the end"

UNSEEN = Seen()


def rank(pool: list[Step], by: SortBy | None, ask: Ask, health: Health, rng: Random) -> list[Step]:
    """Return the steps of `pool` in the order to try them, each with its reason.

    A pool is what competes with each other: one model, or all (`partition: none`).
    Its steps come in with the reason `LOTTERY`, which is what `by` None means. Any
    other order does not depend on the order of `pool`.
    """
    steps = _ORDERS[by](pool, prompt_tokens(ask), health, rng)
    wishes = ask.preferences
    if wishes.order:
        steps = _listed_first(steps, wishes.order)
    if wishes.min_throughput or wishes.max_latency:
        steps = _fast_first(steps, wishes, health)
    return _troubled_last(steps, health) if health else steps


def blended_price(endpoint: Endpoint, tokens: int = 0) -> int | None:
    """Return the price of three prompt tokens and a completion token in pico-dollars.

    It is that of a request with a prompt of so many tokens. None: unknown. Zero is a price
    only for a declared free tier.
    """
    price = endpoint.price
    if price is None:
        return None
    if price.tiers:
        price = applicable(price, tokens)
    blend = price.prompt * 3 + price.completion
    return blend if blend or endpoint.free else None


def _lottery(pool: list[Step], tokens: int, _health: Health, rng: Random) -> list[Step]:
    """Shuffle so that an endpoint comes first with odds of 1 / price².

    Each draws an exponential waiting time with its weight as the rate, and the
    shortest wait wins: one sort gives the whole order of fallbacks. Free tiers
    all weigh the same. Unknown prices draw among themselves, after the known.
    """
    random = rng.random
    known: list[Step] = []
    waits: list[float] = []
    unknown: list[Step] = []
    for step in pool:
        price = blended_price(step.endpoint, tokens)
        if price is None:
            unknown.append(_because(step, PRICE_UNKNOWN))
        else:
            weight = price or 1
            known.append(step)
            waits.append(-log(1.0 - random()) * weight * weight)
    if unknown:
        rng.shuffle(unknown)
    return [known[i] for i in sorted(range(len(known)), key=waits.__getitem__)] + unknown


def _by_price(pool: list[Step], tokens: int, _health: Health, _rng: Random) -> list[Step]:
    return [
        _because(step, PRICE_UNKNOWN if blended_price(step.endpoint) is None else LOWEST_PRICE)
        for step in sorted(pool, key=lambda step: _price_key(step, tokens))
    ]


def _by_throughput(pool: list[Step], tokens: int, health: Health, _rng: Random) -> list[Step]:
    def median(step: Step) -> float | None:
        measured = health.get(step.endpoint.id, UNSEEN).throughput
        return None if measured is None else -measured.p50

    return _by_measure(pool, tokens, median, HIGHEST_THROUGHPUT)


def _by_latency(pool: list[Step], tokens: int, health: Health, _rng: Random) -> list[Step]:
    def median(step: Step) -> float | None:
        measured = health.get(step.endpoint.id, UNSEEN).latency_s
        return None if measured is None else measured.p50

    return _by_measure(pool, tokens, median, LOWEST_LATENCY)


def _by_measure(
    pool: list[Step], tokens: int, measure: Callable[[Step], float | None], why: str
) -> list[Step]:
    """Order by what was measured, lowest first, then by price what was not."""
    measures = {id(step): measure(step) for step in pool}

    def key(step: Step) -> tuple[float, float, str]:
        measured = measures[id(step)]
        return inf if measured is None else measured, *_price_key(step, tokens)

    return [
        _because(step, NOT_MEASURED if measures[id(step)] is None else why)
        for step in sorted(pool, key=key)
    ]


def _exacto(pool: list[Step], tokens: int, health: Health, rng: Random) -> list[Step]:
    """Put the endpoints that support tools first, each group in the order of the lottery.

    How well an endpoint calls tools is not measured, so that is all `exacto` can mean.
    """
    drawn = _lottery(pool, tokens, health, rng)
    able = [_because(step, TOOLS_FIRST) for step in drawn if "tools" in step.endpoint.supports]
    return able + [step for step in drawn if "tools" not in step.endpoint.supports]


def _price_key(step: Step, tokens: int) -> tuple[float, str]:
    price = blended_price(step.endpoint, tokens)
    return inf if price is None else price, step.endpoint.id


def _because(step: Step, why: str) -> Step:
    return Step(step.endpoint, step.target, why)


def _listed_first(steps: list[Step], order: tuple[str, ...]) -> list[Step]:
    def place(step: Step) -> int:
        named = (i for i, slug in enumerate(order) if names(slug, step.endpoint))
        return next(named, len(order))

    return [
        _because(step, IN_ORDER) if place(step) < len(order) else step
        for step in sorted(steps, key=place)
    ]


def _fast_first(steps: list[Step], wishes: Preferences, health: Health) -> list[Step]:
    """Order by whether the preferred speeds are met, unknown, or missed."""
    met: list[Step] = []
    unknown: list[Step] = []
    missed: list[Step] = []
    for step in steps:
        seen = health.get(step.endpoint.id, UNSEEN)
        if _misses(wishes, seen):
            missed.append(_because(step, TOO_SLOW))
        elif _is_measured(wishes, seen):
            met.append(step)
        else:
            unknown.append(step)
    return met + unknown + missed


def _misses(wishes: Preferences, seen: Seen) -> bool:
    return any(
        seen.throughput is not None and _at(seen.throughput, percentile) < least
        for percentile, least in wishes.min_throughput
    ) or any(
        seen.latency_s is not None and _at(seen.latency_s, percentile) > most
        for percentile, most in wishes.max_latency
    )


def _is_measured(wishes: Preferences, seen: Seen) -> bool:
    return (not wishes.min_throughput or seen.throughput is not None) and (
        not wishes.max_latency or seen.latency_s is not None
    )


def _at(percentiles: Percentiles, name: str) -> float:
    return cast("float", getattr(percentiles, name))


def _troubled_last(steps: list[Step], health: Health) -> list[Step]:
    well: list[Step] = []
    troubled: list[Step] = []
    for step in steps:
        seen = health.get(step.endpoint.id)
        if seen is not None and seen.cooling:
            troubled.append(_because(step, COOLING))
        elif seen is not None and seen.outage and step.why != IN_ORDER:
            troubled.append(_because(step, OUTAGE))
        else:
            well.append(step)
    return well + troubled


_ORDERS: dict[SortBy | None, Order] = {
    None: _lottery,
    "price": _by_price,
    "throughput": _by_throughput,
    "latency": _by_latency,
    "exacto": _exacto,
}
