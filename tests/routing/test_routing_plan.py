"""Whole plans: several models, fallbacks, money, and the laws that hold for all of them."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import Endpoint
from dragoman.core.money import PicoUsd
from dragoman.routing import ranking
from dragoman.routing.plan import plan
from dragoman.routing.types import Drop, Health, Plan
from dragoman.routing.verdicts import verdict
from dragoman.wire.preferences import MaxPrice, Preferences
from tests.routing.endpoints import (
    DRAWN_ONLY,
    ENDPOINTS,
    HEALTH,
    MINI,
    MODEL,
    PREFERENCES,
    asks,
    catalog,
    drops,
    endpoint,
    price,
    route,
    seen,
    tags,
    wishing,
)
from tests.routing.endpoints import ask as asking

CHEAP = endpoint("acme", price=price(1_000_000))
DEAR = endpoint("bolt", price=price(3_000_000))
OTHER = endpoint("core", model=MINI, price=price(2_000_000))


def test_the_first_model_is_tried_at_every_provider_before_the_second() -> None:
    for seed in range(5):
        the_plan = route(asking(MINI, MODEL), CHEAP, DEAR, OTHER, rng=Random(seed))
        assert [step.endpoint.model for step in the_plan.steps] == [MINI, MODEL, MODEL]
        assert the_plan.steps[0].target.asked == MINI


def test_without_a_partition_all_endpoints_compete_by_price() -> None:
    wants = asking(MINI, MODEL, partition="none")
    the_plan = route(wants, CHEAP, DEAR, OTHER)
    assert tags(the_plan) == ["acme", "core", "bolt"]
    assert {step.why for step in the_plan.steps} == {ranking.LOWEST_PRICE}
    alone = route(asking(MODEL, partition="none"), DEAR, CHEAP)
    assert [step.why for step in alone.steps] == [ranking.LOWEST_PRICE] * 2


def test_without_a_partition_a_sort_is_over_all_models() -> None:
    wants = asking(
        MODEL, MINI, partition="none", preferences=wishing(sort="throughput").preferences
    )
    health = {OTHER.id: seen(90), DEAR.id: seen(40)}
    assert tags(route(wants, CHEAP, DEAR, OTHER, health=health)) == ["core", "bolt", "acme"]


def test_without_a_partition_the_first_variant_sorts() -> None:
    targets = (
        Target(asked=f"{MINI}:nitro", model=MINI, sort="throughput"),
        Target(asked=MODEL, model=MODEL),
    )
    wants = asking(targets=targets, partition="none")
    assert tags(route(wants, CHEAP, OTHER, health={CHEAP.id: seen(50)})) == ["acme", "core"]


def test_without_fallbacks_one_endpoint_of_each_model_is_left() -> None:
    wants = wishing(MODEL, MINI, allow_fallbacks=False, sort="price")
    the_plan = route(wants, CHEAP, DEAR, OTHER)
    assert tags(the_plan) == ["acme", "core"]
    assert drops(the_plan) == {"bolt": "no_fallbacks"}
    assert the_plan.refusals[0].detail == (
        "provider.allow_fallbacks is false, and Acme comes first for acme/turbo"
    )


def test_without_fallbacks_every_named_provider_is_tried() -> None:
    wants = wishing(order=("bolt", "acme"), allow_fallbacks=False)
    the_plan = route(wants, CHEAP, DEAR, endpoint("core"))
    assert tags(the_plan) == ["bolt", "acme"]
    assert drops(the_plan) == {"core": "not_in_order"}


def test_what_is_passed_on_stands_beside_what_is_known() -> None:
    broker = endpoint("broker", price=None)
    stranger = endpoint("broker", model="acme/unheard", price=None)
    wants = asking(MODEL, "acme/unheard", passed={MODEL: (broker,), "acme/unheard": (stranger,)})
    the_plan = route(wants, CHEAP)
    assert [step.endpoint for step in the_plan.steps] == [CHEAP, broker, stranger]


def test_a_model_without_endpoints_gives_an_empty_plan() -> None:
    assert route(asking()) == Plan(strategy="direct", steps=(), refusals=())


def test_a_plan_keeps_the_strategy_of_its_request() -> None:
    assert route(asking(strategy="alias"), CHEAP).strategy == "alias"


def made(wants: Ask, endpoints: list[Endpoint], health: Health, seed: int = 7) -> Plan:
    return plan(wants, catalog(*endpoints), health, Random(seed))


def test_what_is_drawn_leaves_a_choice() -> None:
    """A law that is tried with plans of no step says nothing of steps."""
    drawn = st.builds(made, asks(), ENDPOINTS, HEALTH)
    found = find(drawn, lambda the_plan: len(the_plan.steps) > 1, settings=DRAWN_ONLY)
    assert len(found.steps) > 1


@given(asks(), ENDPOINTS, HEALTH)
def test_a_plan_never_tries_what_a_verdict_refuses(
    wants: Ask, endpoints: list[Endpoint], health: Any
) -> None:
    the_plan = made(wants, endpoints, health)
    for step in the_plan.steps:
        assert verdict(step.endpoint, wants, step.target) is None
    assert all(each.detail for each in the_plan.refusals)


@given(asks(), ENDPOINTS, HEALTH)
def test_every_endpoint_of_every_target_is_in_the_plan_once(
    wants: Ask, endpoints: list[Endpoint], health: Any
) -> None:
    the_plan = made(wants, endpoints, health)
    told = Counter(step.endpoint.id for step in the_plan.steps)
    told.update(refusal.endpoint.id for refusal in the_plan.refusals)
    asked = [target.model for target in wants.targets]
    assert told == Counter(each.id for model in asked for each in endpoints if each.model == model)


@given(asks(), ENDPOINTS, HEALTH, st.randoms(use_true_random=False))
def test_the_order_of_the_catalog_does_not_matter(
    wants: Ask, endpoints: list[Endpoint], health: Any, shuffler: Random
) -> None:
    wants = structs.replace(
        wants, preferences=structs.replace(wants.preferences, sort="price", allow_fallbacks=True)
    )
    shuffled = endpoints.copy()
    shuffler.shuffle(shuffled)
    one, other = made(wants, endpoints, health), made(wants, shuffled, health, seed=8)
    assert one.steps == other.steps
    assert Counter(map(repr, one.refusals)) == Counter(map(repr, other.refusals))


@given(asks(), ENDPOINTS, HEALTH)
def test_chance_decides_the_order_and_never_who_may_serve(
    wants: Ask, endpoints: list[Endpoint], health: Any
) -> None:
    wants = structs.replace(
        wants, preferences=structs.replace(wants.preferences, allow_fallbacks=True)
    )
    one, other = made(wants, endpoints, health), made(wants, endpoints, health, seed=8)
    assert {each.endpoint.id for each in one.steps} == {each.endpoint.id for each in other.steps}


def acceptable(wants: Ask, endpoints: list[Endpoint]) -> set[tuple[str, str]]:
    return {
        (target.asked, each.id)
        for target in wants.targets
        for each in endpoints
        if verdict(each, wants, target) is None
    }


def served(the_plan: Plan) -> set[str]:
    return {step.endpoint.id for step in the_plan.steps}


# A soft preference may let in others when its only supporter goes, and without fallbacks
# the next one becomes the primary: both are meant, so whole plans are compared without them.
FIRM = PREFERENCES.map(lambda wishes: structs.replace(wishes, allow_fallbacks=True))


@given(asks(FIRM), ENDPOINTS, st.sampled_from(["acme", "bolt", "bolt/fast", "core"]))
def test_ignoring_a_provider_only_removes(wants: Ask, endpoints: list[Endpoint], slug: str) -> None:
    wants = structs.replace(wants, parameters=frozenset({"seed"}))
    ignore = (*wants.preferences.ignore, slug)
    stricter = structs.replace(wants, preferences=structs.replace(wants.preferences, ignore=ignore))
    assert acceptable(stricter, endpoints) <= acceptable(wants, endpoints)
    assert served(made(stricter, endpoints, {})) <= served(made(wants, endpoints, {}))


@given(asks(FIRM), ENDPOINTS, st.integers(0, 4), st.integers(0, 4))
def test_tightening_max_price_only_removes(
    wants: Ask, endpoints: list[Endpoint], low: int, more: int
) -> None:
    def capped(usd: int) -> Ask:
        limit = MaxPrice(prompt=PicoUsd(usd * 1_000_000), completion=PicoUsd(usd * 1_000_000))
        preferences = structs.replace(wants.preferences, max_price=limit)
        return structs.replace(wants, preferences=preferences, parameters=frozenset())

    tight, loose = capped(low), capped(low + more)
    assert acceptable(tight, endpoints) <= acceptable(loose, endpoints)
    assert served(made(tight, endpoints, {})) <= served(made(loose, endpoints, {}))


@given(ENDPOINTS, HEALTH)
def test_what_is_well_is_tried_before_what_is_in_trouble(
    endpoints: list[Endpoint], health: Any
) -> None:
    the_plan = made(asking(), endpoints, health)
    troubled = [
        each.endpoint.id in health
        and (health[each.endpoint.id].outage or health[each.endpoint.id].cooling)
        for each in the_plan.steps
    ]
    assert troubled == sorted(troubled)


@pytest.mark.parametrize("wishes", [Preferences(), Preferences(max_price=MaxPrice())])
def test_no_wishes_leave_out_nothing(wishes: Preferences) -> None:
    wants = asking(preferences=wishes)
    assert verdict(endpoint(price=None), wants, wants.targets[0]) is None
    assert Drop.PRICE_UNKNOWN not in drops(route(wants, endpoint(price=None))).values()
