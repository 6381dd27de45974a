"""Verdicts that are remembered: every plan is what it would be without them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.ask import Ask
from dragoman.catalog.types import Endpoint, PriceTier
from dragoman.core.money import PicoUsd
from dragoman.routing import pools
from dragoman.routing.plan import plan
from dragoman.routing.pools import Pools
from dragoman.routing.types import Health
from dragoman.routing.verdicts import rules
from tests.routing.endpoints import (
    ENDPOINTS,
    HEALTH,
    MODEL,
    TARGET,
    ask,
    asks,
    catalog,
    endpoint,
    wishing,
)
from tests.routing.endpoints import price as priced

SMALL = endpoint("acme", context=100, max_output=50)
LARGE = endpoint("bolt", context=10_000, max_output=5_000)


@given(st.lists(asks(), min_size=1, max_size=6), ENDPOINTS, HEALTH, st.integers(0, 9))
def test_plans_with_remembered_pools_are_those_without(
    wants: list[Ask], endpoints: list[Endpoint], health: Health, seed: int
) -> None:
    known, memory = catalog(*endpoints), Pools()
    for want in wants * 2:
        remembered = plan(want, known, health, Random(seed), pools=memory)
        assert remembered == plan(want, known, health, Random(seed))


def test_requests_that_ask_alike_share_a_pool() -> None:
    known, memory = catalog(SMALL, LARGE), Pools()
    first = memory.of(TARGET, ask(text_bytes=6), known)
    assert memory.of(TARGET, ask(text_bytes=60, max_tokens=7), known) is first
    assert memory.of(TARGET, ask(parameters=frozenset({"seed"})), known) is not first


def test_a_request_that_is_too_long_for_an_endpoint_is_looked_at_by_itself() -> None:
    known, memory = catalog(SMALL, LARGE), Pools()
    assert len(memory.of(TARGET, ask(), known).steps) == 2
    assert len(memory.of(TARGET, ask(text_bytes=6 * 50, max_tokens=50), known).steps) == 2
    for long in (
        ask(text_bytes=6 * 101),
        ask(max_tokens=51),
        ask(text_bytes=6 * 51, max_tokens=50),
    ):
        assert [step.endpoint for step in memory.of(TARGET, long, known).steps] == [LARGE]


def test_a_prompt_beyond_a_tier_is_priced_by_itself() -> None:
    tiers = tuple(PriceTier(min_prompt_tokens=least, prompt=PicoUsd(3)) for least in (10, 90))
    unknown = endpoint("bolt", price=None)
    known, memory = catalog(endpoint(price=priced(1, tiers=tiers)), unknown), Pools()
    assert memory.of(TARGET, ask(text_bytes=60), known).rates == (-16.0,)
    assert memory.of(TARGET, ask(text_bytes=66), known).rates == (-100.0,)


def test_a_new_catalog_begins_anew() -> None:
    memory = Pools()
    assert [s.endpoint for s in memory.of(TARGET, ask(), catalog(SMALL)).steps] == [SMALL]
    assert [s.endpoint for s in memory.of(TARGET, ask(), catalog(LARGE)).steps] == [LARGE]
    long = ask(max_tokens=51)
    assert [s.endpoint for s in memory.of(TARGET, long, catalog(LARGE)).steps] == [LARGE]
    assert memory.of(TARGET, ask(), catalog(SMALL)).steps
    assert not memory.of(TARGET, long, catalog(SMALL)).steps


def test_memory_is_bounded() -> None:
    known, memory = catalog(SMALL), Pools()
    for number in range(pools.MOST_REMEMBERED + 10):
        memory.of(TARGET, ask(parameters=frozenset({str(number)})), known)
    assert len(memory._pools) <= pools.MOST_REMEMBERED


@pytest.mark.parametrize("wish", ["order", "only", "ignore"])
def test_pools_of_requests_that_name_many_providers_take_no_memory(wish: str) -> None:
    known, memory = catalog(SMALL, LARGE), Pools()
    many = tuple(f"acme/{number:0100}" for number in range(3))
    wants = wishing(**{wish: ("acme", *many)})
    assert memory.of(TARGET, wants, known) == pools.pool_of(TARGET, wants, known, rules(wants))
    assert not memory._pools
    few = wishing(**{wish: ("acme", "bolt")})
    assert memory.of(TARGET, few, known) is memory.of(TARGET, few, known)


def test_what_is_passed_on_is_not_remembered() -> None:
    known, memory = catalog(SMALL), Pools()
    passed = ask(passed={MODEL: (LARGE,)})
    assert len(memory.of(TARGET, passed, known).steps) == 2
    assert len(memory.of(TARGET, ask(), known).steps) == 1
