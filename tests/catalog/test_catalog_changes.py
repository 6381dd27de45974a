"""A price that moved too far waits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.changes import Hold, comparable, held
from dragoman.catalog.types import DatedPrice, Endpoint, Price, PriceTier
from dragoman.core.money import PicoUsd

KEY = ("acme", "one-v1")
AMOUNTS = st.integers(1, 10**9).map(PicoUsd)


def price(prompt: int = 100, completion: int = 400, **more: Any) -> Price:
    return Price(prompt=PicoUsd(prompt), completion=PicoUsd(completion), **more)


def endpoint(price: Price | None, **more: Any) -> Endpoint:
    return Endpoint(
        id="acme|a/one",
        model="a/one",
        provider="acme",
        provider_name="Acme",
        tag="acme",
        upstream="one-v1",
        price=price,
        **more,
    )


def hold(was: Endpoint, asks: Endpoint) -> Hold | None:
    return next(iter(held({KEY: was}, [asks])), None)


def tier(above: int, prompt: int) -> PriceTier:
    return PriceTier(min_prompt_tokens=above, prompt=PicoUsd(prompt))


@pytest.mark.parametrize(
    ("was", "asks", "expected"),
    [
        (price(), price(), None),
        (price(), price(500, 80), None),
        (price(), price(501), (5.0, "prompt", 0)),
        (price(), price(19), (5.3, "prompt", 0)),
        (price(), price(1000, 40_000), (100.0, "completion", 0)),
        (price(), price(0), (1_000_000.0, "prompt", 0)),
        (price(), None, None),
        (None, price(), None),
        (price(), price(cache_read=PicoUsd(10)), (10.0, "cache_read", 0)),
        (price(cache_read=PicoUsd(10)), price(), (10.0, "cache_read", 0)),
        (price(cache_read=PicoUsd(50)), price(cache_read=PicoUsd(25)), None),
        (price(), price(reasoning=PicoUsd(40)), (10.0, "reasoning", 0)),
        (price(), price(image=PicoUsd(10)), None),
        (price(image=PicoUsd(10)), price(image=PicoUsd(100)), (10.0, "image", 0)),
        (price(), price(tiers=(tier(9, 200),)), None),
        (price(), price(tiers=(tier(9, 700),)), (7.0, "prompt", 9)),
        (price(tiers=(tier(9, 700),)), price(), (7.0, "prompt", 9)),
        (price(tiers=(tier(9, 700),)), price(tiers=(tier(8, 700),)), (7.0, "prompt", 8)),
    ],
)
def test_a_price_waits_that_is_over_five_times_as_high_or_low(
    was: Price | None, asks: Price | None, expected: tuple[float, str, int] | None
) -> None:
    found = hold(endpoint(was), endpoint(asks))
    assert expected == (found and (found.times, found.unit, found.above))


def test_a_hold_knows_both_prices_and_whose_they_are() -> None:
    found = hold(endpoint(price()), endpoint(price(1000)))
    assert found is not None
    assert (found.key, found.model, found.was, found.asks) == (KEY, "a/one", price(), price(1000))
    assert found.amounts == (100, 1000)


def test_the_amounts_are_those_of_the_length_at_which_they_moved() -> None:
    found = hold(endpoint(price()), endpoint(price(tiers=(tier(9, 700),))))
    assert found is not None
    assert found.amounts == (100, 700)


def test_a_unit_that_begins_to_cost_is_told_as_such() -> None:
    found = hold(endpoint(price(), free=True), endpoint(price(0, 0), free=True))
    assert found is not None
    assert (found.free, found.amounts) == (True, (100, 0))


def test_a_price_that_was_announced_does_not_wait() -> None:
    announced = (DatedPrice(since=9, price=None), DatedPrice(since=99, price=price(1000)))
    assert hold(endpoint(price(), upcoming=announced), endpoint(price(1000))) is None
    assert hold(endpoint(price(), upcoming=announced), endpoint(price(9000))) is not None


def test_a_price_that_is_announced_waits_as_well() -> None:
    later = (DatedPrice(since=9, price=None), DatedPrice(since=99, price=price(1000)))
    found = hold(endpoint(price()), endpoint(price(), upcoming=later))
    assert found is not None
    assert found.asks == price(1000)


def test_only_an_endpoint_that_was_there_can_wait() -> None:
    assert held({}, [endpoint(price())]) == ()


def test_what_has_a_price_before_and_after_can_be_compared() -> None:
    before = {KEY: endpoint(price())}
    assert comparable(before, [endpoint(price()), endpoint(None)]) == 1
    assert comparable({}, [endpoint(price())]) == 0


@given(AMOUNTS, AMOUNTS)
def test_up_or_down_is_the_same_distance(one: PicoUsd, other: PicoUsd) -> None:
    up, down = endpoint(price(one)), endpoint(price(other))
    there, back = hold(up, down), hold(down, up)
    assert (there and there.times) == (back and back.times)
    assert (there is None) == (max(one, other) <= 5 * min(one, other))
