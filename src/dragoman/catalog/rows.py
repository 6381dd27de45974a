"""The shapes in which clients read the catalog, field by field.

Sources: OpenRouter's schemas `Model`, `PublicEndpoint` and `Provider` (docs, API
reference, "List models"), with the fields of OpenAI's and Anthropic's model lists
beside them. `listing` fills them in.
"""

from typing import Literal

from msgspec import Struct


class Architecture(Struct, frozen=True, kw_only=True):
    """What goes in and out of a model."""

    modality: str
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    tokenizer: str
    instruct_type: str | None = None


class TopProvider(Struct, frozen=True, kw_only=True):
    """The limits of the endpoint whose price the row shows."""

    context_length: int | None
    max_completion_tokens: int | None
    is_moderated: bool = False


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
    pricing: dict[str, str]
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


class ToolChoice(Struct, frozen=True, kw_only=True):
    """Which values of `tool_choice` an endpoint takes."""

    auto: bool
    none: bool
    required: bool
    function: bool


class EndpointRow(Struct, frozen=True, kw_only=True):
    """One endpoint in the body of `GET /models/{author}/{slug}/endpoints`.

    The measured figures are null here: whoever has measured fills them in.
    """

    name: str
    model_id: str
    model_name: str
    provider_name: str
    tag: str
    context_length: int
    max_completion_tokens: int | None
    pricing: dict[str, str]
    quantization: str
    status: int
    """0: serves. -1: not configured in this installation, or out of service."""
    configured: bool
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
    latency_last_30m: dict[str, float] | None = None
    throughput_last_30m: dict[str, float] | None = None


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
