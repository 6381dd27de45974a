"""The most that a request can cost, before it is sent. Pure.

A byte-level tokenizer never makes more tokens than there are bytes, so the bytes of
the body bound its text. Media are not sized by their bytes: they have a table. And no
prompt is longer than the context window of the endpoint that reads it. Output is
bounded by `max_tokens`; without it, it is held in slices, and the hold grows with the
answer. Every token is taken to be of the dearest sort that the endpoint bills, in the
service tier that is asked for.

What a generation does cost is `dragoman.ledger.cost`'s business; what a provider
bills beyond the bound is the house's loss, never the customer's.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from dragoman.catalog.types import Endpoint, Price
from dragoman.core.money import NanoUsd, PicoUsd, round_up
from dragoman.ledger.cost import rate_ppm
from dragoman.ledger.margin import NONE, widened

SLICE_TOKENS: Final = 4096
EXTEND_AT: Final = (3, 4)
"""A hold is extended when three quarters of its output are used. The last quarter, 1,024 tokens
of a slice, is what may still arrive while a refused extension cancels the generation."""

OVERHEAD_TOKENS: Final = {"openai": 1024}
"""What a dialect's chat template adds at most beyond the body, for a request as a whole."""
MOST_OVERHEAD: Final = 4096
"""The same for a dialect that is not listed."""

IMAGE_TOKENS: Final = 48_169
"""The dearest image there is: eight tiles at gpt-4o-mini, 2,833 + 8 × 5,667 (OpenAI, "Images and
vision", cost of image inputs)."""
AUDIO_BYTES_PER_TOKEN: Final = 15
"""32 tokens a second (Gemini, "Audio understanding") of the thinnest speech, 4 kbit/s."""
UNBOUNDED_TOKENS: Final = 2**20
"""A video, a document, or anything behind an address, where the context window is unknown."""

MILLION: Final = 1_000_000


class Size(Struct, frozen=True, kw_only=True):
    """How large a request is, as far as that can be seen before it is sent."""

    body_bytes: int
    """Of the body for the upstream, without what `data:` URLs carry."""
    images: int = 0
    audio_bytes: int = 0
    """Of all recordings, decoded."""
    unsized: int = 0
    """How many videos, documents and media behind addresses there are."""
    output_tokens: int = SLICE_TOKENS
    """What one choice may produce: `max_tokens`, or the slices that are held so far."""
    sliced: bool = False
    """Whether the output is held in slices, since the request does not bound it."""
    choices: int = 1
    searches: int = 0
    """How many searches the provider may make by itself, per request."""
    prompts: int = 1
    """How many texts there are that are read apart, each of which may fill a context window."""
    service_tier: str | None = None
    """The tier that is asked for. Another is taken to cost no more than the list."""
    terms: tuple[str, ...] = ()
    """Other terms that are asked for, as `Usage.terms`."""


def most(
    size: Size,
    endpoints: Iterable[tuple[Endpoint, str]],
    fee_ppm: int = 0,
    margins: Mapping[str, int] = NONE,
) -> NanoUsd | None:
    """Return the most a request can cost at any of these endpoints, each with its dialect.

    None when one of them has no price that is known: what it costs is bounded by
    nothing. `fee_ppm` is what the account pays on top, in millionths of the cost; `margins`
    are those of endpoints that billed beyond their bound lately.
    """
    dearest = 0
    for endpoint, dialect in endpoints:
        if endpoint.price is None:
            return None
        pico = _prompt_pico(size, endpoint, endpoint.price, dialect)
        pico += size.choices * most_output(size, endpoint) * _output_unit(size, endpoint.price)
        if margins and (ppm := margins.get(endpoint.id)) is not None:
            pico = widened(pico, ppm)
        dearest = max(dearest, pico)
    return with_fee(round_up(dearest), fee_ppm)


def affordable_tokens(size: Size, endpoint: Endpoint, dialect: str, money: NanoUsd) -> int | None:
    """Return for how much output per choice `money` is enough, fee apart; None: for any.

    Below zero when it is not enough for the prompt. For the words of a refusal.
    """
    if endpoint.price is None:
        return 0
    left = money * 1000 - _prompt_pico(size, endpoint, endpoint.price, dialect)
    if left < 0:
        return -1
    unit = _output_unit(size, endpoint.price) * size.choices
    return left // unit if unit else None


