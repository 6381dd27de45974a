"""From usage and an endpoint's price to a cost, in integers, rounded up once. Pure.

The sorts of tokens are parts of one another, as in OpenAI's usage object:

    prompt       cached, written to the cache (of which for an hour), audio, the rest
    completion   reasoning, audio, images, the rest

A part is never counted twice, and never more than what it is a part of. Whether what a
provider says of itself can be believed is decided before, in `dragoman.ledger.belief`.
"""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from msgspec import Struct

from dragoman.catalog.tariff import SAME_TIERS, applicable
from dragoman.catalog.types import Price
from dragoman.core.money import NANO, NanoUsd, round_up
from dragoman.wire.usage import Usage

MILLION: Final = 1_000_000

MARKED: Final = "cache_type:ephemeral"
"""Alibaba, "Context cache": the caller marked what is cached; one request is of one kind only."""


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """What a generation costs, in nano-USD. The parts may exceed `total` by two together.

    Each part is rounded up by itself for display; `total` is rounded once, over the
    exact sum. `search` is what the provider takes for its own searches.
    """

    total: NanoUsd
    prompt: NanoUsd
    completion: NanoUsd
    search: NanoUsd = NanoUsd(0)


NOTHING = NanoUsd(0)
FREE = Cost(total=NOTHING, prompt=NOTHING, completion=NOTHING)


def cost_of(usage: Usage, price: Price | None, service_tier: str | None = None) -> Cost | None:
    """Return what `usage` costs at `price`, None when the price is unknown.

    What the provider itself reports to have charged (`usage.cost_usd`) wins over
    the price list: the bill is what it says it is. A sort of tokens without a price of
    its own costs as much as others of its side. A prompt beyond a tier's length is at
    the tier's prices, and its completion too. `service_tier` is the one that served the
    request, by the provider's word: its rate counts for tokens, not for fees, and so do those
    of the terms in the usage, upon each other.
    """
    if usage.cost_usd is not None:
        return reported(usage.cost_usd)
    if price is None:
        return None
    if price.tiers:
        price = applicable(price, usage.prompt)
    prompt, completion = _prompt_pico(usage, price), _completion_pico(usage, price)
    fees = price.request or 0
    if usage.images:
        fees += usage.images * (price.image or 0)
    search = usage.searches * (price.search or 0)
    if price.rates and (service_tier is not None or usage.terms):
        ppm = rate_ppm(price, service_tier, usage.terms)
        return _rated((prompt, completion), fees, search, ppm)
    prompt += fees
    return Cost(
        total=round_up(prompt + completion + search),
        prompt=round_up(prompt),
        completion=round_up(completion),
        search=round_up(search) if search else NOTHING,
    )


def reported(cost_usd: float) -> Cost:
    """Return the cost that a provider reports: its decimal digits, rounded up."""
    exact = Decimal(repr(cost_usd)) * NANO
    total = NanoUsd(int(exact.to_integral_value(ROUND_CEILING)))
    return Cost(total=total, prompt=NanoUsd(0), completion=total)


def rate_ppm(price: Price, service_tier: str | None, terms: tuple[str, ...] = ()) -> int:
    """Return what tokens cost in a service tier and on such terms, in millionths of the price."""
    tier = None if service_tier is None else SAME_TIERS.get(service_tier, service_tier)
    ppm = MILLION
    for rate in price.rates:
        if rate.tier == tier or rate.tier in terms:
            ppm = ppm * rate.ppm // MILLION
    return ppm


def _rated(tokens: tuple[int, int], fees: int, search: int, ppm: int) -> Cost:
    prompt, completion = (each * ppm for each in tokens)
    prompt += fees * MILLION
    return Cost(
        total=_round_up(prompt + completion + search * MILLION),
        prompt=_round_up(prompt),
        completion=_round_up(completion),
        search=round_up(search),
    )


def _round_up(millionths: int) -> NanoUsd:
    """Return millionths of pico-dollars as nano-dollars, rounded upwards."""
    return NanoUsd(-(-millionths // (1000 * MILLION)))


def _prompt_pico(usage: Usage, price: Price) -> int:
    if not (usage.cached or usage.cache_write or usage.prompt_audio):
        return usage.prompt * price.prompt
    cached = min(usage.cached, usage.prompt)
    written = min(usage.cache_write, usage.prompt - cached)
    heard = min(usage.prompt_audio, usage.prompt - cached - written)
    plain = usage.prompt - cached - written - heard
    read_price = price.prompt if price.cache_read is None else price.cache_read
    if price.cache_read_marked is not None and MARKED in usage.terms:
        read_price = price.cache_read_marked
    write_price = price.prompt if price.cache_write is None else price.cache_write
    audio_price = price.prompt if price.audio is None else price.audio
    pico = plain * price.prompt + cached * read_price + written * write_price + heard * audio_price
    if usage.cache_write_1h and price.cache_write_1h is not None:
        pico += min(usage.cache_write_1h, written) * (price.cache_write_1h - write_price)
    return pico


def _completion_pico(usage: Usage, price: Price) -> int:
    if not (usage.reasoning or usage.completion_audio or usage.completion_image):
        return usage.completion * price.completion
    reasoning = min(usage.reasoning, usage.completion)
    spoken = min(usage.completion_audio, usage.completion - reasoning)
    drawn = min(usage.completion_image, usage.completion - reasoning - spoken)
    plain = usage.completion - reasoning - spoken - drawn
    thought_price = price.completion if price.reasoning is None else price.reasoning
    audio_price = price.completion if price.audio_output is None else price.audio_output
    image_price = price.completion if price.image_output is None else price.image_output
    pico = plain * price.completion + reasoning * thought_price
    return pico + spoken * audio_price + drawn * image_price
