"""Choose the endpoints that may serve a request, best first, and say why not the others.

Planning is pure. The catalog, what was seen of endpoints, the money at hand and a
random source come in as values and a plan comes out. Trying the plan is the job of
`dragoman.upstream`; showing it that of `dragoman.routing.explain`.

Models come in the order the caller named them, unless `partition: none` lets all
endpoints of all models compete; without a sort, they then compete by price
(`route: lowest-cost`). A variant such as `:nitro` is nearer to its model than
`provider.sort`, and wins. `allow_fallbacks: false` is about providers: it leaves
one endpoint of each model (or those that `provider.order` names), and `models`
still apply.
"""

from collections.abc import Callable
from random import Random

from dragoman.catalog.types import Catalog, Endpoint
from dragoman.routing.comparisons import prefer_supporting
from dragoman.routing.ranking import LOTTERY, rank
from dragoman.routing.types import Ask, Drop, Health, Plan, Refusal, Step, Target
from dragoman.routing.verdicts import Rule, Verdict, rules
from dragoman.wire.preferences import SortBy

Affordable = Callable[[Endpoint], str | None]
"""Why the caller's money does not cover an endpoint, None when it does."""


def plan(
    ask: Ask, catalog: Catalog, health: Health, rng: Random, affordable: Affordable | None = None
) -> Plan:
    """Return the endpoints to try for `ask`, in order, and every other with its reason.

    Every endpoint of every target is in the plan once per target. `ask.targets`,
    one at least, name models of `catalog` or of `ask.passed`. Money is asked last: an
    endpoint left out as unaffordable has nothing else against it.
    """
    applicable = rules(ask)
    if affordable is not None:
        applicable += (_money(affordable),)
    pools: list[tuple[SortBy | None, list[Step]]] = []
    refusals: list[Refusal] = []
    for target in ask.targets:
        endpoints = _endpoints(target.model, ask, catalog)
        admitted = _admitted(target, endpoints, ask, applicable, refusals)
        pools.append((target.sort or ask.preferences.sort, admitted))
    if ask.partition == "none":
        pools = [(pools[0][0] or "price", [each for _, pool in pools for each in pool])]
    steps = [step for by, pool in pools for step in rank(pool, by, ask, health, rng)]
    if not ask.preferences.allow_fallbacks and not ask.preferences.order:
        steps = _primaries(steps, refusals)
    return Plan(strategy=ask.strategy, steps=tuple(steps), refusals=tuple(refusals))


def _endpoints(model: str, ask: Ask, catalog: Catalog) -> tuple[Endpoint, ...]:
    """Return the endpoints of a model, with those that exist for this request only."""
    known = catalog.models.get(model)
    passed = ask.passed.get(model, ())
    return known.endpoints + passed if known else passed


def _money(affordable: Affordable) -> Rule:
    def rule(endpoint: Endpoint, _ask: Ask, _target: Target) -> Verdict | None:
        if endpoint.price is None:
            return Drop.PRICE_UNKNOWN, "price is unknown, and what the caller may spend is limited"
        detail = affordable(endpoint)
        return None if detail is None else (Drop.UNAFFORDABLE, detail)

    return rule


def _admitted(
    target: Target,
    endpoints: tuple[Endpoint, ...],
    ask: Ask,
    applicable: tuple[Rule, ...],
    refusals: list[Refusal],
) -> list[Step]:
    """Return the endpoints that may serve `target`; the others are added to `refusals`."""
    accepted: list[Endpoint] = []
    for endpoint in endpoints:
        for rule in applicable:
            found = rule(endpoint, ask, target)
            if found is not None:
                refusals.append(Refusal(endpoint, *found))
                break
        else:
            accepted.append(endpoint)
    kept, outdone = prefer_supporting(accepted, ask)
    refusals += outdone
    return [Step(endpoint, target, LOTTERY) for endpoint in kept]


def _primaries(steps: list[Step], refusals: list[Refusal]) -> list[Step]:
    """Return the first step of each target; the others are added to `refusals`."""
    first: dict[Target, Step] = {}
    for step in steps:
        primary = first.setdefault(step.target, step)
        if primary is not step:
            detail = (
                "provider.allow_fallbacks is false,"
                f" and {primary.endpoint.provider_name} comes first for {step.target.asked}"
            )
            refusals.append(Refusal(step.endpoint, Drop.NO_FALLBACKS, detail))
    return list(first.values())
