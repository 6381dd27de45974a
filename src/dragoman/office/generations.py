"""What became of a request: the body of `GET /generation?id=`.

Source: OpenRouter's OpenAPI document, `GenerationResponse`. `attempts`,
`notes`, `usage_source` and `price_version` are ours: each call with its error, all that was
changed on the way, how the counts came about, and at which price they were charged.
"""

from datetime import UTC, datetime

from msgspec import UNSET, Struct, UnsetType

from dragoman.core.errors import NotFound
from dragoman.core.money import usd
from dragoman.core.notes import Note
from dragoman.records.reader import Reader
from dragoman.records.types import Attempt, Generation

LONGEST_ID = 100


class ProviderResponse(Struct, frozen=True, kw_only=True):
    """An attempt as OpenRouter shows it. `id` is known of the one that answered."""

    id: str | UnsetType = UNSET
    endpoint_id: str
    model_permaslug: str
    provider_name: str
    status: int | None
    latency: int
    is_byok: bool = False


class GenerationInfo(Struct, frozen=True, kw_only=True):
    """The `data` object. Times in milliseconds, sums in USD; null is *not known here*."""

    id: str
    request_id: str | None = None
    session_id: str | None
    api_type: str
    created_at: str
    model: str
    router: str | None = None
    preset_id: str | None = None
    provider_name: str | None
    upstream_id: str | None
    provider_responses: tuple[ProviderResponse, ...]
    service_tier: str | None
    data_region: str = "global"
    is_byok: bool = False
    streamed: bool
    cancelled: bool
    finish_reason: str | None
    native_finish_reason: str | None
    latency: int | None
    generation_time: int | None
    moderation_latency: int | None = None
    tokens_prompt: int
    tokens_completion: int
    native_tokens_prompt: int
    native_tokens_completion: int
    native_tokens_reasoning: int
    native_tokens_cached: int
    native_tokens_completion_images: int
    num_media_prompt: int | None = None
    num_input_audio_prompt: int | None = None
    num_media_completion: int | None = None
    num_search_results: int | None = None
    num_fetches: int | None = None
    web_search_engine: str | None = None
    usage: float
    total_cost: float
    upstream_inference_cost: float | None
    cache_discount: float | None = None
    app_id: int | None = None
    origin: str
    http_referer: str | None
    user_agent: str | None
    external_user: str | None
    workspace_id: str | None = None
    response_cache_source_id: str | None = None
    attempts: tuple[Attempt, ...]
    notes: tuple[Note, ...]
    usage_source: str
    price_version: str | None


class GenerationBody(Struct, frozen=True):
    """The whole body."""

    data: GenerationInfo


async def generation(
    reader: Reader, id_: str, *, key_hash: str | None = None, account: str | None = None
) -> GenerationBody:
    """Return the body for a generation of this key and account, or of any where they are None.

    Raises NotFound for what does not exist or is not the caller's.
    """
    known = len(id_) <= LONGEST_ID and id_.isascii() and id_.isprintable()
    found = await reader.one(id_, key_hash=key_hash, account=account) if known else None
    if found is None:
        raise NotFound(f"Generation {id_[:LONGEST_ID]} not found")
    return GenerationBody(describe(found))


def describe(made: Generation) -> GenerationInfo:
    """Return the `data` object of a generation."""
    tokens, cost = made.usage, usd(made.cost_nanos)
    return GenerationInfo(
        id=made.id,
        session_id=made.session_id,
        api_type=made.api_type,
        created_at=datetime.fromtimestamp(made.created_at, UTC).isoformat(),
        model=made.model or made.requested,
        provider_name=made.provider_name,
        upstream_id=made.upstream_id,
        provider_responses=_responses(made),
        service_tier=made.service_tier,
        is_byok=made.is_byok,
        streamed=made.streamed,
        cancelled=made.cancelled,
        finish_reason=made.finish_reason,
        native_finish_reason=made.native_finish_reason,
        latency=made.latency_ms,
        generation_time=made.generation_ms,
        tokens_prompt=tokens.prompt,
        tokens_completion=tokens.completion,
        native_tokens_prompt=tokens.prompt,
        native_tokens_completion=tokens.completion,
        native_tokens_reasoning=tokens.reasoning,
        native_tokens_cached=tokens.cached,
        native_tokens_completion_images=tokens.completion_image,
        usage=cost,
        total_cost=cost,
        upstream_inference_cost=usd(made.byok_nanos) if made.is_byok else tokens.cost_usd,
        origin=made.referer or "",
        http_referer=made.referer,
        user_agent=made.user_agent,
        external_user=made.user,
        attempts=made.attempts,
        notes=made.notes,
        usage_source=tokens.source,
        price_version=made.price_id,
    )


def _responses(made: Generation) -> tuple[ProviderResponse, ...]:
    last = len(made.attempts) - 1
    return tuple(
        ProviderResponse(
            id=made.upstream_id if made.upstream_id and index == last else UNSET,
            endpoint_id=attempt.endpoint,
            model_permaslug=attempt.model,
            provider_name=attempt.provider_name,
            status=attempt.status,
            latency=attempt.latency_ms,
            is_byok=attempt.is_byok,
        )
        for index, attempt in enumerate(made.attempts)
    )
