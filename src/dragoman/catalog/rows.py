"""The shapes in which clients read the catalog, field by field.

Sources: OpenRouter's schemas `Model`, `PublicEndpoint` and `Provider` (docs, API
reference, "List models"), with the fields of OpenAI's, Anthropic's and Codex' model
lists beside them. `listing` and `codex` fill them in. Fields that those schemas allow
to be absent are absent where nothing is known; what is required is null instead.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class Architecture(Struct, frozen=True, kw_only=True):
    """What goes in and out of a model."""

    modality: str
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    tokenizer: str
    instruct_type: str | None = None


class PricingOverride(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices for a prompt of more than `min_prompt_tokens`. A price not named stays as it is."""

    min_prompt_tokens: int
    prompt: str | None = None
    completion: str | None = None
    input_cache_read: str | None = None
    input_cache_write: str | None = None
    input_cache_write_1h: str | None = None


class Pricing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices as decimal text, USD per token (`request` per request, `image` per image)."""

    prompt: str
    completion: str
    request: str | None = None
    image: str | None = None
    audio: str | None = None
    audio_output: str | None = None
    image_output: str | None = None
    web_search: str | None = None
    internal_reasoning: str | None = None
    input_cache_read: str | None = None
    input_cache_write: str | None = None
    input_cache_write_1h: str | None = None
    overrides: tuple[PricingOverride, ...] = ()


class TopProvider(Struct, frozen=True, kw_only=True):
    """The limits of the endpoint whose price the row shows."""

    context_length: int | None
    max_completion_tokens: int | None
    is_moderated: bool = False


class Reasoning(Struct, frozen=True, kw_only=True):
    """How a model that reasons can be asked to. `supported_efforts` null: all may be tried."""

    mandatory: bool
    supported_efforts: tuple[str, ...] | None


class AliasTarget(Struct, frozen=True, kw_only=True):
    """The model that a row stands for which is an alias."""

    name: str
    slug: str


class Links(Struct, frozen=True, kw_only=True):
    """Where more is told of a model."""

    details: str


class ModelRow(Struct, frozen=True, kw_only=True):
    """One row of `GET /models`."""

    id: str
    name: str
    display_name: str
    canonical_slug: str
    created: int
    created_at: str
    owned_by: str
    description: str
    context_length: int | None
    architecture: Architecture
    pricing: Pricing
    top_provider: TopProvider
    supported_parameters: tuple[str, ...]
    links: Links
    hugging_face_id: str | None = None
    knowledge_cutoff: str | None = None
    object: Literal["model"] = "model"
    type: Literal["model"] = "model"
    per_request_limits: None = None
    default_parameters: None = None
    supported_voices: None = None
    expiration_date: None = None
    lifecycle: Literal["active", "deprecated"] = "active"
    """Anthropic's word for whether newcomers should still choose it."""
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    callable: bool = True
    """Ours: whether a request that names the model alone can be served."""
    reasoning: Reasoning | UnsetType = UNSET
    alias_target: AliasTarget | UnsetType = UNSET


class CodexEffort(Struct, frozen=True, kw_only=True):
    """A reasoning effort that Codex offers for a model."""

    effort: str
    description: str


class CodexTruncation(Struct, frozen=True, kw_only=True):
    """How much of a tool's output Codex passes on."""

    mode: Literal["tokens", "bytes"] = "tokens"
    limit: int = 10_000


class CodexModel(Struct, frozen=True, kw_only=True):
    """One entry of `models`, with every field that Codex 0.169 insists on.

    An entry that it cannot read makes it refuse the whole list.
    """

    slug: str
    display_name: str
    description: str
    supported_reasoning_levels: tuple[CodexEffort, ...]
    priority: int
    base_instructions: str
    context_window: int | None
    supports_parallel_tool_calls: bool
    shell_type: Literal["shell_command"] = "shell_command"
    visibility: Literal["list"] = "list"
    supported_in_api: bool = True
    support_verbosity: bool = False
    truncation_policy: CodexTruncation = CodexTruncation()
    experimental_supported_tools: tuple[str, ...] = ()
    apply_patch_tool_type: Literal["freeform"] = "freeform"
    """Without it Codex has no tool to change files with but its shell."""


class PageLinks(Struct, frozen=True, kw_only=True):
    """Where the next page is, None on the last."""

    next: str | None = None


class ModelsPage(Struct, frozen=True, kw_only=True):
    """The body of `GET /models`."""

    data: tuple[ModelRow, ...]
    total_count: int
    links: PageLinks
    has_more: bool
    first_id: str | None
    last_id: str | None
    object: Literal["list"] = "list"
    models: tuple[CodexModel, ...] | UnsetType = UNSET


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Which values of `tool_choice` an endpoint takes."""

    auto: bool
    none: bool
    required: bool
    function: bool


class Spread(Struct, frozen=True, kw_only=True):
    """Four points of a distribution. Of throughput, `p90` is what 90 % at least reached."""

    p50: float
    p75: float
    p90: float
    p99: float


class Measured(Struct, frozen=True, kw_only=True):
    """What this process has seen of an endpoint. None: too little to say.

    Uptime is in percent of requests, those that were rate limited left out; latency in
    milliseconds to the first content; throughput in completion tokens a second.
    """

    uptime_5m: float | None = None
    uptime_30m: float | None = None
    uptime_1d: float | None = None
    latency_ms: Spread | None = None
    throughput: Spread | None = None
    in_outage: bool = False


class EndpointRow(Struct, frozen=True, kw_only=True):
    """One endpoint in the body of `GET /models/{author}/{slug}/endpoints`.

    The measured figures are those of this process, null where it has seen too little.
    """

    name: str
    model_id: str
    model_name: str
    provider_name: str
    tag: str
    context_length: int
    max_completion_tokens: int | None
    pricing: Pricing
    quantization: str
    status: int
    """0: serves. -1: not configured. -2: deprecated. -3: inactive. -5: in an outage now."""
    configured: bool
    default_route: bool
    """Ours: whether it serves callers who do not name its provider."""
    region: str | None
    supported_parameters: tuple[str, ...]
    supports_tool_choice: ToolChoice
    supports_implicit_caching: bool
    max_prompt_tokens: int | None = None
    native_tools: dict[str, str] = {}
    service_tier: None = None
    supports_diarization: bool = False
    supports_voice_cloning: bool = False
    uptime_last_5m: float | None = None
    uptime_last_30m: float | None = None
    uptime_last_1d: float | None = None
    latency_last_30m: Spread | None = None
    throughput_last_30m: Spread | None = None


class ModelEndpoints(Struct, frozen=True, kw_only=True):
    """The `data` of `GET /models/{author}/{slug}/endpoints`."""

    id: str
    name: str
    created: int
    description: str
    architecture: Architecture
    endpoints: tuple[EndpointRow, ...]


class ProviderRow(Struct, frozen=True, kw_only=True):
    """One row of `GET /providers`."""

    name: str
    slug: str
    privacy_policy_url: str | None
    terms_of_service_url: str | None
    status_page_url: str | None
    headquarters: str | None
    datacenters: tuple[str, ...] | None
