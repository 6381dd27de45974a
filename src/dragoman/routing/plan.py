"""Choose the endpoints that may serve a request, best first, and say why not the others.

Planning is pure. The catalog, what was seen of endpoints and a random source come in as
values and a plan comes out. What of it can be paid is asked afterwards, of the purses
(`dragoman.relay.tab`, docs/decisions/0012-batches-sums-and-money-after-planning.md).
Trying the plan is the job of `dragoman.upstream`; showing it that of
`dragoman.routing.explain`.

Models come in the order the caller named them, unless `partition: none` lets all
endpoints of all models compete; without a sort, they then compete by price
(`route: lowest-cost`). A variant such as `:nitro` is nearer to its model than
`provider.sort`, and wins. `allow_fallbacks: false` is about providers: it leaves
one endpoint of each model (or those that `provider.order` names), and `models`
still apply.
"""

from collections.abc import Sequence
from random import Random

from dragoman.catalog.types import Catalog
from dragoman.routing import own
from dragoman.routing.pools import Pool, Pools, pool_of, pooled
from dragoman.routing.ranking import rank
from dragoman.routing.types import Ask, Drop, Health, Plan, Refusal, Step, Target
from dragoman.routing.verdicts import prompt_tokens, rules
from dragoman.wire.preferences import SortBy


def plan(
    ask: Ask, catalog: Catalog, health: Health, rng: Random, pools: Pools | None = None
) -> Plan:
    """Return the endpoints to try for `ask`, in order, and every other with its reason.

    Every endpoint of every target is in the plan once per target; with own credentials of
    the account (`ask.byok`, see `dragoman.routing.own`) once for each, too. `ask.targets`,
    one at least, name models of `catalog` or of `ask.passed`. `pools` remembers verdicts
    between plans, and changes none.
    """
    of = _anew if pools is None else pools.of
    found = [of(target, ask, catalog) for target in ask.targets]
    refusals = found[0].refusals
    if ask.byok:
        steps, refusals = _with_own(found, ask, catalog, health, rng)
    elif ask.partition == "none":
        refusals = _refusals(found)
        steps = rank(_united(found, ask), _sort(ask, 0) or "price", ask, health, rng)
    elif len(found) == 1:
        steps = rank(found[0], _sort(ask, 0), ask, health, rng)
    else:
        refusals = _refusals(found)
        ranked = (rank(pool, _sort(ask, i), ask, health, rng) for i, pool in enumerate(found))
        steps = tuple([step for each in ranked for step in each])
    if not ask.preferences.allow_fallbacks and not ask.preferences.order:
        steps, outdone = _primaries(steps)
        refusals += outdone
    return Plan(strategy=ask.strategy, steps=steps, refusals=refusals)


def _anew(target: Target, ask: Ask, catalog: Catalog) -> Pool:
    return pool_of(target, ask, catalog, rules(ask))


def _with_own(
    found: list[Pool], ask: Ask, catalog: Catalog, health: Health, rng: Random
) -> tuple[Sequence[Step], tuple[Refusal, ...]]:
    """Return steps and refusals where the account brings credentials of its own."""

    def order(by: SortBy | None) -> own.Order:
        return own.Order(by=by, ask=ask, catalog=catalog, health=health, rng=rng)

    parts = [
        own.parted(target, pool, ask, catalog)
        for target, pool in zip(ask.targets, found, strict=True)
    ]
    refusals = tuple([refusal for each in parts for refusal in each.refusals])
    if ask.partition == "none":
        return own.ranked(own.united(parts, ask), order(_sort(ask, 0) or "price")), refusals
    ranked = [own.ranked(each, order(_sort(ask, i))) for i, each in enumerate(parts)]
    if len(ranked) == 1:
        return ranked[0], refusals
    return tuple([step for each in ranked for step in each]), refusals


def _refusals(found: list[Pool]) -> tuple[Refusal, ...]:
    return tuple([refusal for pool in found for refusal in pool.refusals])


def _united(found: list[Pool], ask: Ask) -> Pool:
    return pooled([step for pool in found for step in pool.steps], prompt_tokens(ask))


def _sort(ask: Ask, number: int) -> SortBy | None:
    """Return by what the endpoints of a target are sorted: its variant is nearer to it."""
    return ask.targets[number].sort or ask.preferences.sort


def _primaries(steps: Sequence[Step]) -> tuple[tuple[Step, ...], tuple[Refusal, ...]]:
    """Return the steps of each target at its first endpoint, and why not the other endpoints."""
    first: dict[Target, Step] = {}
    kept: list[Step] = []
    outdone: dict[tuple[Target, str], Refusal] = {}
    for step in steps:
        primary = first.setdefault(step.target, step)
        if primary.endpoint.id == step.endpoint.id:
            kept.append(step)
            continue
        detail = (
            "provider.allow_fallbacks is false,"
            f" and {primary.endpoint.provider_name} comes first for {step.target.asked}"
        )
        refusal = Refusal(step.endpoint, Drop.NO_FALLBACKS, detail)
        outdone[step.target, step.endpoint.id] = refusal
    return tuple(kept), tuple(outdone.values())
