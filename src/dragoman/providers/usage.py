"""How many tokens an answer took, read from the `usage` object of any provider.

The names are OpenAI's, with the departures of other hosts beside them: DeepSeek
counts cache hits apart, Anthropic leaves cached tokens out of `input_tokens`, xAI
and Google leave reasoning out of `completion_tokens` but not out of the total.
Nothing here counts tokens itself: counts that cannot be believed are marked
`estimated`, and whoever has the text must estimate.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from dragoman.wire.usage import Usage

MOST_TOKENS = 10**9
MOST_USD = 10**6
TICKS_PER_USD = 10**10
"""xAI's `cost_in_usd_ticks` counts units of 10⁻¹⁰ USD."""

Tree = Mapping[str, Any]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_NOTHING: Tree = {}


def read_usage(data: bytes | msgspec.Raw) -> Usage | None:
    """Read the JSON of a `usage` object; None if it is not one, or is empty.

    A prompt or completion count that is missing, negative, absurd or no number
    becomes 0, and the source `estimated`. Details are clamped to what they are
    details of.
    """
    try:
        tree = _decode(data)
    except (ValueError, RecursionError):
        return None
    return _usage(tree) if tree else None


def _usage(tree: Tree) -> Usage:
    outputs = _object(tree, "completion_tokens_details", "output_tokens_details")
    inputs = _object(tree, "prompt_tokens_details", "input_tokens_details")
    cached, written = _cache(tree, inputs)
    prompt = _count(tree, "prompt_tokens", "input_tokens")
    completion = _count(tree, "completion_tokens", "output_tokens")
    reasoning = _count(outputs, "reasoning_tokens") or _count(tree, "reasoning_tokens") or 0
    believable = prompt is not None and completion is not None
    asked, answered = prompt or 0, completion or 0
    if _counts_cache_apart(tree):
        asked += cached + written
    hidden = (_count(tree, "total_tokens") or 0) - asked - answered
    if believable and hidden > 0 and reasoning in {0, hidden}:
        # xAI: total = prompt + completion + reasoning. Google: the same, reasoning unnamed.
        reasoning = hidden
        answered += hidden
    return Usage(
        prompt=asked,
        completion=answered,
        reasoning=min(reasoning, answered),
        cached=min(cached, asked),
        cache_write=min(written, asked),
        prompt_audio=min(_count(inputs, "audio_tokens") or 0, asked),
        completion_audio=min(_count(outputs, "audio_tokens") or 0, answered),
        completion_image=min(_count(outputs, "image_tokens") or 0, answered),
        cost_usd=_cost(tree),
        source="upstream" if believable else "estimated",
    )


def _cache(tree: Tree, inputs: Tree) -> tuple[int, int]:
    """Return the tokens read from and written to the provider's cache."""
    read = _count(inputs, "cached_tokens")
    if read is None:
        names = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")
        read = _count(tree, *names)
    written = _count(inputs, "cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = _count(tree, "cache_creation_input_tokens")
    return read or 0, written or 0


def _counts_cache_apart(tree: Tree) -> bool:
    """Anthropic, prompt-caching: `input_tokens` is what was neither read nor written."""
    return "prompt_tokens" not in tree and (
        "cache_read_input_tokens" in tree or "cache_creation_input_tokens" in tree
    )


def _object(tree: Tree, *names: str) -> Tree:
    for name in names:
        value = tree.get(name)
        if isinstance(value, dict):
            return value
    return _NOTHING


def _count(tree: Tree, *names: str) -> int | None:
    """Return the first of the members that is a believable number of tokens."""
    for name in names:
        if (value := tree.get(name)) is None:
            continue
        number = _number(value)
        if number is not None and number <= MOST_TOKENS:
            return int(number)
    return None


def _cost(tree: Tree) -> float | None:
    """Return what the provider says it charged, in USD.

    `cost` is OpenRouter's, `estimated_cost` DeepInfra's, the ticks are xAI's.
    """
    dollars = _number(tree.get("cost"))
    if dollars is None:
        dollars = _number(tree.get("estimated_cost"))
    ticks = _number(tree.get("cost_in_usd_ticks"))
    if dollars is None and ticks is not None:
        dollars = ticks / TICKS_PER_USD
    return dollars if dollars is not None and dollars <= MOST_USD else None


def _number(value: object) -> float | None:
    """Return a finite number that is not negative; a number written as text counts too."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None
