"""The catalog as clients read it: the bodies of the catalog's GET routes.

`GET /models` is one superset that OpenAI's, Anthropic's and OpenRouter's clients
all read (OpenRouter docs, "List models"; each has fields the others ignore). The
official OpenRouter SDKs validate strictly, so what their schema requires is
always there, and what is unknown looks as they allow:

- a price that is unknown is `-1`, OpenRouter's own sign for a price that cannot
  be told beforehand, since the SDKs refuse null there;
- an endpoint's context that is unknown is 0, for the same reason;
- a model's context that is unknown is null.

Models are listed while at least one endpoint of theirs can be called, newest
first. Free endpoints make a row of their own, `model:free`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from msgspec import structs

from dragoman.catalog.own import FREE
from dragoman.catalog.rows import (
    Architecture,
    EndpointRow,
    Links,
    ModelEndpoints,
    ModelRow,
    ModelsPage,
    PageLinks,
    ProviderRow,
    ToolChoice,
    TopProvider,
)
from dragoman.catalog.types import Catalog, Endpoint, Model, Price, Provider
from dragoman.core.money import PicoUsd, price_text

UNKNOWN_PRICE = {"prompt": "-1", "completion": "-1"}
PRICE_NAMES = {
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "reasoning": "internal_reasoning",
}
MODALITIES = ("text", "image", "file", "audio", "video")
VARIANTS = frozenset(
    {"free", "floor", "nitro", "exacto", "online", "extended", "thinking", "batch"}
)

TOKENIZERS = (
    ("openai/", "GPT"),
    ("anthropic/", "Claude"),
    ("google/gemma", "Gemma"),
    ("google/", "Gemini"),
    ("x-ai/", "Grok"),
    ("cohere/", "Cohere"),
    ("qwen/qwen3", "Qwen3"),
    ("qwen/", "Qwen"),
    ("deepseek/", "DeepSeek"),
    ("mistralai/", "Mistral"),
    ("meta-llama/llama-4", "Llama4"),
    ("meta-llama/llama-3", "Llama3"),
)


def model_rows(catalog: Catalog) -> tuple[ModelRow, ...]:
    """Return a row for every model that can be called, newest first."""
    rows: list[ModelRow] = []
    for model in catalog.models.values():
        callable_ = [each for each in model.endpoints if is_callable(each)]
        for free in (False, True):
            chosen = [each for each in callable_ if each.free is free]
            if chosen:
                rows.append(_model_row(model, chosen))
    return tuple(sorted(rows, key=lambda row: (-row.created, row.id)))


def is_callable(endpoint: Endpoint) -> bool:
    """Say whether this installation can send requests to the endpoint."""
    return endpoint.configured and endpoint.status == "active"


def page(
    rows: Sequence[ModelRow],
    *,
    offset: int = 0,
    limit: int | None = None,
    path: str = "/api/v1/models",
) -> ModelsPage:
    """Return the rows from `offset` on, at most `limit`, as a body of `GET /models`."""
    end = len(rows) if limit is None else min(offset + limit, len(rows))
    data = tuple(rows[offset:end])
    more = end < len(rows)
    return ModelsPage(
        data=data,
        total_count=len(rows),
        links=PageLinks(next=f"{path}?offset={end}&limit={limit}" if more else None),
        has_more=more,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )


def find(catalog: Catalog, name: str) -> Model | None:
    """Return the model that `name` means, in any case and with any variant, None if there is none.

    With `:free` the model has its free endpoints only.
    """
    wanted = name.lower()
    known = {id_.lower(): model for id_, model in catalog.models.items()}
    free = False
    while wanted not in known:
        wanted, colon, variant = wanted.rpartition(":")
        if not colon or variant not in VARIANTS:
            return None
        free = free or variant == "free"
    model = known[wanted]
    endpoints = tuple(each for each in model.endpoints if each.free or not free)
    return structs.replace(model, endpoints=endpoints) if endpoints else None


def model_row(model: Model) -> ModelRow:
    """Return the row of one model, for `GET /model/{author}/{slug}`, callable or not."""
    paid = [each for each in model.endpoints if not each.free]
    return _model_row(model, paid or model.endpoints)


def model_endpoints(model: Model) -> ModelEndpoints:
    """Return all endpoints of a model, for `GET /models/{author}/{slug}/endpoints`."""
    return ModelEndpoints(
        id=model.id,
        name=model.name,
        created=model.created,
        description=model.description,
        architecture=_architecture(model.id, model.inputs, model.outputs),
        endpoints=tuple(_endpoint_row(model, each) for each in model.endpoints),
    )


def provider_rows(catalog: Catalog) -> tuple[ProviderRow, ...]:
    """Return the rows of `GET /providers`, by name."""
    rows = (_provider_row(row) for row in catalog.providers.values())
    return tuple(sorted(rows, key=lambda row: row.name.lower()))


def pricing(price: Price | None) -> dict[str, str]:
    """Return a price as decimal text, USD per unit, under OpenRouter's names."""
    if price is None:
        return dict(UNKNOWN_PRICE)
    shown = {
        "prompt": price_text(price.prompt),
        "completion": price_text(price.completion),
        "request": price_text(price.request or PicoUsd(0)),
        "image": price_text(price.image or PicoUsd(0)),
    }
    for field, name in PRICE_NAMES.items():
        value = getattr(price, field)
        if value is not None:
            shown[name] = price_text(value)
    return shown


