"""How many tokens an answer took, read from the `usage` object of any provider.

The names are OpenAI's, with the departures of other hosts beside them: DeepSeek
counts cache hits apart, Anthropic leaves cached tokens out of `input_tokens`, xAI
and Google leave reasoning out of `completion_tokens` but not out of the total, Perplexity
leaves reasoning and what it cites out of both.
Nothing here counts tokens itself: counts that cannot be believed are marked
`estimated`, and whoever has the text must estimate.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dragoman.wire.usage import Usage

MOST_TOKENS = 10**9
MOST_USD = 10**6
LONGEST_TERM = 32
TICKS_PER_USD = 10**10
"""xAI's `cost_in_usd_ticks` counts units of 10⁻¹⁰ USD."""

Tree = Mapping[str, Any]
Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class _Inputs(Struct, gc=False, forbid_unknown_fields=True):
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    audio_tokens: Tokens = 0
    text_tokens: Tokens = 0
    image_tokens: Tokens = 0


class _Outputs(Struct, gc=False, forbid_unknown_fields=True):
    reasoning_tokens: Tokens = 0
    audio_tokens: Tokens = 0
    text_tokens: Tokens = 0
    accepted_prediction_tokens: Tokens = 0
    rejected_prediction_tokens: Tokens = 0


class _Plain(Struct, gc=False, forbid_unknown_fields=True):
    """The object as OpenAI defines it, and nothing beside: what most answers carry.

    `CompletionUsage` of OpenAI's API reference. Parts are counts within the whole.
    """

    prompt_tokens: Tokens
    completion_tokens: Tokens
    total_tokens: Tokens
    prompt_tokens_details: _Inputs | None = None
    completion_tokens_details: _Outputs | None = None


_plain = msgspec.json.Decoder(_Plain).decode
_NO_INPUTS, _NO_OUTPUTS = _Inputs(), _Outputs()

TERMS = ("speed", "inference_geo")
"""Anthropic, "Fast mode" and "Data residency"."""
_CACHE_TYPE = "cache_type"
"""Alibaba, "Context cache": `ephemeral` if the caller marked what to keep."""
_USUAL = frozenset({"standard", "global", "not_available"})

_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "prompt_token_details")
"""The last is in Mistral's schema, beside the first."""
_CACHED = (
    "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens", "num_cached_tokens",
)  # fmt: skip
"""Beside the counts: DeepSeek's name, Anthropic's, that of Moonshot and Together, Mistral's."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_NOTHING: Tree = {}


def read_usage(data: bytes | msgspec.Raw) -> Usage | None:
    """Read the JSON of a `usage` object; None if it is not one, or is empty.

    A prompt or completion count that is missing, negative, absurd or no whole number
    becomes what of it is counted, which is what was cached or thought, and the source
    `estimated`; but a completion that the total tells is known (OpenAI's embeddings name prompt
    and total only). Details are clamped to what they are details of.
    """
    try:
        return _of_plain(_plain(data))
    except (ValueError, RecursionError):
        return _read_any(data)


def _of_plain(plain: _Plain) -> Usage:
    inputs = plain.prompt_tokens_details
    outputs = plain.completion_tokens_details
    if inputs is None and outputs is None:
        asked, answered = plain.prompt_tokens, plain.completion_tokens
        if asked + answered == plain.total_tokens:
            return Usage(prompt=asked, completion=answered)
    asked, answered, reasoning = _with_hidden(
        plain.prompt_tokens,
        plain.completion_tokens,
        plain.total_tokens,
        outputs.reasoning_tokens if outputs else 0,
    )
    if inputs is None and outputs is None:
        return Usage(prompt=asked, completion=answered, reasoning=reasoning)
    inputs, outputs = inputs or _NO_INPUTS, outputs or _NO_OUTPUTS
    return Usage(
        prompt=asked,
        completion=answered,
        reasoning=min(reasoning, answered),
        cached=min(inputs.cached_tokens, asked),
        cache_write=min(inputs.cache_write_tokens, asked),
        prompt_audio=min(inputs.audio_tokens, asked),
        completion_audio=min(outputs.audio_tokens, answered),
    )


def _read_any(data: bytes | msgspec.Raw) -> Usage | None:
    """Read the object of a host that has members, or ways to write them, of its own."""
    try:
        tree: Tree = _decode(data)
    except (ValueError, RecursionError):
        return None
    if "billed_units" in tree:  # Cohere, "Chat": what is billed, beside what was counted
        billed = _object(tree, "billed_units") or _object(tree, "tokens")
        tree = {**billed, "cached_tokens": tree.get("cached_tokens")} if billed else billed
    elif "inputTokens" in tree:
        tree = _of_converse(tree)
    elif "promptTokenCount" in tree:
        tree = _of_gemini(tree)
    return _usage(tree) if tree else None


def _of_gemini(tree: Tree) -> Tree:
    """Return Gemini's `usageMetadata` under OpenAI's names.

    What tools read counts as prompt, thoughts stand outside of candidates (Gemini API,
    `UsageMetadata`).
    """
    prompt = _count(tree, "promptTokenCount")
    answered = _count(tree, "candidatesTokenCount")
    thought = _count(tree, "thoughtsTokenCount") or 0
    if prompt is not None:
        prompt += _count(tree, "toolUsePromptTokenCount") or 0
    if not answered:
        # Google leaves out what is 0; but a count of 0 that the total contradicts is none.
        answered = _rest(_count(tree, "totalTokenCount"), prompt, thought)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": None if answered is None else answered + thought,
        "prompt_tokens_details": {
            "cached_tokens": tree.get("cachedContentTokenCount"),
            "audio_tokens": _of_modality(tree, "promptTokensDetails", "AUDIO"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": _of_modality(tree, "candidatesTokensDetails", "AUDIO"),
            "image_tokens": _of_modality(tree, "candidatesTokensDetails", "IMAGE"),
        },
    }


def _rest(total: int | None, prompt: int | None, thought: int) -> int | None:
    """Return what a total counts beside these, None where that cannot be told."""
    if total is None or prompt is None or total < prompt + thought:
        return None
    return total - prompt - thought


def _of_converse(tree: Tree) -> Tree:
    """Return Bedrock's `TokenUsage` under Anthropic's names: both count what is cached apart."""
    details = tree.get("cacheDetails")
    rows = details if isinstance(details, list) else []
    hour = sum(
        _count(row, "inputTokens") or 0
        for row in rows
        if isinstance(row, dict) and row.get("ttl") == "1h"
    )
    return {
        "input_tokens": tree.get("inputTokens"),
        "output_tokens": tree.get("outputTokens"),
        "cache_read_input_tokens": tree.get("cacheReadInputTokens"),
        "cache_creation_input_tokens": tree.get("cacheWriteInputTokens"),
        "cache_creation": {"ephemeral_1h_input_tokens": hour},
    }


def _of_modality(tree: Tree, member: str, modality: str) -> int:
    """Return the tokens of one modality in Gemini's list of them."""
    details = tree.get(member)
    rows = details if isinstance(details, list) else []
    return sum(
        _count(row, "tokenCount") or 0
        for row in rows
        if isinstance(row, dict) and row.get("modality") == modality
    )


