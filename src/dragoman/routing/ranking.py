"""In what order the endpoints that may serve a request are tried.

The default is a lottery that favours cheap endpoints; `sort` and the variants
`:nitro` and `:floor` replace it by a fixed order. Three stable partitions follow,
each stronger than the one before: what `provider.order` names comes first, what
misses the preferred speed goes back, what is in trouble goes to the very end
(OpenRouter, provider-selection). Statistics do not overrule a caller who named a
provider, but a provider that just now refuses everybody is of no use to anybody:
of what `provider.order` names, only the rate limited goes to the end.

Requests of one session (`Ask.session`) draw the same in every lottery.

The price of an endpoint is a blend, three prompt tokens to one completion token,
the usual mix of chat traffic. OpenRouter does not publish its own.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from math import inf, log
from random import Random
from typing import cast

from dragoman.routing.pools import LOTTERY, PRICE_UNKNOWN, Pool, blended_price
from dragoman.routing.sessions import session_chances
from dragoman.routing.slugs import names
from dragoman.routing.types import Ask, Health, Percentiles, Seen, Step, Steps
from dragoman.routing.verdicts import prompt_tokens
from dragoman.wire.preferences import Preferences, SortBy

Chances = Callable[[Sequence[Step]], list[float]]
"""A number from 0 to below 1 for each of some steps."""
Order = Callable[[Pool, int, Health, Chances], list[Step]]
"""From a pool, the length of the prompt in tokens, what was seen, and chance."""

LOWEST_PRICE = "sorted by price, lowest first"
HIGHEST_THROUGHPUT = "sorted by throughput, highest first"
LOWEST_LATENCY = "sorted by latency, lowest first"
NOT_MEASURED = "not measured lately, so after all that were, by price"
TOOLS_FIRST = "supports tools; among those price lottery, odds of 1/price²"
IN_ORDER = "named in provider.order"
SESSION = "price lottery, odds of 1/price², drawn once for the session"
TOO_SLOW = "misses the preferred throughput or latency"
OUTAGE = "faults within the last 30 s, so at the end"
COOLING = "rate limited or without a usable credential just now, so at the end"

UNSEEN = Seen()


def rank(pool: Pool, by: SortBy | None, ask: Ask, health: Health, rng: Random) -> Sequence[Step]:
    """Return the steps of `pool` in the order to try them, each with its reason.

    A pool is what competes with each other: one model, or all (`partition: none`).
    Its steps come in with the reason `LOTTERY`, which is what `by` None means. Any
    other order does not depend on the order of `pool`.
    """
    wishes = ask.preferences
    speeds = wishes.min_throughput or wishes.max_latency
    session = ask.session
    if by is None and pool.odds and session is None and not (wishes.order or speeds):
        return _drawn(pool, health, rng)
    chances = partial(_anew, rng) if session is None else partial(session_chances, session)
    steps = _ORDERS[by](pool, prompt_tokens(ask), health, chances)
    if session is not None:
        steps = [_because(step, SESSION) if step.why == LOTTERY else step for step in steps]
    if wishes.order:
        steps = _listed_first(steps, wishes.order)
    if speeds:
        steps = _fast_first(steps, wishes, health)
    return tuple(_troubled_last(steps, health))


def _drawn(pool: Pool, health: Health, rng: Random) -> Sequence[Step]:
    """Draw the first step of the lottery, which mostly answers; the others once they are needed.

    One draw decides it all: it also seeds the order of the others. Who is in trouble
    among those is looked up when they are needed, too.
    """
    ticket = rng.random()
    odds = pool.odds
    place = bisect_right(odds, ticket * odds[-1], 0, len(odds) - 1)
    first = pool.priced[place]
    if _trouble(first, health) is not None:
        return tuple(_troubled_last(_raced(pool, partial(_anew, rng)), health))
    return Steps(first, len(pool.steps), partial(_others, pool, place, ticket, health))


def _others(pool: Pool, place: int, ticket: float, health: Health) -> list[Step]:
    """Return all steps but the one that was drawn, in the order to try them after it."""
    rng = Random(ticket)  # noqa: S311 - a lottery, not a secret
    steps = _raced(pool, partial(_anew, rng), place)
    return _troubled_last(steps, health)


def _anew(rng: Random, steps: Sequence[Step]) -> list[float]:
    """Draw a chance for each step."""
    return [rng.random() for _ in steps]


def _lottery(pool: Pool, _tokens: int, _health: Health, chances: Chances) -> list[Step]:
    return _raced(pool, chances)


def _raced(pool: Pool, chances: Chances, without: int | None = None) -> list[Step]:
    """Order by chance, so that an endpoint comes first with odds of 1 / price².

    Each draws an exponential waiting time with its weight as the rate, and the
    shortest wait wins: one sort gives the whole order of fallbacks. Free tiers
    all weigh the same. Unknown prices draw among themselves, after the known.
    Whoever came first already, at the place `without`, is not in the race.
    """
    drawn = zip(chances(pool.priced), pool.rates, strict=True)
    waits = [log(1.0 - chance) * rate for chance, rate in drawn]
    order = sorted(range(len(waits)), key=waits.__getitem__)
    lots = chances(pool.unpriced)
    last = sorted(range(len(lots)), key=lots.__getitem__)
    return [pool.priced[i] for i in order if i != without] + [pool.unpriced[i] for i in last]


def _by_price(pool: Pool, tokens: int, _health: Health, _chances: Chances) -> list[Step]:
    return [
        _because(step, PRICE_UNKNOWN if blended_price(step.endpoint) is None else LOWEST_PRICE)
        for step in sorted(pool.steps, key=lambda step: _price_key(step, tokens))
    ]


def _by_throughput(pool: Pool, tokens: int, health: Health, _chances: Chances) -> list[Step]:
    def median(step: Step) -> float | None:
        measured = health.get(step.endpoint.id, UNSEEN).throughput
        return None if measured is None else -measured.p50

    return _by_measure(pool, tokens, median, HIGHEST_THROUGHPUT)


def _by_latency(pool: Pool, tokens: int, health: Health, _chances: Chances) -> list[Step]:
    def median(step: Step) -> float | None:
        measured = health.get(step.endpoint.id, UNSEEN).latency_s
        return None if measured is None else measured.p50

    return _by_measure(pool, tokens, median, LOWEST_LATENCY)


def _by_measure(
    pool: Pool, tokens: int, measure: Callable[[Step], float | None], why: str
) -> list[Step]:
    """Order by what was measured, lowest first, then by price what was not."""
    measures = {id(step): measure(step) for step in pool.steps}

    def key(step: Step) -> tuple[float, float, str]:
        measured = measures[id(step)]
        return inf if measured is None else measured, *_price_key(step, tokens)

    return [
        _because(step, NOT_MEASURED if measures[id(step)] is None else why)
        for step in sorted(pool.steps, key=key)
    ]


def _exacto(pool: Pool, _tokens: int, _health: Health, chances: Chances) -> list[Step]:
    """Put the endpoints that support tools first, each group in the order of the lottery.

    How well an endpoint calls tools is not measured, so that is all `exacto` can mean.
    """
    drawn = _raced(pool, chances)
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
    troubled = [(step, why) for step in steps if (why := _trouble(step, health)) is not None]
    if not troubled:
        return steps
    ids = {step.endpoint.id for step, _ in troubled}
    well = [step for step in steps if step.endpoint.id not in ids]
    return well + [_because(step, why) for step, why in troubled]


def _trouble(step: Step, health: Health) -> str | None:
    seen = health.get(step.endpoint.id)
    if seen is None:
        return None
    if seen.cooling:
        return COOLING
    return OUTAGE if seen.outage and step.why != IN_ORDER else None


_ORDERS: dict[SortBy | None, Order] = {
    None: _lottery,
    "price": _by_price,
    "throughput": _by_throughput,
    "latency": _by_latency,
    "exacto": _exacto,
}
