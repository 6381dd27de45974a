"""What an entry costs: units, odd keys, tiers, what is unknown, and prices far apart."""

import pytest

from dragoman.catalog.build import prices
from dragoman.catalog.build.read import Cost, CostTier, TierBound
from dragoman.catalog.options import PriceOptions, TierOptions
from dragoman.catalog.types import Price, PriceTier
from dragoman.core.money import PicoUsd
from tests.catalog.source import built, document, entry, row_of


def test_the_noise_of_floats_is_rounded_away() -> None:
    assert prices.pico(0.049999999999999996) == 50_000
    assert prices.pico(0.0028) == 2_800


def test_every_key_of_a_price_is_read() -> None:
    cost = Cost(input=1, output=2, cached_input=0.1, cached_write=1.25, input_audio=4)
    tier = CostTier(tier=TierBound(size=200_000), input=2, output=3)
    other = CostTier(tier=TierBound(size=9, type="batch"), input=0.5)
    found = prices.price(Cost(input=1, output=2, cache_input=0.1, tiers=(tier, other)))
    assert found == Price(
        prompt=PicoUsd(1_000_000),
        completion=PicoUsd(2_000_000),
        cache_read=PicoUsd(100_000),
        tiers=(
            PriceTier(
                min_prompt_tokens=200_000,
                prompt=PicoUsd(2_000_000),
                completion=PicoUsd(3_000_000),
            ),
        ),
    )
    odd = prices.price(cost)
    assert odd is not None
    assert (odd.cache_read, odd.cache_write, odd.audio) == (100_000, 1_250_000, 4_000_000)


def test_a_tier_that_says_nothing_is_none_and_the_others_rise() -> None:
    tiers = [(500, 3.0), (0, 9.0), (200, 2.0), (300, None)]
    made = tuple(CostTier(tier=TierBound(size=size), input=cost) for size, cost in tiers)
    found = prices.price(Cost(input=1, output=2, tiers=made))
    assert found is not None
    assert [(tier.min_prompt_tokens, tier.prompt) for tier in found.tiers] == [
        (200, 2_000_000),
        (500, 3_000_000),
    ]


def test_a_price_is_written_with_its_tiers_in_usd_per_token() -> None:
    tier = {"tier": {"size": 200_000}, "input": 2, "output": 4}
    row = row_of(entry(cost={"input": 1, "output": 2, "cache_read": 0.1, "tiers": [tier]}))
    (price,) = [each.price for each in row.endpoints]
    assert price == PriceOptions(
        prompt="0.000001",
        completion="0.000002",
        cache_read="0.0000001",
        tiers=(TierOptions(above=200_000, prompt="0.000002", completion="0.000004"),),
    )


@pytest.mark.parametrize(
    "cost", [None, Cost(), Cost(input=0, output=0), Cost(input=1), Cost(input=1, output=0)]
)
def test_what_is_missing_or_zero_is_unknown(cost: Cost | None) -> None:
    assert prices.price(cost) is None


def test_an_embedding_costs_nothing_to_write() -> None:
    found = prices.price(Cost(input=0.1, output=0), one_sided=True)
    assert found == Price(prompt=PicoUsd(100_000), completion=PicoUsd(0))


def test_cached_tokens_that_cost_more_are_a_mistake() -> None:
    found = prices.price(Cost(input=0.1, output=0.3, cache_read=0.3))
    assert found is not None
    assert found.cache_read is None


def test_a_price_that_stands_alone_is_unknown_and_the_conflict_is_told() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()},
        one={"gpt-5.2": entry()},
        two={"gpt-5.2": entry(cost=(1.1, 2.2))},
        yuan={"gpt-5.2": entry(cost=(7, 14))},
    )
    found = built(source)
    assert {draft.provider.slug: draft.price is None for draft in found.models[0].drafts} == {
        "one": False,
        "two": False,
        "yuan": True,
    }
    (conflict,) = found.account.conflicts
    assert (conflict.model, conflict.times) == ("openai/gpt-5.2", 7.0)
    assert ("yuan: gpt-5.2", "7/14", "unknown: alone") in conflict.prices


def test_a_crowd_without_a_gap_is_kept_however_wide() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()},
        **{f"host{i}": {"gpt-5.2": entry(cost=(3.0**i, 3.0**i))} for i in range(4)},
    )
    found = built(source)
    assert all(draft.price for draft in found.models[0].drafts)
    assert found.account.conflicts[0].times == 27.0


def test_one_host_s_regions_are_no_witnesses_for_each_other() -> None:
    models = {
        "anthropic.claude-opus-4-6-v1": entry(cost=(50, 250)),
        "us.anthropic.claude-opus-4-6-v1": entry(cost=(50, 250)),
    }
    source = document(
        openrouter={"anthropic/claude-opus-4.6": entry()},
        amazon_bedrock=models,
        anthropic={"claude-opus-4-6": entry(cost=(5, 25))},
        venice={"claude-opus-4-6": entry(cost=(6, 30))},
    )
    found = {draft.tag: draft.price for draft in built(source).models[0].drafts}
    assert found["amazon-bedrock"] is None
    assert found["amazon-bedrock/us"] is None
    assert found["anthropic"] is not None


@pytest.mark.parametrize(("cost", "apart"), [((4.9, 9.8), False), ((5, 10), True), ((1, 10), True)])
def test_five_times_is_far(cost: tuple[float, float], *, apart: bool) -> None:
    found = built(
        document(
            openrouter={"openai/gpt-5.2": entry()},
            one={"gpt-5.2": entry(cost=(1, 2))},
            two={"gpt-5.2": entry(cost=cost)},
        )
    )
    assert bool(found.account.conflicts) is apart
    assert any(draft.price is None for draft in found.models[0].drafts) is apart


def test_a_host_s_own_ways_may_cost_what_they_like() -> None:
    models = {"gpt-5.2": entry(cost=(1, 2)), "gpt-5.2-fast": entry(cost=(9, 18))}
    found = built(document(openrouter={"openai/gpt-5.2": entry()}, acme=models))
    assert found.account.conflicts == ()
    assert all(draft.price for draft in found.models[0].drafts)