def _with_hidden(asked: int, answered: int, total: int, reasoning: int) -> tuple[int, int, int]:
    """Return prompt, completion and reasoning, with what only the total counts."""
    hidden = total - asked - answered
    if hidden > 0 and reasoning in {0, hidden}:
        # xAI: total = prompt + completion + reasoning. Google: the same, reasoning unnamed.
        return asked, answered + hidden, hidden
    return asked, answered, reasoning


def _usage(tree: Tree) -> Usage:
    outputs = _object(tree, "completion_tokens_details", "output_tokens_details")
    inputs = _object(tree, *_INPUT_DETAILS)
    cached, written = _cache(tree, inputs)
    prompt, completion = _sides(tree)
    reasoning = _count(outputs, "reasoning_tokens", "thinking_tokens")
    reasoning = reasoning or _count(tree, "reasoning_tokens") or 0
    believable = prompt is not None and completion is not None
    asked, answered = prompt or 0, reasoning if completion is None else completion
    if completion is not None and "citation_tokens" in tree:
        # Perplexity, deep research: counted and billed beside
        asked, answered = asked + (_count(tree, "citation_tokens") or 0), answered + reasoning
    hour = _count(_object(tree, "cache_creation"), "ephemeral_1h_input_tokens") or 0
    if _counts_cache_apart(tree):
        asked += cached + written
    if believable:
        total = _count(tree, "total_tokens") or 0
        asked, answered, reasoning = _with_hidden(asked, answered, total, reasoning)
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
        cache_write_1h=min(hour, written, asked),
        searches=_searches(tree),
        terms=_terms(tree, inputs),
    )


def _terms(tree: Tree, inputs: Tree) -> tuple[str, ...]:
    """Return the terms on which the provider served, where they are not the usual ones."""
    said = [(name, tree.get(name)) for name in TERMS]
    said.append((_CACHE_TYPE, inputs.get(_CACHE_TYPE, tree.get(_CACHE_TYPE))))
    return tuple(
        f"{name}:{value}"
        for name, value in said
        if isinstance(value, str) and 0 < len(value) <= LONGEST_TERM and value not in _USUAL
    )


def _sides(tree: Tree) -> tuple[int | None, int | None]:
    """Return prompt and completion, each None where it is not known."""
    prompt = _count(tree, "prompt_tokens", "input_tokens")
    completion = _count(tree, "completion_tokens", "output_tokens")
    if completion is None and "completion_tokens" not in tree and "output_tokens" not in tree:
        total = _count(tree, "total_tokens")
        if prompt is not None and total is not None and total >= prompt:
            completion = total - prompt
    return prompt, completion


def _searches(tree: Tree) -> int:
    """Return how many searches the provider made.

    Anthropic and OpenRouter count `web_search_requests`, Perplexity `num_search_queries`,
    Cohere's rerank `search_units`.
    """
    served = _object(tree, "server_tool_use", "server_tool_use_details")
    found = _count(served, "web_search_requests")
    return found or _count(tree, "num_search_queries", "search_units") or 0


def _cache(tree: Tree, inputs: Tree) -> tuple[int, int]:
    """Return the tokens read from and written to the provider's cache."""
    read = _count(inputs, "cached_tokens")
    if read is None:
        read = _count(tree, *_CACHED)
    names = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
    written = _count(inputs, *names)
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
    """Return the first of the members that is a believable, whole number of tokens."""
    for name in names:
        if (found := count_of(tree.get(name))) is not None:
            return found
    return None


def count_of(value: object) -> int | None:
    """Return a value as a number of tokens, None if it is no believable, whole one."""
    number = _number(value)
    if number is None or number > MOST_TOKENS or not number.is_integer():
        return None
    return int(number)


def _cost(tree: Tree) -> float | None:
    """Return what the provider says it charged, in USD.

    `cost` is OpenRouter's, an object of costs Perplexity's, `estimated_cost` DeepInfra's,
    the ticks are xAI's.
    """
    cost = tree.get("cost")
    dollars = _number(cost.get("total_cost") if isinstance(cost, dict) else cost)
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
