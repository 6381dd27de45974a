"""The place of accounts' own credentials in a plan (BYOK). Pure.

Each credential that fits makes a copy of each endpoint of its provider (OpenRouter,
guides/overview/auth/byok). For each model come first the copies with prioritized
credentials, then the installation's own endpoints, then the copies with fallback
credentials; `provider.order` sorts each of these by itself. What the caller forbids is left
out before copies are made, but for what the account declares of itself (`zdr`).
`required` and `only` leave out the installation's endpoints of a provider.

An own credential makes a provider callable that the installation has nothing for, and an
aggregator a default route. It is sent only to the address that it was given for. One that
rests (refused or rate limited just now) goes to the end of its model.
"""

from collections.abc import Sequence
from itertools import chain
from random import Random

from msgspec import Struct, structs

from dragoman.catalog.byok import Byok, origin_of
from dragoman.catalog.types import Catalog, Endpoint
from dragoman.routing.comparisons import prefer_supporting
from dragoman.routing.pools import LOTTERY, Pool, endpoints_of, pooled
from dragoman.routing.ranking import rank
from dragoman.routing.types import Ask, Drop, Health, Refusal, Seen, Step, Steps, Target
from dragoman.routing.verdicts import Rule, own_rules, prompt_tokens
from dragoman.wire.preferences import SortBy

PRIORITIZED = "with the account's own credential, which comes first"
FALLBACK = "with the account's own fallback credential, which comes last"
NOT_ZDR = "may keep prompts, also for the account's own credential, and provider.zdr is true"
RESTING = "the account's own credential was refused or rate limited just now, so at the end"


class Parts(Struct, frozen=True, kw_only=True):
    """What competes, in the three sections of a plan, and what does not."""

    first: Pool
    house: Pool
    last: Pool
    refusals: tuple[Refusal, ...]


class Order(Struct, frozen=True, kw_only=True):
    """From what the order of steps follows."""

    by: SortBy | None
    ask: Ask
    catalog: Catalog
    health: Health
    rng: Random


NO_POOL = pooled((), 0)


def parted(target: Target, house: Pool, ask: Ask, catalog: Catalog) -> Parts:
    """Return the three sections of a target, given the pool of the installation's endpoints.

    Every endpoint of the model is in one section at least, or has one refusal.
    """
    mine = [each for each in ask.byok if each.serves(target.model)]
    alone = {each.credential.provider for each in mine if each.required}
    alone |= {each.credential.provider for each in ask.byok if each.only}
    if not (mine or alone):
        return Parts(first=NO_POOL, house=house, last=NO_POOL, refusals=house.refusals)
    fit, refused = _fit(target, mine, ask, catalog)
    ours = [step for step in house.steps if step.endpoint.provider not in alone]
    shut = [_shut(each.endpoint) for each in house.steps if each.endpoint.provider in alone]
    united = {each.id: each for each in (*fit, *(step.endpoint for step in ours))}
    kept, outdone = prefer_supporting([*united.values()], ask)
    ids = {each.id for each in kept}
    ours = [step for step in ours if step.endpoint.id in ids]
    refusals = {each.endpoint.id: each for each in (*house.refusals, *shut, *refused, *outdone)}
    tokens = prompt_tokens(ask)
    return Parts(
        first=_section(fit, ids, target, _providers(mine, catalog, fallback=False), tokens),
        house=house if len(ours) == len(house.steps) else pooled(ours, tokens),
        last=_section(fit, ids, target, _providers(mine, catalog, fallback=True), tokens),
        refusals=tuple(each for id_, each in refusals.items() if id_ not in ids),
    )


def united(parts: Sequence[Parts], ask: Ask) -> Parts:
    """Return what competes where all targets do so with each other."""

    def pool(pools: Sequence[Pool]) -> Pool:
        return pooled([step for each in pools for step in each.steps], prompt_tokens(ask))

    return Parts(
        first=pool([each.first for each in parts]),
        house=pool([each.house for each in parts]),
        last=pool([each.last for each in parts]),
        refusals=tuple(chain.from_iterable(each.refusals for each in parts)),
    )


def ranked(parts: Parts, order: Order) -> Sequence[Step]:
    """Return the steps of all sections in the order to try them.

    The installation's are put in order once they are needed.
    """
    first, resting_first = _copies(parts.first, order, fallback=False)
    last, resting_last = _copies(parts.last, order, fallback=True)
    after = (*last, *resting_first, *resting_last)

    def house() -> Sequence[Step]:
        if not parts.house.steps:
            return ()
        return rank(parts.house, order.by, order.ask, order.health, order.rng)

    if not first:
        return (*house(), *after)
    length = len(first) + len(parts.house.steps) + len(after)
    return Steps(first[0], length, lambda: (*first[1:], *house(), *after))


def reached(brought: Sequence[Byok], catalog: Catalog) -> frozenset[str]:
    """Return the ids of the endpoints that a request can reach with own credentials."""
    usable = [each for each in brought if _is_usable(each, catalog)]
    return frozenset(
        endpoint.id
        for model in catalog.models.values()
        for endpoint in model.endpoints
        if endpoint.status == "active"
        and any(
            each.credential.provider == endpoint.provider and each.serves(model.id)
            for each in usable
        )
    )


