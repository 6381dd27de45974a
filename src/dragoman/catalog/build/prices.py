"""What an entry costs, in the catalog's integers.

The source has USD per million tokens as floats, with noise in their last digits. No price, or
zero, is unknown: a free tier is declared in `corrections.yaml` or by the host's name. Pure.
"""

from collections.abc import Iterable

from dragoman.catalog.build.read import Cost, CostTier
from dragoman.catalog.types import Price, PriceTier
from dragoman.core.money import PicoUsd, per_million


def pico(million: float) -> PicoUsd:
    """Return USD per million as pico-dollars apiece, of which a dollar per million is a million."""
    return PicoUsd(round(million * 1_000_000))


def price(cost: Cost | None, *, one_sided: bool = False) -> Price | None:
    """Return a price in integers, None when it is unknown.

    `one_sided` is for what writes no tokens, which cost nothing: embeddings and the like.
    """
    if cost is None or not cost.input or not (cost.output or one_sided):
        return None
    return Price(
        prompt=pico(cost.input),
        completion=pico(cost.output or 0),
        cache_read=_cheaper(cost.cached, cost.input),
        cache_write=_some(cost.cache_write if cost.cache_write is not None else cost.cached_write),
        reasoning=_some(cost.reasoning),
        audio=_some(cost.input_audio),
        audio_output=_some(cost.output_audio),
        tiers=_tiers(cost.tiers),
    )


def by_search(usd: float) -> Price:
    """Return the price of what reranks, and is sold by the search alone."""
    return Price(prompt=PicoUsd(0), completion=PicoUsd(0), search=pico(usd * 1_000_000))


def both(price: Price | None) -> str:
    """Return a price for people: USD per million for prompt and completion."""
    if price is None:
        return "unknown"
    if price.search is not None:
        return f"{per_million(price.search) / 1000:f} per 1,000 searches"
    return (
        f"{per_million(price.prompt).normalize():f}/{per_million(price.completion).normalize():f}"
    )


def _cheaper(cached: float | None, fresh: float) -> PicoUsd | None:
    """Return what a cached token costs. That it costs more than another is a mistake."""
    return None if cached is None or cached > fresh else _some(cached)


def _some(million: float | None) -> PicoUsd | None:
    return pico(million) if million else None


def _tiers(tiers: Iterable[CostTier]) -> tuple[PriceTier, ...]:
    """Return the tiers for long prompts by rising size, without others, such as of batches."""
    by_size = {tier.tier.size: tier for tier in tiers if tier.tier.type == "context"}
    found = (_tier(by_size[size]) for size in sorted(by_size) if size)
    return tuple(tier for tier in found if tier is not None)


def _tier(tier: CostTier) -> PriceTier | None:
    if not (tier.input or tier.output or tier.cache_read or tier.cache_write):
        return None
    return PriceTier(
        min_prompt_tokens=tier.tier.size,
        prompt=_some(tier.input),
        completion=_some(tier.output),
        cache_read=_some(tier.cache_read),
        cache_write=_some(tier.cache_write),
    )
