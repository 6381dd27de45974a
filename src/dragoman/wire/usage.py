"""How many tokens an answer took, in one shape whatever the provider calls them."""

from typing import Literal

from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """Counts by the provider's own tokenizer.

    `prompt` includes cached and written-to-cache tokens, `completion` includes
    reasoning tokens, as in OpenAI's usage object. `cost_usd` is what the
    provider itself says it charged, where it says so. `source` tells how the
    counts came about: `upstream` as reported, `estimated` from the text.
    """

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    cache_write: int = 0
    prompt_audio: int = 0
    completion_audio: int = 0
    completion_image: int = 0
    cost_usd: float | None = None
    source: Literal["upstream", "estimated"] = "upstream"