def _fit(
    target: Target, mine: Sequence[Byok], ask: Ask, catalog: Catalog
) -> tuple[list[Endpoint], list[Refusal]]:
    """Return the endpoints that an own credential may be used for, and why not the others."""
    usable = [each for each in mine if _is_usable(each, catalog)]
    brought = {each.credential.provider for each in mine}
    rules = own_rules(_without_zdr(ask))
    fit: list[Endpoint] = []
    refused: list[Refusal] = []
    for endpoint in endpoints_of(target.model, ask, catalog):
        if endpoint.provider not in brought:
            continue
        here = [each for each in usable if each.credential.provider == endpoint.provider]
        refusal = _refusal(endpoint, rules, ask, target)
        if refusal is None and not here:
            refusal = Refusal(endpoint, Drop.BYOK_UNUSABLE, _why_unusable(endpoint, catalog))
        elif refusal is None and not any(_keeps_nothing(each, endpoint, ask) for each in here):
            refusal = Refusal(endpoint, Drop.NOT_ZDR, NOT_ZDR)
        if refusal is None:
            fit.append(endpoint)
        else:
            refused.append(refusal)
    return fit, refused


def _shut(endpoint: Endpoint) -> Refusal:
    detail = f"the account uses {endpoint.provider_name} with own credentials only, and none fits"
    return Refusal(endpoint, Drop.BYOK_UNUSABLE, detail)


def _without_zdr(ask: Ask) -> Ask:
    """Return the request without a wish that is asked of each credential apart."""
    if not ask.preferences.zdr:
        return ask
    return structs.replace(ask, preferences=structs.replace(ask.preferences, zdr=False))


def _keeps_nothing(byok: Byok, endpoint: Endpoint, ask: Ask) -> bool:
    """Say whether `zdr` lets it pass: what the account declares of itself wins."""
    if not ask.preferences.zdr:
        return True
    return endpoint.policy.keeps_nothing if byok.zdr is None else byok.zdr


def _refusal(
    endpoint: Endpoint, rules: tuple[Rule, ...], ask: Ask, target: Target
) -> Refusal | None:
    for rule in rules:
        found = rule(endpoint, ask, target)
        if found is not None:
            return Refusal(endpoint, *found)
    return None


def _is_usable(byok: Byok, catalog: Catalog) -> bool:
    """Say whether it was given for the address at which the provider is called."""
    provider = catalog.providers.get(byok.credential.provider)
    return (
        provider is not None and byok.origin != "" and byok.origin == origin_of(provider.base_url)
    )


def _why_unusable(endpoint: Endpoint, catalog: Catalog) -> str:
    provider = catalog.providers.get(endpoint.provider)
    where = origin_of(provider.base_url) if provider else ""
    return f"the account's own credential was not given for {where or 'its address'}: enter it anew"


def _providers(mine: Sequence[Byok], catalog: Catalog, *, fallback: bool) -> set[str]:
    return {
        each.credential.provider
        for each in mine
        if each.fallback is fallback and _is_usable(each, catalog)
    }


def _section(
    fit: Sequence[Endpoint], ids: set[str], target: Target, providers: set[str], tokens: int
) -> Pool:
    steps = [
        Step(each, target, LOTTERY) for each in fit if each.id in ids and each.provider in providers
    ]
    return pooled(steps, tokens) if steps else NO_POOL


def _copies(pool: Pool, order: Order, *, fallback: bool) -> tuple[list[Step], list[Step]]:
    """Return a step for each endpoint and credential of a section; apart, those at rest."""
    well: list[Step] = []
    resting: list[Step] = []
    if not pool.steps:
        return well, resting
    why = FALLBACK if fallback else PRIORITIZED
    for step in rank(pool, order.by, order.ask, _own_health(pool, order.health), order.rng):
        endpoint = step.endpoint
        for byok in order.ask.byok:
            if byok.fallback is not fallback or not _fits(byok, step, order):
                continue
            if _rests(byok, endpoint.id, order.health):
                resting.append(Step(endpoint, step.target, RESTING, byok))
            else:
                well.append(Step(endpoint, step.target, why, byok))
    return well, resting


def _fits(byok: Byok, step: Step, order: Order) -> bool:
    return (
        byok.credential.provider == step.endpoint.provider
        and byok.serves(step.target.model)
        and _is_usable(byok, order.catalog)
        and _keeps_nothing(byok, step.endpoint, order.ask)
    )


def _rests(byok: Byok, endpoint: str, health: Health) -> bool:
    return byok.rest_id("") in health or byok.rest_id(endpoint) in health


def _own_health(pool: Pool, health: Health) -> Health:
    """Return what was seen of endpoints, without what only the installation's credentials met."""
    found: dict[str, Seen] = {}
    for step in pool.steps:
        seen = health.get(step.endpoint.id)
        if seen is not None:
            found[step.endpoint.id] = structs.replace(seen, cooling=False) if seen.cooling else seen
    return found
