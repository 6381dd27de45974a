"""In what order endpoints are tried."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from msgspec import structs

from dragoman.catalog.ask import Target
from dragoman.catalog.types import PriceTier
from dragoman.core.money import PicoUsd
from dragoman.routing import pools, ranking
from dragoman.routing.plan import plan
from dragoman.routing.types import Percentiles, Seen
from tests.routing.endpoints import (
    MODEL,
    ask,
    catalog,
    endpoint,
    price,
    route,
    seen,
    tags,
    wishing,
)

CHEAP = endpoint("acme", price=price(1_000_000))
MIDDLE = endpoint("bolt", price=price(2_000_000))
DEAR = endpoint("core", price=price(3_000_000))
UNKNOWN = endpoint("dune", price=None)


def health(**seen_of: Seen) -> dict[str, Seen]:
    return {f"{slug}|{MODEL}": each for slug, each in seen_of.items()}


def firsts(*endpoints: Any, times: int = 10_000, **wishes: Any) -> Counter[str]:
    rng, wants = Random(7), wishing(**wishes)
    return Counter(tags(route(wants, *endpoints, rng=rng))[0] for _ in range(times))


def test_a_provider_three_times_the_price_gets_a_ninth_of_the_traffic() -> None:
    first = firsts(CHEAP, DEAR)
    assert first["acme"] / first["core"] == pytest.approx(9, rel=0.1)


def test_the_lottery_orders_the_fallbacks_too() -> None:
    rng = Random(7)
    orders = Counter(tuple(tags(route(ask(), CHEAP, MIDDLE, DEAR, rng=rng))) for _ in range(5_000))
    assert len(orders) == 6
    assert orders.most_common(1)[0][0] == ("acme", "bolt", "core")


def test_who_follows_the_first_has_the_same_odds_among_the_others() -> None:
    rng = Random(7)
    orders = Counter(tuple(tags(route(ask(), CHEAP, MIDDLE, DEAR, rng=rng))) for _ in range(20_000))
    after_cheap = orders["acme", "bolt", "core"] / orders["acme", "core", "bolt"]
    assert after_cheap == pytest.approx(9 / 4, rel=0.1)


def test_trouble_that_comes_up_after_the_first_step_was_drawn_is_seen() -> None:
    seen_of: dict[str, Seen] = {}
    wants = ask()
    the_plan = plan(wants, catalog(CHEAP, MIDDLE, DEAR, UNKNOWN), seen_of, Random(7))
    first = the_plan.steps[0]
    second = next(each for each in (CHEAP, MIDDLE, DEAR) if each is not first.endpoint)
    seen_of[second.id] = Seen(cooling=True)
    seen_of[first.endpoint.id] = Seen(outage=True)
    assert len(the_plan.steps) == 4
    assert the_plan.steps[0] is first
    assert the_plan.steps[-1].endpoint is second
    assert the_plan.steps[1:] == the_plan.steps[-3:]


def test_a_price_is_three_prompt_tokens_and_one_completion_token() -> None:
    assert pools.blended_price(endpoint(price=price(2, 10))) == 16
    assert pools.blended_price(endpoint(price=None)) is None
    assert pools.blended_price(endpoint(price=price(0))) is None
    assert pools.blended_price(endpoint(price=price(0), free=True)) == 0


def test_endpoints_compete_at_the_price_of_the_prompt_they_are_for() -> None:
    tier = PriceTier(min_prompt_tokens=100, prompt=PicoUsd(9_000_000))
    tiered = endpoint("acme", price=price(1_000_000, tiers=(tier,)))
    short = ask(preferences=wishing(sort="price").preferences)
    long = structs.replace(short, text_bytes=6 * 101)
    assert tags(route(short, tiered, MIDDLE)) == ["acme", "bolt"]
    assert tags(route(long, tiered, MIDDLE)) == ["bolt", "acme"]
    assert pools.blended_price(tiered, 101) == 28_000_000
    rng = Random(7)
    wants = ask(text_bytes=6 * 101)
    first = Counter(tags(route(wants, tiered, MIDDLE, rng=rng))[0] for _ in range(2_000))
    assert first["bolt"] > 9 * first["acme"]


def test_an_unknown_price_is_never_first() -> None:
    zero = endpoint("echo", price=price(0))
    first = firsts(UNKNOWN, zero, DEAR, times=500)
    assert first == {"core": 500}


def test_unknown_prices_share_the_end_among_themselves() -> None:
    assert set(firsts(UNKNOWN, endpoint("echo", price=None), times=200)) == {"dune", "echo"}


def test_free_tiers_all_weigh_the_same() -> None:
    rng = Random(7)
    free = [endpoint(slug, price=price(0), free=True) for slug in ("acme", "bolt")]
    wants = ask(f"{MODEL}:free")
    first = Counter(tags(route(wants, *free, rng=rng))[0] for _ in range(4_000))
    assert first["acme"] / first["bolt"] == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("price", ["acme", "bolt", "core", "dune"]),
        ("throughput", ["core", "bolt", "acme", "dune"]),
        ("latency", ["bolt", "core", "acme", "dune"]),
    ],
)
def test_a_sort_is_an_order_without_chance(by: str, expected: list[str]) -> None:
    seen_of = health(bolt=seen(20, latency=0.5), core=seen(80, latency=2.0))
    for seed in range(5):
        plan = route(
            wishing(sort=by), UNKNOWN, DEAR, MIDDLE, CHEAP, health=seen_of, rng=Random(seed)
        )
        assert tags(plan) == expected


def test_equal_endpoints_are_sorted_by_their_id() -> None:
    same = [endpoint(slug) for slug in ("core", "acme", "bolt")]
    assert tags(route(wishing(sort="price"), *same)) == ["acme", "bolt", "core"]


def test_a_step_says_why_it_stands_where_it_stands() -> None:
    seen_of = health(acme=seen(10), bolt=seen(outage=True), core=seen(cooling=True))
    plan = route(wishing(sort="throughput"), CHEAP, MIDDLE, DEAR, UNKNOWN, health=seen_of)
    assert [(step.endpoint.tag, step.why) for step in plan.steps] == [
        ("acme", ranking.HIGHEST_THROUGHPUT),
        ("dune", ranking.NOT_MEASURED),
        ("bolt", ranking.OUTAGE),
        ("core", ranking.COOLING),
    ]
    assert [step.why for step in route(ask(), CHEAP, UNKNOWN).steps] == [
        pools.LOTTERY,
        pools.PRICE_UNKNOWN,
    ]
    assert [step.why for step in route(wishing(sort="price"), CHEAP, UNKNOWN).steps] == [
        ranking.LOWEST_PRICE,
        pools.PRICE_UNKNOWN,
    ]


def test_exacto_tries_what_supports_tools_first() -> None:
    able = endpoint("dune", price=price(9_000_000), supports=frozenset({"tools"}))
    plan = route(wishing(sort="exacto"), CHEAP, able)
    assert tags(plan) == ["dune", "acme"]
    assert plan.steps[0].why == ranking.TOOLS_FIRST


@pytest.mark.parametrize(
    ("sort", "expected"), [("throughput", ["core", "acme"]), ("price", ["acme", "core"])]
)
def test_a_variant_sorts_its_model_whatever_the_preferences_say(
    sort: Any, expected: list[str]
) -> None:
    target = Target(asked=f"{MODEL}:variant", model=MODEL, sort=sort)
    wants = ask(targets=(target,), preferences=wishing(sort="latency").preferences)
    seen_of = health(core=seen(80, latency=9), acme=seen(20, latency=8))
    assert tags(route(wants, CHEAP, DEAR, health=seen_of)) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("core",), ["core", "acme", "bolt"]),
        (("core", "bolt"), ["core", "bolt", "acme"]),
        (("echo", "bolt"), ["bolt", "acme", "core"]),
        (("bolt", "bolt"), ["bolt", "acme", "core"]),
    ],
)
def test_the_named_come_first_in_their_order(order: tuple[str, ...], expected: list[str]) -> None:
    plan = route(wishing(order=order, sort="price"), CHEAP, MIDDLE, DEAR)
    assert tags(plan) == expected
    assert plan.steps[0].why == ranking.IN_ORDER
    assert plan.steps[-1].why == ranking.LOWEST_PRICE


def test_a_base_slug_in_order_means_all_its_endpoints_a_tag_means_one() -> None:
    fast, slow = (
        endpoint("bolt/fast", price=price(9_000_000)),
        endpoint("bolt", price=price(8_000_000)),
    )
    by_price = {"sort": "price"}
    assert tags(route(wishing(order=("bolt",), **by_price), CHEAP, fast, slow)) == [
        "bolt", "bolt/fast", "acme",
    ]  # fmt: skip
    assert tags(route(wishing(order=("bolt/fast",), **by_price), CHEAP, fast, slow)) == [
        "bolt/fast", "acme", "bolt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"min_throughput": (("p50", 50.0),)}, ["core", "dune", "acme", "bolt"]),
        ({"max_latency": (("p90", 1.0),)}, ["bolt", "dune", "acme", "core"]),
        ({"max_latency": (("p50", 1.0), ("p99", 0.4))}, ["dune", "acme", "bolt", "core"]),
        (
            {"min_throughput": (("p50", 20.0),), "max_latency": (("p50", 3.0),)},
            ["bolt", "core", "dune", "acme"],
        ),
    ],
)
def test_what_misses_the_preferred_speed_goes_back_after_what_was_not_measured(
    wishes: dict[str, Any], expected: list[str]
) -> None:
    seen_of = health(
        acme=seen(10, latency=3.0), bolt=seen(20, latency=0.5), core=seen(80, latency=2.0)
    )
    plan = route(
        wishing(sort="price", **wishes), CHEAP, MIDDLE, DEAR, endpoint("dune"), health=seen_of
    )
    assert sorted(tags(plan)) == sorted(expected)
    met = [step.endpoint.tag for step in plan.steps if step.why != ranking.TOO_SLOW]
    assert tags(plan)[: len(met)] == met
    assert tags(plan) == expected


def test_each_percentile_is_looked_at() -> None:
    slow_tail = Seen(latency_s=Percentiles(p50=0.1, p75=0.2, p90=0.3, p99=5.0))
    seen_of = health(acme=slow_tail, core=seen(latency=1.0))
    wants = wishing(sort="price", max_latency=(("p99", 1.0),))
    assert tags(route(wants, CHEAP, DEAR, health=seen_of)) == ["core", "acme"]


@pytest.mark.parametrize("wishes", [{}, {"sort": "price"}])
@pytest.mark.parametrize(
    ("wish", "measured"),
    [
        ({"min_throughput": (("p50", 20.0),)}, seen(80)),
        ({"max_latency": (("p50", 1.0),)}, seen(latency=0.5)),
    ],
)
def test_only_the_speed_that_is_wished_has_to_be_known_however_they_are_ordered(
    wish: dict[str, Any], measured: Seen, wishes: dict[str, Any]
) -> None:
    for seed in range(20):
        plan = route(
            wishing(**wish, **wishes), CHEAP, DEAR, health=health(core=measured), rng=Random(seed)
        )
        assert tags(plan) == ["core", "acme"]


@pytest.mark.parametrize("trouble", [Seen(outage=True), Seen(cooling=True)])
@pytest.mark.parametrize("wishes", [{}, {"sort": "price"}, {"order": ("bolt",)}])
def test_what_is_in_trouble_is_tried_last(trouble: Seen, wishes: dict[str, Any]) -> None:
    plan = route(wishing(**wishes), CHEAP, MIDDLE, UNKNOWN, health=health(acme=trouble))
    assert tags(plan) == ["bolt", "dune", "acme"]


def test_a_provider_in_outage_keeps_the_place_its_caller_gave_it_unless_it_refuses_everybody() -> (
    None
):
    wants = wishing(order=("acme",))
    outage, cooling = health(acme=Seen(outage=True)), health(acme=Seen(outage=True, cooling=True))
    assert tags(route(wants, CHEAP, MIDDLE, health=outage)) == ["acme", "bolt"]
    assert tags(route(wants, CHEAP, MIDDLE, health=cooling)) == ["bolt", "acme"]


def test_trouble_does_not_bring_a_fallback_model_forward() -> None:
    mini = endpoint("bolt", model="acme/mini")
    wants = ask(MODEL, "acme/mini")
    plan = route(wants, CHEAP, mini, health=health(acme=Seen(outage=True)))
    assert [step.endpoint.model for step in plan.steps] == [MODEL, "acme/mini"]
