"""The endpoints of one model that may serve a request, and the others with their reasons.

Which they are depends on the catalog and on what the request asks, not on the moment:
neither health nor chance has a say. So requests that ask alike share a pool (`Pools`),
and a plan is the same whether its pools are remembered or made anew.
"""

from collections.abc import Iterable
from itertools import accumulate
from math import inf

from msgspec import Struct

from dragoman.catalog.tariff import applicable
from dragoman.catalog.types import Catalog, Endpoint
from dragoman.routing.comparisons import prefer_supporting
from dragoman.routing.types import Ask, Refusal, Step, Target
from dragoman.routing.verdicts import Rule, prompt_tokens, rules
from dragoman.wire.preferences import Preferences

LOTTERY = "price lottery, odds of 1/price²"
PRICE_UNKNOWN = "price unknown, so after all that are known"
MOST_REMEMBERED = 4096
LONGEST_NAMED = 256
"""Letters of the providers that a request names: where there are more, its pool is not kept.
They are in the key and in each refusal, and may be 75 KB."""


class Pool(Struct, frozen=True, kw_only=True):
    """What competes with each other: `steps`, in the order of the catalog.

    `priced` and `unpriced` are the same steps apart. `rates` has the square of the blended
    price of each priced one, negated: what the logarithm of a chance is multiplied with.
    `odds` adds up the chances of the priced ones to come first, 1/price² each.
    """

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...] = ()
    priced: tuple[Step, ...]
    rates: tuple[float, ...]
    odds: tuple[float, ...]
    unpriced: tuple[Step, ...]


class _Room(Struct, frozen=True):
    """Up to where the length of a request decides nothing at a model: tokens."""

    window: float
    answer: float
    prompt: float


class Pools:
    """Remembers the pools of one catalog; a new catalog begins with none.

    Only requests that are short enough for every endpoint of a model share its pool, and
    only models of the catalog have one that is remembered.
    """

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._rooms: dict[str, _Room] = {}
        self._pools: dict[object, Pool] = {}

    def of(self, target: Target, ask: Ask, catalog: Catalog) -> Pool:
        """Return the pool of a target."""
        if catalog is not self._catalog:
            self._catalog = catalog
            self._rooms.clear()
            self._pools.clear()
        if ask.passed or not self._fits(target.model, ask, catalog):
            return pool_of(target, ask, catalog, rules(ask))
        key = (target, ask.preferences, ask.parameters, ask.inputs, ask.outputs)
        known = self._pools.get(key)
        if known is None:
            known = pool_of(target, ask, catalog, rules(ask))
            if _letters(ask.preferences) <= LONGEST_NAMED:
                if len(self._pools) >= MOST_REMEMBERED:
                    self._pools.clear()
                self._pools[key] = known
        return known

    def _fits(self, model: str, ask: Ask, catalog: Catalog) -> bool:
        room = self._rooms.get(model)
        if room is None:
            room = self._rooms[model] = _room(catalog.models[model].endpoints)
        prompt, answer = prompt_tokens(ask), ask.max_tokens or 0
        return prompt + answer <= room.window and answer <= room.answer and prompt <= room.prompt


def pool_of(target: Target, ask: Ask, catalog: Catalog, applicable_rules: tuple[Rule, ...]) -> Pool:
    """Return the endpoints that no rule keeps from serving `target`, and why not the others."""
    refusals: list[Refusal] = []
    accepted: list[Endpoint] = []
    for endpoint in endpoints_of(target.model, ask, catalog):
        for rule in applicable_rules:
            found = rule(endpoint, ask, target)
            if found is not None:
                refusals.append(Refusal(endpoint, *found))
                break
        else:
            accepted.append(endpoint)
    kept, outdone = prefer_supporting(accepted, ask)
    steps = [Step(endpoint, target, LOTTERY) for endpoint in kept]
    return pooled(steps, prompt_tokens(ask), (*refusals, *outdone))


def pooled(steps: Iterable[Step], tokens: int, refusals: tuple[Refusal, ...] = ()) -> Pool:
    """Return the pool of some steps for a prompt of so many tokens."""
    steps = tuple(steps)
    prices = [blended_price(step.endpoint, tokens) for step in steps]
    rates = [-float((price or 1) ** 2) for price in prices if price is not None]
    return Pool(
        steps=steps,
        refusals=refusals,
        priced=tuple(s for s, price in zip(steps, prices, strict=True) if price is not None),
        rates=tuple(rates),
        odds=tuple(accumulate(-1.0 / rate for rate in rates)),
        unpriced=tuple(
            Step(s.endpoint, s.target, PRICE_UNKNOWN)
            for s, price in zip(steps, prices, strict=True)
            if price is None
        ),
    )


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


def endpoints_of(model: str, ask: Ask, catalog: Catalog) -> tuple[Endpoint, ...]:
    """Return the endpoints of a model, with those that exist for this request only."""
    known = catalog.models.get(model)
    passed = ask.passed.get(model, ())
    return known.endpoints + passed if known else passed


def _letters(wishes: Preferences) -> int:
    """Return how long the names of providers are in a request's wishes, all in all."""
    return sum(len(name) for names in (wishes.order, wishes.only, wishes.ignore) for name in names)


def _room(endpoints: tuple[Endpoint, ...]) -> _Room:
    tiers = [
        tier.min_prompt_tokens
        for endpoint in endpoints
        if endpoint.price is not None
        for tier in endpoint.price.tiers
    ]
    return _Room(
        window=min((each.context for each in endpoints if each.context is not None), default=inf),
        answer=min(
            (each.max_output for each in endpoints if each.max_output is not None), default=inf
        ),
        prompt=min(tiers, default=inf),
    )
