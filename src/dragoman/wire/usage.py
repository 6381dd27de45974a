"""How many tokens an answer took, in one shape whatever the provider calls them."""

from typing import Literal

from msgspec import Struct

UsageSource = Literal["upstream", "estimated", "clamped", "lost"]


class Usage(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Counts by the provider's own tokenizer.

    `prompt` includes cached and written-to-cache tokens (`cache_write`, of which
    `cache_write_1h` to be kept for an hour), `completion` includes reasoning tokens, as in
    OpenAI's usage object. `images` are those in the prompt, for hosts that bill each;
    `searches` those that the provider made by itself. `cost_usd` is what the provider
    itself says it charged, where it says so. `source` tells how the counts came about:
    `upstream` as reported, `clamped` to what is possible, `estimated` from the text, `lost`
    where nobody can tell. `terms` are what the provider says of how it served that its bill
    may depend on, as `name:value`: `speed:fast`, `inference_geo:us`, `cache_type:ephemeral`.
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
    source: UsageSource = "upstream"
    cache_write_1h: int = 0
    images: int = 0
    searches: int = 0
    terms: tuple[str, ...] = ()
