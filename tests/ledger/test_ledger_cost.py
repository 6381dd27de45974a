"""What a generation costs: exact, in integers, rounded up once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.catalog.types import Endpoint, Price, PriceTier, Rate
from dragoman.core.money import PicoUsd, price
from dragoman.ledger.bound import Size, most
from dragoman.ledger.cost import cost_of
from dragoman.wire.usage import Usage

MINI = Price(
    prompt=price("0.00000015"),
    completion=price("0.0000006"),
    cache_read=price("0.000000075"),
)


TIERED = Price(
    prompt=PicoUsd(1000),
    completion=PicoUsd(1000),
    cache_read=PicoUsd(100),
    tiers=(
        PriceTier(min_prompt_tokens=1000, prompt=PicoUsd(2000), completion=PicoUsd(3000)),
        PriceTier(min_prompt_tokens=2000, completion=PicoUsd(4000)),
    ),
)
SPOKEN = Price(
    prompt=PicoUsd(1000),
    completion=PicoUsd(0),
    audio=PicoUsd(10_000),
    audio_output=PicoUsd(20_000),
)


@pytest.mark.parametrize(
    ("usage", "prices", "nanos"),
    [
        (Usage(prompt=1000, completion=500), MINI, 450_000),
        (Usage(prompt=1000, completion=500, cached=1000), MINI, 375_000),
        (Usage(prompt=1000, completion=500, cached=5000), MINI, 375_000),
        (Usage(prompt=1, completion=0), MINI, 150),
        (Usage(prompt=1), Price(prompt=PicoUsd(1), completion=PicoUsd(0)), 1),
        (Usage(prompt=1001), Price(prompt=PicoUsd(1), completion=PicoUsd(0)), 2),
        (Usage(completion=10, reasoning=4), MINI, 6_000),
        (
            Usage(completion=10, reasoning=4),
            Price(prompt=PicoUsd(0), completion=PicoUsd(1000), reasoning=PicoUsd(3000)),
            18,
        ),
        (
            Usage(prompt=10, cached=4, cache_write=5),
            Price(
                prompt=PicoUsd(1000),
                completion=PicoUsd(0),
                cache_read=PicoUsd(100),
                cache_write=PicoUsd(2000),
            ),
            12,
        ),
        (Usage(), Price(prompt=PicoUsd(1), completion=PicoUsd(1), request=PicoUsd(5000)), 5),
        (Usage(prompt=1000, completion=10), TIERED, 1_010),
        (Usage(prompt=1001, completion=10), TIERED, 2_002 + 30),
        (Usage(prompt=1001, cached=1001), TIERED, 101),
        (Usage(prompt=3000, completion=10), TIERED, 6_000 + 40),
        (Usage(prompt=10, prompt_audio=4, completion=10, completion_audio=5), SPOKEN, 146),
        (Usage(prompt=10, prompt_audio=50, completion=1, completion_audio=9), SPOKEN, 120),
        (Usage(prompt=10, prompt_audio=10, completion=10, completion_audio=10), TIERED, 20),
    ],
)
def test_cost_of_usage_at_a_price(usage: Usage, prices: Price, nanos: int) -> None:
    cost = cost_of(usage, prices)
    assert cost is not None
    assert cost.total == nanos


def test_an_unknown_price_makes_an_unknown_cost() -> None:
    assert cost_of(Usage(prompt=5), None) is None


@pytest.mark.parametrize("known", [MINI, None])
def test_what_the_provider_says_it_charged_wins_over_the_price_list(known: Price | None) -> None:
    cost = cost_of(Usage(prompt=5, cost_usd=0.0133176), known)
    assert cost is not None
    assert cost.total == 13_317_600


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_cost_is_never_negative_and_never_below_the_exact_sum(
    prompt: int, completion: int, cached: int, reasoning: int
) -> None:
    usage = Usage(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning)
    cost = cost_of(usage, MINI)
    assert cost is not None
    read = min(cached, prompt)
    exact = (prompt - read) * 150_000 + read * 75_000 + completion * 600_000
    assert 0 <= cost.total * 1000 - exact < 1000
    assert cost.total <= cost.prompt + cost.completion <= cost.total + 1


amounts = st.integers(0, 10**8).map(PicoUsd)
maybe = st.none() | amounts
PRICES = st.builds(
    Price,
    prompt=amounts,
    completion=amounts,
    cache_read=maybe,
    cache_write=maybe,
    cache_write_1h=maybe,
    reasoning=maybe,
    request=maybe,
    audio=maybe,
    audio_output=maybe,
    image_output=maybe,
    search=maybe,
    tiers=st.lists(
        st.builds(
            PriceTier,
            min_prompt_tokens=st.integers(0, 5000),
            prompt=maybe,
            completion=maybe,
            cache_read=maybe,
            cache_write=maybe,
            cache_write_1h=maybe,
        ),
        max_size=2,
        unique_by=lambda tier: tier.min_prompt_tokens,
    ).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.min_prompt_tokens))),
    rates=st.sampled_from([(), (Rate("flex", 500_000), Rate("priority", 2_500_001))]),
)
tokens = st.integers(0, 10_000)
USAGES = st.builds(
    Usage,
    prompt=tokens,
    completion=tokens,
    reasoning=tokens,
    cached=tokens,
    cache_write=tokens,
    cache_write_1h=tokens,
    prompt_audio=tokens,
    completion_audio=tokens,
    completion_image=tokens,
    searches=st.integers(0, 50),
)
TIERS_OF_SERVICE = st.sampled_from([None, "default", "flex", "priority"])


@given(USAGES, PRICES, TIERS_OF_SERVICE)
def test_usage_within_the_bound_never_costs_more_than_the_bound(
    usage: Usage, prices: Price, tier: str | None
) -> None:
    size = Size(
        body_bytes=usage.prompt,
        output_tokens=usage.completion,
        searches=usage.searches,
        service_tier=tier,
    )
    endpoint = Endpoint(
        id="e", model="a/m", provider="p", provider_name="P", tag="p", upstream="m", price=prices
    )
    cost, bound = cost_of(usage, prices, tier), most(size, [(endpoint, "openai")])
    assert cost is not None
    assert bound is not None
    assert 0 <= cost.total <= bound
    assert cost.total <= cost.prompt + cost.completion + cost.search <= cost.total + 2


@given(USAGES, PRICES, st.sampled_from(["prompt", "completion", "searches"]))
def test_more_of_anything_never_costs_less(usage: Usage, prices: Price, which: str) -> None:
    flat = structs.replace(prices, tiers=())
    more = structs.replace(usage, **{which: getattr(usage, which) + 7})
    less, dearer = cost_of(usage, flat), cost_of(more, flat)
    assert less is not None
    assert dearer is not None
    assert less.total <= dearer.total


@given(USAGES, PRICES, TIERS_OF_SERVICE)
def test_a_cost_is_rounded_once_over_the_exact_sum(
    usage: Usage, prices: Price, tier: str | None
) -> None:
    """Twice the tokens and fees cost twice as much, but for the one rounding."""
    flat = structs.replace(prices, tiers=())
    twice = structs.replace(
        flat,
        **{
            name: 2 * amount for name, amount in structs.asdict(flat).items() if type(amount) is int
        },
    )
    once, double = cost_of(usage, flat, tier), cost_of(usage, twice, tier)
    assert once is not None
    assert double is not None
    assert 2 * once.total - 1 <= double.total <= 2 * once.total
