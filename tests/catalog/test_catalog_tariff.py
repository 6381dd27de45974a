"""Which price counts: by the length of the prompt, and by the time."""

import pytest

from dragoman.catalog.tariff import applicable, at
from dragoman.catalog.types import DatedPrice, Endpoint, Price, PriceTier
from dragoman.core.money import PicoUsd


def price(prompt: int, *tiers: PriceTier) -> Price:
    return Price(prompt=PicoUsd(prompt), completion=PicoUsd(8), cache_read=PicoUsd(1), tiers=tiers)


LONG = PriceTier(min_prompt_tokens=100, prompt=PicoUsd(5), completion=PicoUsd(9))
LONGER = PriceTier(min_prompt_tokens=200, prompt=PicoUsd(7))


@pytest.mark.parametrize(
    ("tokens", "prompt", "completion"),
    [(0, 2, 8), (100, 2, 8), (101, 5, 9), (200, 5, 9), (201, 7, 9), (10**9, 7, 9)],
)
def test_a_prompt_longer_than_a_tier_begins_is_at_its_prices(
    tokens: int, prompt: int, completion: int
) -> None:
    found = applicable(price(2, LONG, LONGER), tokens)
    assert (found.prompt, found.completion, found.cache_read) == (prompt, completion, 1)


def test_a_price_without_tiers_is_itself() -> None:
    plain = price(2)
    assert applicable(plain, 10**9) is plain


def endpoint(*upcoming: DatedPrice) -> Endpoint:
    return Endpoint(
        id="acme|acme/turbo",
        model="acme/turbo",
        provider="acme",
        provider_name="Acme",
        tag="acme",
        upstream="turbo",
        price=price(1),
        upcoming=upcoming,
    )


@pytest.mark.parametrize(
    ("now", "expected", "left"),
    [(0, price(1), 2), (99, price(1), 2), (100, price(2), 1), (199, price(2), 1), (200, None, 0)],
)
def test_a_dated_price_counts_from_its_second_on(
    now: int, expected: Price | None, left: int
) -> None:
    found = at(
        endpoint(DatedPrice(since=100, price=price(2)), DatedPrice(since=200, price=None)), now
    )
    assert (found.price, len(found.upcoming)) == (expected, left)
