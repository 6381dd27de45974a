"""Which price counts: by the length of the prompt, and by the time."""

import pytest
from msgspec.structs import replace

from dragoman.catalog import shipped
from dragoman.catalog.tariff import applicable, at, completed
from dragoman.catalog.types import Billing, DatedPrice, Endpoint, Price, PriceTier, Rate
from dragoman.core.money import PicoUsd
from dragoman.ledger.cost import rate_ppm


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


BARE = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(3_000_000))
CACHED = Billing(cache_read=0.1, cache_write=1.25, cache_write_1h=2)


def test_a_host_may_bill_its_cache_by_the_price_of_the_prompt() -> None:
    long = PriceTier(min_prompt_tokens=9, prompt=PicoUsd(2_000_000), cache_write=PicoUsd(7))
    unpriced = PriceTier(min_prompt_tokens=99, completion=PicoUsd(1))
    found = completed(replace(BARE, tiers=(long, unpriced)), CACHED, "m")
    assert found is not None
    assert (found.cache_read, found.cache_write, found.cache_write_1h) == (
        100_000,
        1_250_000,
        2_000_000,
    )
    assert found.tiers == (
        replace(long, cache_read=PicoUsd(200_000), cache_write_1h=PicoUsd(4_000_000)),
        unpriced,
    )


def test_what_a_price_says_itself_stands() -> None:
    own = replace(BARE, cache_read=PicoUsd(5), cache_write=PicoUsd(6), cache_write_1h=PicoUsd(7))
    assert completed(own, CACHED, "m") == own
    assert completed(None, CACHED, "m") is None


def test_what_writes_nothing_keeps_no_cache() -> None:
    vectors = replace(BARE, completion=PicoUsd(0))
    assert completed(vectors, CACHED, "m") == vectors


def test_of_the_patterns_for_a_model_the_last_counts() -> None:
    billing = Billing(
        rates={"flex": 0.5, "priority": 2},
        rates_of={"a*": {"priority": 3}, "ab*": {"priority": 4, "batch": 0.25}},
    )
    priced = {
        name: found.rates
        for name in ("b", "a", "ab-1")
        if (found := completed(BARE, billing, name)) is not None
    }
    assert priced == {
        "b": (Rate("flex", 500_000), Rate("priority", 2_000_000)),
        "a": (Rate("flex", 500_000), Rate("priority", 3_000_000)),
        "ab-1": (Rate("batch", 250_000), Rate("flex", 500_000), Rate("priority", 4_000_000)),
    }


@pytest.mark.parametrize(
    ("upstream", "prompt", "completion"),
    [
        ("gpt-5.5", 12.5, 75),
        ("gpt-5.4-mini", 1.5, 9),
        ("gpt-5.4", 5, 30),
        ("gpt-5.2", 3.5, 28),
        ("gpt-5.1", 2.5, 20),
        ("gpt-5.1-codex", 2.5, 20),
        ("gpt-5", 2.5, 20),
        ("gpt-5-codex", 2.5, 20),
        ("gpt-5-mini", 0.45, 3.6),
        ("gpt-4.1", 3.5, 14),
        ("gpt-4.1-mini", 0.7, 2.8),
        ("gpt-4.1-nano", 0.2, 0.8),
        ("gpt-4o", 4.25, 17),
        ("gpt-4o-2024-11-20", 4.25, 17),
        ("gpt-4o-2024-05-13", 8.75, 26.25),
        ("gpt-4o-mini", 0.25, 1),
        ("o3", 3.5, 14),
        ("o4-mini", 2, 8),
    ],
)
def test_what_openai_asks_for_its_fast_tier(
    upstream: str, prompt: float, completion: float
) -> None:
    """In USD per million, as openai.com/api-fast-mode had them in 2026; 20/11 ends nowhere."""
    known = shipped.load()
    (listed,) = (
        each.price
        for model in known.models
        for each in model.endpoints
        if (each.provider, each.upstream) == ("openai", upstream)
    )
    price = completed(listed, known.providers["openai"].billing, upstream)
    assert price is not None
    ppm = rate_ppm(price, "priority")
    fast = [round(each * ppm / 1_000_000) for each in (price.prompt, price.completion)]
    assert fast == pytest.approx([prompt * 1_000_000, completion * 1_000_000], abs=1)
