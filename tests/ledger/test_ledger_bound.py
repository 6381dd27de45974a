"""The most a request can cost: a table of rules, and a law that it is never less than the cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.catalog.types import Endpoint, Price, PriceTier, Rate
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.ledger import bound
from dragoman.ledger.bound import Size
from dragoman.ledger.cost import cost_of
from dragoman.wire.usage import Usage

MICRO = PicoUsd(1_000_000)
"""A dollar per million tokens: 1,000 nano-USD a token."""
PLAIN = Price(prompt=MICRO, completion=PicoUsd(2 * MICRO))
TEXT = Size(body_bytes=976, output_tokens=100)
"""With the overhead of `openai`: 2,000 tokens."""


def endpoint(
    price: Price | None = PLAIN, context: int | None = None, max_output: int | None = None
) -> Endpoint:
    return Endpoint(
        id="h|m",
        model="m",
        provider="h",
        provider_name="H",
        tag="h",
        upstream="m",
        price=price,
        context=context,
        max_output=max_output,
    )


def priced(**units: int) -> Price:
    return replace(PLAIN, **{unit: PicoUsd(value) for unit, value in units.items()})


@pytest.mark.parametrize(
    ("size", "at", "nanos"),
    [
        (TEXT, endpoint(), 2_000_000 + 200_000),
        (TEXT, endpoint(context=1500), 1_500_000 + 200_000),
        (TEXT, endpoint(max_output=10), 2_000_000 + 20_000),
        (Size(body_bytes=976, output_tokens=100, choices=3), endpoint(), 2_000_000 + 600_000),
        (Size(body_bytes=976), endpoint(), 2_000_000 + 8_192_000),
        (TEXT, endpoint(priced(request=5_000)), 2_200_005),
        (TEXT, endpoint(priced(cache_write=3 * MICRO)), 6_200_000),
        (TEXT, endpoint(priced(cache_write_1h=4 * MICRO)), 8_200_000),
        (TEXT, endpoint(priced(cache_read=MICRO // 10)), 2_200_000),
        (TEXT, endpoint(priced(audio=2 * MICRO)), 4_200_000),
        (TEXT, endpoint(priced(reasoning=5 * MICRO)), 2_500_000),
        (TEXT, endpoint(priced(audio_output=9 * MICRO)), 2_900_000),
        (
            Size(body_bytes=976, output_tokens=0, images=2),
            endpoint(priced(image=7_000)),
            (2_000 + 2 * 48_169) * 1000 + 14,
        ),
        (
            Size(body_bytes=976, output_tokens=0, images=1, unsized=2),
            endpoint(priced(image=7_000), context=5000),
            5_000_000 + 21,
        ),
        (replace(TEXT, searches=3), endpoint(priced(search=10_000_000)), 2_230_000),
        (
            replace(TEXT, service_tier="priority"),
            endpoint(replace(priced(prompt=1, completion=1), rates=(Rate("priority", 2_500_000),))),
            7,
        ),
        (Size(body_bytes=976, output_tokens=0, audio_bytes=31), endpoint(), 2_003_000),
        (Size(body_bytes=976, output_tokens=0, unsized=1), endpoint(context=5000), 5_000_000),
        (Size(body_bytes=976, output_tokens=0, unsized=1), endpoint(), (2_000 + 2**20) * 1000),
    ],
)
def test_the_most_a_request_can_cost(size: Size, at: Endpoint, nanos: int) -> None:
    assert bound.most(size, [(at, "openai")]) == nanos


@pytest.mark.parametrize(
    ("tier", "nanos"),
    [
        (None, 2_200_000),
        ("auto", 2_200_000),
        ("flex", 2_200_000),
        ("priority", 5_500_000),
        ("fast", 5_500_000),
        ("scale", 2_200_000),
        ("", 2_200_000),
    ],
)
def test_a_dearer_tier_is_held_for_who_asks_for_it(tier: str | None, nanos: int) -> None:
    rates = (Rate("flex", 500_000), Rate("priority", 2_500_000))
    size = replace(TEXT, service_tier=tier)
    assert bound.most(size, [(endpoint(replace(PLAIN, rates=rates)), "openai")]) == nanos
    assert bound.most(size, [(endpoint(), "openai")]) == 2_200_000


def test_the_dearest_endpoint_decides() -> None:
    dear, cheap = endpoint(priced(prompt=3 * MICRO)), endpoint()
    assert bound.most(TEXT, [(cheap, "openai"), (dear, "openai")]) == 6_200_000
    assert bound.most(TEXT, []) == 0


def test_a_dialect_that_is_not_listed_has_the_largest_overhead() -> None:
    assert bound.most(TEXT, [(endpoint(), "other")]) == (976 + 4096) * 1000 + 200_000


def test_an_unknown_price_bounds_nothing() -> None:
    assert bound.most(TEXT, [(endpoint(), "openai"), (endpoint(None), "openai")]) is None


@pytest.mark.parametrize(("context", "prompt_usd_per_m"), [(None, 3), (1000, 3), (999, 1)])
def test_a_tier_counts_where_the_prompt_may_be_so_long(
    context: int | None, prompt_usd_per_m: int
) -> None:
    tier = PriceTier(min_prompt_tokens=998, prompt=PicoUsd(3 * MICRO), completion=None)
    late = PriceTier(min_prompt_tokens=999, completion=PicoUsd(9 * MICRO))
    price = Price(prompt=MICRO, completion=MICRO, tiers=(tier,) if context != 999 else (late,))
    size = Size(body_bytes=976, output_tokens=0)
    tokens = context or 2000
    assert bound.most(size, [(endpoint(price, context), "openai")]) == (
        tokens * prompt_usd_per_m * 1000
    )


@pytest.mark.parametrize(
    ("cost", "ppm", "total"),
    [(100, 0, 100), (1_000_000, 55_000, 1_055_000), (1, 1, 2), (0, 55_000, 0)],
)
def test_a_fee_is_rounded_up(cost: int, ppm: int, total: int) -> None:
    assert bound.with_fee(NanoUsd(cost), ppm) == total


def test_the_bound_has_the_fee_in_it() -> None:
    assert bound.most(TEXT, [(endpoint(), "openai")], fee_ppm=100_000) == 2_420_000


@pytest.mark.parametrize(
    ("price", "money", "tokens"),
    [
        (PLAIN, 2_200_000, 100),
        (PLAIN, 2_200_999, 100),
        (PLAIN, 2_000_000, 0),
        (PLAIN, 1_999_999, -1),
        (priced(completion=0), 2_000_000, None),
        (None, 10**12, 0),
    ],
)
def test_how_much_output_is_affordable(price: Price | None, money: int, tokens: int | None) -> None:
    found = bound.affordable_tokens(TEXT, endpoint(price), "openai", NanoUsd(money))
    assert found == tokens


@given(
    money=st.integers(0, 10_000_000),
    prompt=st.integers(0, 3_000_000),
    written=st.none() | st.integers(0, 6_000_000),
    request=st.none() | st.integers(0, 10**9),
)
def test_a_prompt_that_is_too_dear_has_more_tokens_than_are_affordable(
    money: int, prompt: int, written: int | None, request: int | None
) -> None:
    price = Price(
        prompt=PicoUsd(prompt),
        completion=PicoUsd(0),
        cache_write=None if written is None else PicoUsd(written),
        request=None if request is None else PicoUsd(request),
    )
    there, paid = endpoint(price), NanoUsd(money)
    short = bound.affordable_tokens(TEXT, there, "openai", paid) == -1
    could = bound.affordable_prompt(TEXT, there, "openai", paid)
    if prompt or written:
        assert (could < bound.prompt_tokens(TEXT, there, "openai")) is short
    assert bound.affordable_prompt(TEXT, endpoint(None), "openai", paid) == 0


@pytest.mark.parametrize(
    ("held", "produced", "more"),
    [
        (4096, 0, 0),
        (4096, 3071, 0),
        (4096, 3072, 4096),
        (4096, 4096, 4096),
        (4096, 9000, 8192),
        (8192, 6143, 0),
        (8192, 6144, 4096),
    ],
)
def test_a_hold_is_extended_when_three_quarters_are_used(
    held: int, produced: int, more: int
) -> None:
    assert bound.next_slice(held, produced) == more


def test_without_max_tokens_a_slice_is_held() -> None:
    assert (bound.first_slice(None), bound.first_slice(100_000)) == (4096, 100_000)


units = st.integers(0, 10**8).map(PicoUsd)
maybe = st.none() | units
prices = st.builds(
    Price,
    prompt=units,
    completion=units,
    cache_read=maybe,
    cache_write=maybe,
    reasoning=maybe,
    request=maybe,
    audio=maybe,
    audio_output=maybe,
    tiers=st.lists(
        st.builds(
            PriceTier,
            min_prompt_tokens=st.integers(0, 3000),
            prompt=maybe,
            completion=maybe,
            cache_read=maybe,
            cache_write=maybe,
        ),
        max_size=2,
    ).map(tuple),
)


@given(prices, st.data())
def test_no_usage_within_the_limits_costs_more_than_the_bound(
    price: Price, data: st.DataObject
) -> None:
    most = bound.most(TEXT, [(endpoint(price), "openai")])
    counts = st.integers(0, 2000)
    usage = Usage(
        prompt=data.draw(counts),
        completion=data.draw(st.integers(0, 100)),
        cached=data.draw(counts),
        cache_write=data.draw(counts),
        prompt_audio=data.draw(counts),
        reasoning=data.draw(counts),
        completion_audio=data.draw(counts),
    )
    cost = cost_of(usage, price)
    assert cost is not None
    assert most is not None
    assert cost.total <= most