def affordable_prompt(size: Size, endpoint: Endpoint, dialect: str, money: NanoUsd) -> int:
    """Return for how many tokens of prompt `money` is enough beside the fees of the price.

    Fewer than the prompt has where `affordable_tokens` says that it is not enough for that.
    """
    if endpoint.price is None:
        return 0
    unit = _prompt_unit(size, endpoint.price, prompt_tokens(size, endpoint, dialect))
    left = money * 1000 - _fees_pico(size, endpoint.price)
    return max(0, left) // unit if unit else 0


def first_slice(max_tokens: int | None) -> int:
    """Return how much output to hold at first: all of `max_tokens`, or a slice."""
    return SLICE_TOKENS if max_tokens is None else max_tokens


def next_slice(held_tokens: int, produced_tokens: int) -> int:
    """Return how many tokens to extend by, now that so many of those held are used; 0: none yet."""
    used, of = EXTEND_AT
    if produced_tokens * of < held_tokens * used:
        return 0
    return SLICE_TOKENS * max(1, -(-(produced_tokens - held_tokens) // SLICE_TOKENS))


def with_fee(cost: NanoUsd, fee_ppm: int) -> NanoUsd:
    """Return a cost with the account's fee upon it, rounded up."""
    return NanoUsd(cost - (-cost * fee_ppm // MILLION))


def prompt_tokens(size: Size, endpoint: Endpoint, dialect: str) -> int:
    """Return how many tokens the endpoint may count in the prompt, at most."""
    tokens = size.body_bytes + OVERHEAD_TOKENS.get(dialect, MOST_OVERHEAD)
    if size.images or size.unsized or size.audio_bytes:
        tokens += size.images * IMAGE_TOKENS + size.unsized * UNBOUNDED_TOKENS
        tokens += -(-size.audio_bytes // AUDIO_BYTES_PER_TOKEN)
    return tokens if endpoint.context is None else min(tokens, endpoint.context * size.prompts)


def most_output(size: Size, endpoint: Endpoint) -> int:
    """Return how many tokens one choice may have at the endpoint, as far as it is held."""
    if endpoint.max_output is None:
        return size.output_tokens
    return min(size.output_tokens, endpoint.max_output)


def _prompt_pico(size: Size, endpoint: Endpoint, price: Price, dialect: str) -> int:
    tokens = prompt_tokens(size, endpoint, dialect)
    return tokens * _prompt_unit(size, price, tokens) + _fees_pico(size, price)


def _fees_pico(size: Size, price: Price) -> int:
    """Return what is billed apiece and not by token."""
    pictures = (size.images + size.unsized) * (price.image or 0)
    return pictures + size.searches * (price.search or 0) + (price.request or 0)


def _prompt_unit(size: Size, price: Price, tokens: int) -> int:
    """Return the dearest of what a token of so long a prompt may be billed as."""
    sorts = [price.prompt, price.cache_read, price.cache_write, price.cache_write_1h, price.audio]
    for tier in price.tiers:
        if tokens > tier.min_prompt_tokens:
            sorts += [tier.prompt, tier.cache_read, tier.cache_write, tier.cache_write_1h]
    return _dearest(size, price, sorts)


def _output_unit(size: Size, price: Price) -> int:
    """Return the dearest of what a token of the answer may be billed as, in any tier of length."""
    sorts = [price.completion, price.reasoning, price.audio_output, price.image_output]
    sorts += [tier.completion for tier in price.tiers]
    return _dearest(size, price, sorts)


def _dearest(size: Size, price: Price, sorts: Iterable[PicoUsd | None]) -> int:
    """Return the dearest of what a token may cost, on the terms that are asked for."""
    unit = max(each for each in sorts if each is not None)
    ppm = rate_ppm(price, size.service_tier, size.terms)
    return unit if ppm <= MILLION else -(-unit * ppm // MILLION)
