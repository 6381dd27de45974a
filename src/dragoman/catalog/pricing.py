"""Prices as clients read them: decimal text, USD per unit, under OpenRouter's names.

Source: OpenRouter's schemas `PublicPricing` and `PricingOverride` (docs, API
reference). A price that is unknown is `-1`, OpenRouter's own sign for a price that
cannot be told beforehand, since its SDKs refuse null there.
"""

from dragoman.catalog.rows import Pricing, PricingOverride
from dragoman.catalog.types import Price, PriceTier
from dragoman.core.money import PicoUsd, price_text

UNKNOWN_PRICE = Pricing(prompt="-1", completion="-1")


def pricing(price: Price | None) -> Pricing:
    """Return a price under OpenRouter's names. What is not billed apart is left out."""
    if price is None:
        return UNKNOWN_PRICE
    return Pricing(
        prompt=price_text(price.prompt),
        completion=price_text(price.completion),
        request=price_text(price.request or PicoUsd(0)),
        image=price_text(price.image or PicoUsd(0)),
        audio=_text(price.audio),
        audio_output=_text(price.audio_output),
        image_output=_text(price.image_output),
        web_search=_text(price.search),
        internal_reasoning=_text(price.reasoning),
        input_cache_read=_text(price.cache_read),
        input_cache_write=_text(price.cache_write),
        input_cache_write_1h=_text(price.cache_write_1h),
        overrides=tuple(_override(tier) for tier in price.tiers),
    )


def blended(price: Price) -> int:
    """Return what three tokens of prompt and one of completion cost, for comparisons."""
    return 3 * price.prompt + price.completion


def _override(tier: PriceTier) -> PricingOverride:
    return PricingOverride(
        min_prompt_tokens=tier.min_prompt_tokens,
        prompt=_text(tier.prompt),
        completion=_text(tier.completion),
        input_cache_read=_text(tier.cache_read),
        input_cache_write=_text(tier.cache_write),
        input_cache_write_1h=_text(tier.cache_write_1h),
    )


def _text(price: PicoUsd | None) -> str | None:
    return None if price is None else price_text(price)
