"""From usage and an endpoint's price to a cost, in integers, rounded up once. Pure."""

from msgspec import Struct

from dragoman.catalog.tariff import applicable
from dragoman.catalog.types import Price
from dragoman.core.money import NANO, NanoUsd, round_up
from dragoman.wire.usage import Usage


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """What a generation costs, in nano-USD. `prompt` + `completion` may exceed `total` by one.

    Each part is rounded up by itself for display; `total` is rounded once, over the
    exact sum.
    """

    total: NanoUsd
    prompt: NanoUsd
    completion: NanoUsd


FREE = Cost(total=NanoUsd(0), prompt=NanoUsd(0), completion=NanoUsd(0))


def cost_of(usage: Usage, price: Price | None) -> Cost | None:
    """Return what `usage` costs at `price`, None when the price is unknown.

    What the provider itself reports to have charged (`usage.cost_usd`) wins over
    the price list: the bill is what it says it is. Cached and audio tokens without a
    price of their own cost as much as others of their side; so do reasoning tokens. A
    prompt beyond a tier's length is at the tier's prices, and its completion too.
    """
    if usage.cost_usd is not None:
        return _reported(usage.cost_usd)
    if price is None:
        return None
    if price.tiers:
        price = applicable(price, usage.prompt)
    prompt = _prompt_pico(usage, price) + (price.request or 0)
    completion = _completion_pico(usage, price)
    return Cost(
        total=round_up(prompt + completion),
        prompt=round_up(prompt),
        completion=round_up(completion),
    )


def _prompt_pico(usage: Usage, price: Price) -> int:
    cached = min(usage.cached, usage.prompt)
    written = min(usage.cache_write, usage.prompt - cached)
    heard = min(usage.prompt_audio, usage.prompt - cached - written)
    plain = usage.prompt - cached - written - heard
    read_price = price.prompt if price.cache_read is None else price.cache_read
    write_price = price.prompt if price.cache_write is None else price.cache_write
    audio_price = price.prompt if price.audio is None else price.audio
    return plain * price.prompt + cached * read_price + written * write_price + heard * audio_price


def _completion_pico(usage: Usage, price: Price) -> int:
    reasoning = min(usage.reasoning, usage.completion)
    spoken = min(usage.completion_audio, usage.completion - reasoning)
    plain = usage.completion - reasoning - spoken
    thought_price = price.completion if price.reasoning is None else price.reasoning
    audio_price = price.completion if price.audio_output is None else price.audio_output
    return plain * price.completion + reasoning * thought_price + spoken * audio_price


def _reported(cost_usd: float) -> Cost:
    total = NanoUsd(-int(-cost_usd * float(NANO) // 1))
    return Cost(total=total, prompt=NanoUsd(0), completion=total)