def _model_row(model: Model, endpoints: Sequence[Endpoint]) -> ModelRow:
    lead = min(endpoints, key=_rank)
    id_ = model.id + FREE if lead.free else model.id
    contexts = [each.context for each in endpoints if each.context is not None]
    return ModelRow(
        id=id_,
        name=f"{model.name} (free)" if lead.free else model.name,
        display_name=model.name,
        canonical_slug=model.id,
        created=model.created,
        created_at=datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        owned_by=model.id.partition("/")[0],
        description=model.description,
        context_length=max(contexts, default=None),
        architecture=_architecture(
            model.id,
            frozenset().union(*(each.inputs for each in endpoints)),
            frozenset().union(*(each.outputs for each in endpoints)),
        ),
        pricing=pricing(lead.price),
        top_provider=TopProvider(
            context_length=lead.context, max_completion_tokens=lead.max_output
        ),
        supported_parameters=tuple(sorted(set().union(*(each.supports for each in endpoints)))),
        links=Links(details=f"/api/v1/models/{model.id}/endpoints"),
        hugging_face_id=model.hugging_face_id,
        knowledge_cutoff=model.knowledge,
    )


def _rank(endpoint: Endpoint) -> tuple[bool, bool, int, str]:
    """Order endpoints so that the one whose price is shown comes first: callable, known, cheap."""
    price = endpoint.price
    blend = 3 * price.prompt + price.completion if price else 0
    return not is_callable(endpoint), price is None, blend, endpoint.id


def _architecture(id_: str, inputs: Iterable[str], outputs: Iterable[str]) -> Architecture:
    into, out = _ordered(inputs), _ordered(outputs)
    lowered = id_.lower()
    found = (family for prefix, family in TOKENIZERS if lowered.startswith(prefix))
    return Architecture(
        modality=f"{'+'.join(into)}->{'+'.join(out)}",
        input_modalities=into,
        output_modalities=out,
        tokenizer=next(found, "Other"),
    )


def _ordered(modalities: Iterable[str]) -> tuple[str, ...]:
    rank = {name: position for position, name in enumerate(MODALITIES)}
    return tuple(sorted(modalities, key=lambda name: (rank.get(name, len(rank)), name)))


def _endpoint_row(model: Model, endpoint: Endpoint) -> EndpointRow:
    choice = "tool_choice" in endpoint.supports
    return EndpointRow(
        name=f"{endpoint.provider_name} | {model.id}{FREE if endpoint.free else ''}",
        model_id=model.id + FREE if endpoint.free else model.id,
        model_name=model.name,
        provider_name=endpoint.provider_name,
        tag=endpoint.tag,
        context_length=endpoint.context or 0,
        max_completion_tokens=endpoint.max_output,
        pricing=pricing(endpoint.price),
        quantization=endpoint.quantization,
        status=0 if is_callable(endpoint) else -1,
        configured=endpoint.configured,
        supported_parameters=tuple(sorted(endpoint.supports)),
        supports_tool_choice=ToolChoice(auto=choice, none=choice, required=choice, function=choice),
        supports_implicit_caching=(
            endpoint.price is not None and endpoint.price.cache_read is not None
        ),
    )


def _provider_row(row: Provider) -> ProviderRow:
    return ProviderRow(
        name=row.name,
        slug=row.slug,
        privacy_policy_url=row.privacy_url,
        terms_of_service_url=row.terms_url,
        status_page_url=row.status_url,
        headquarters=row.headquarters,
        datacenters=row.datacenters or None,
    )
