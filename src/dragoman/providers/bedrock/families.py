"""What families of models at Bedrock take beyond what Converse has for all, told by their names.

Sources, read 2026-11: AWS docs, "Supported models and model features", "Prompt caching", "Inference
request parameters" (a page for each family); Nova 2 user guide, "Extended thinking".
"""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Reasons = Literal["claude", "nova", "effort", "no"]

MOST_NAMES = 1024

_NOVA_2 = re.compile(r"amazon\.nova-2")


class Family(Struct, frozen=True, kw_only=True):
    """What one model takes."""

    reasons: Reasons = "no"
    """How it is asked to reason: as Claude is, by Nova's own object, by an effort, not at all."""
    caches: bool = False
    """Whether it can be told how far to cache a prompt."""
    long_cache: bool = False
    """Whether what is cached may be kept for an hour."""
    short_ids: bool = False
    """Whether ids of calls are nine letters and digits (github.com/vercel/ai, issue 11802)."""
    top_k: tuple[str, ...] = ()
    """Where `top_k` stands among the model's own members; nowhere where it has none."""


_CLAUDE = Family(reasons="claude", caches=True, long_cache=True, top_k=("top_k",))
_NOVA = Family(caches=True, top_k=("inferenceConfig", "topK"))
_NOVA_WITH_REASON = Family(reasons="nova", caches=True, top_k=("inferenceConfig", "topK"))
_GPT = Family(reasons="effort")
_MISTRAL = Family(short_ids=True, top_k=("top_k",))
_OTHER = Family()


@lru_cache(maxsize=MOST_NAMES)
def family(upstream: str) -> Family:
    """Return what the model takes that Bedrock calls `upstream`, by id, profile or ARN."""
    name = upstream.lower()
    if "anthropic." in name or "claude" in name:
        return _CLAUDE
    if "amazon.nova" in name:
        return _NOVA_WITH_REASON if _NOVA_2.search(name) else _NOVA
    if "openai.gpt" in name:
        return _GPT
    return _MISTRAL if "mistral." in name else _OTHER
