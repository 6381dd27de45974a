"""The sections `providers:` and `aliases:` of `dragoman.yaml`.

Only their shape: a key that is not listed here is an error, so that a slip of the
pen does not pass for a setting. What the values mean together is decided in
`hosts` (who can be called), `own` (which models they serve) and `assemble`.
"""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from dragoman.catalog.types import Auth, Billing, DataPolicy, Quantization, Quirks

Amount = float | str
"""USD per unit. YAML reads `2.5e-6` as a number and `1e-6` as text; both are fine."""

Modality = Literal["text", "image", "file", "audio", "video"]
Output = Literal["text", "image", "audio", "embeddings", "rerank"]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Multiple = Annotated[float, Meta(ge=0, le=100)]


class TierOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request costs whose prompt is longer than `above` tokens, where that differs."""

    above: Tokens
    prompt: Amount | None = None
    completion: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    cache_read_marked: Amount | None = None


class RateOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many times the price of tokens a service tier costs."""

    batch: Multiple | None = None
    flex: Multiple | None = None
    priority: Multiple | None = None


class PriceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model costs, in USD per token (`image` per image, `request` per request).

    `search` is per search that the host makes itself. `rates` are multiples of the price of
    tokens in a service tier: `{flex: 0.5, batch: 0.5, priority: 2}`.
    """

    prompt: Amount
    completion: Amount
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    reasoning: Amount | None = None
    image: Amount | None = None
    request: Amount | None = None
    cache_write_1h: Amount | None = None
    cache_read_marked: Amount | None = None
    audio: Amount | None = None
    audio_output: Amount | None = None
    image_output: Amount | None = None
    search: Amount | None = None
    tiers: tuple[TierOptions, ...] = ()
    rates: RateOptions | None = None


class UpcomingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The price of a model from the first second of a day on, UTC. Without `price`: unknown."""

    from_: date = field(name="from")
    price: PriceOptions | None = None


class ModelOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model at a host. Its id is the key it stands under, `author/name`.

    `upstream` is the host's own name for it, by default what follows the author.
    `supports` absent means every parameter that OpenRouter has a name for.
    """

    upstream: str | None = None
    name: str | None = None
    context: Tokens | None = None
    max_output: Tokens | None = None
    price: PriceOptions | None = None
    supports: tuple[str, ...] | None = None
    inputs: tuple[Modality, ...] = ("text",)
    outputs: Annotated[tuple[Output, ...], Meta(min_length=1)] = ("text",)
    """`embeddings` and `rerank` stand alone, for what is no chat."""
    quantization: Quantization = "unknown"
    free: bool = False
    """A declared free tier, callable as `author/name:free` only."""
    upcoming: tuple[UpcomingOptions, ...] = ()
    policy: DataPolicy | None = None
    """What the host does with prompts to this model, where that differs from the host's own."""
    region: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class ProviderOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host of one's own, or what differs from the shipped row of a known one.

    Absent fields leave a known host as it is shipped. `discover` asks the host
    for its models; absent, that is done for a host of one's own without `models`.
    `price` is the price of every model of the host that does not state its own.
    `cancels` says that hanging up stops a stream and its bill, `stream_upstream` that
    whole answers are asked for as streams, and gathered.
    """

    dialect: (
        Literal[
            "anthropic", "azure", "bedrock", "cohere", "gemini", "openai", "responses", "vertex"
        ]
        | None
    ) = None
    base_url: str | None = None
    api_key: str | None = None
    api_keys: tuple[str, ...] = ()
    auth: Auth | None = None
    name: str | None = None
    models: dict[str, ModelOptions] = {}
    discover: bool | None = None
    price: PriceOptions | None = None
    policy: DataPolicy | None = None
    billing: Billing | None = None
    cancels: bool | None = None
    stream_upstream: bool | None = None
    headers: dict[str, str] = {}
    quirks: Quirks | None = None
    enabled: bool = True

    def __repr__(self) -> str:
        return f"ProviderOptions(dialect={self.dialect!r}, base_url={self.base_url!r}, …)"


ProvidersOptions = dict[str, ProviderOptions]
"""The section `providers:`, by slug."""

AliasesOptions = dict[str, dict[str, float] | tuple[str, ...]]
"""The section `aliases:`: a name for models with weights, or for a list with equal ones."""

Demo = Literal["auto", "on", "off"]
"""When the demo providers are listed: while there is no real one, always, never."""


class Declared(Struct, frozen=True, kw_only=True):
    """What `dragoman.yaml` says of the catalog: hosts, names of one's own, the demo."""

    providers: ProvidersOptions = {}
    aliases: AliasesOptions = {}
    demo: Demo = "auto"
