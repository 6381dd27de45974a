"""The catalog as clients read it: the bodies of the catalog's GET routes.

`GET /models` is one superset that OpenAI's, Anthropic's and OpenRouter's clients
all read (OpenRouter docs, "List models"; each has fields the others ignore). The
official OpenRouter SDKs validate strictly, so what their schema requires is
always there, and what is unknown looks as they allow:

- a price that is unknown is `-1` (see `pricing`);
- an endpoint's context that is unknown is 0, for the same reason;
- a model's context that is unknown is null.

Models are listed while a request that names nothing but the model can be served,
newest first; on demand, always. Free endpoints make a row of their own, `model:free`,
and so does an alias, with the facts of the model it leads to first.

Which of the rows a caller wants to see, and in what order, is told by `filters`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET, Struct, structs

from dragoman.catalog.efforts import must_reason
from dragoman.catalog.lookup import look_up
from dragoman.catalog.own import FREE
from dragoman.catalog.pricing import blended, pricing
from dragoman.catalog.rows import (
    AliasTarget,
    Architecture,
    EndpointRow,
    Links,
    Measured,
    ModelEndpoints,
    ModelRow,
    ModelsPage,
    PageLinks,
    ProviderRow,
    Reasoning,
    ToolChoice,
    TopProvider,
)
from dragoman.catalog.types import Alias, Catalog, Endpoint, Model, Provider

Availability = Literal["callable", "all"]
Measure = Callable[[str], Measured]
"""Endpoint id -> what this process has seen of it."""

NOT_MEASURED = Measured()
MODALITIES = ("text", "image", "file", "audio", "video")

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


def unmeasured(_: str) -> Measured:
    """Return that nothing was seen of an endpoint."""
    return NOT_MEASURED


class Listed(Struct, frozen=True, kw_only=True):
    """A row, the endpoints whose facts it sums up, and the one whose price it shows."""

    row: ModelRow
    model: Model
    endpoints: tuple[Endpoint, ...]
    lead: Endpoint


def listed(
    catalog: Catalog, availability: Availability = "callable", own: frozenset[str] = frozenset()
) -> tuple[Listed, ...]:
    """Return a row for every model and alias that can be called, or for all; newest first.

    `own` are endpoints that can be called besides, by their ids.
    """
    rows: list[Listed] = []
    for model in catalog.models.values():
        offered = [
            each
            for each in model.endpoints
            if availability == "all" or is_default_route(each) or each.id in own
        ]
        for free in (False, True):
            chosen = tuple(each for each in offered if each.free is free)
            if chosen:
                rows.append(_listed(model, chosen))
    rows.extend(_aliases(catalog, {each.row.id: each for each in rows}))
    return tuple(sorted(rows, key=lambda each: (-each.row.created, each.row.id)))


def is_callable(endpoint: Endpoint) -> bool:
    """Say whether this installation can send requests to the endpoint."""
    return endpoint.configured and endpoint.status == "active"


def is_default_route(endpoint: Endpoint) -> bool:
    """Say whether requests can reach the endpoint without naming its provider."""
    return endpoint.default_route and is_callable(endpoint)


def page(
    rows: Sequence[ModelRow],
    *,
    offset: int = 0,
    limit: int | None = None,
    path: str = "/api/v1/models",
) -> ModelsPage:
    """Return the rows from `offset` on, at most `limit`, as a body of `GET /models`.

    The link to the next page is `path`, which may hold a query, with its offset and limit.
    """
    end = len(rows) if limit is None else min(offset + limit, len(rows))
    data = tuple(rows[offset:end])
    more = end < len(rows)
    joint = "&" if "?" in path else "?"
    return ModelsPage(
        data=data,
        total_count=len(rows),
        links=PageLinks(next=f"{path}{joint}offset={end}&limit={limit}" if more else None),
        has_more=more,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )


def find(catalog: Catalog, name: str) -> Model | None:
    """Return the model that `name` means, None if there is none.

    Aliases, `~author/family-latest`, other spellings and ids of former days lead to their
    models. With `:free` the model has its free endpoints only.
    """
    target = _target(catalog, name)
    if target is None:
        return None
    id_, free = target
    model = catalog.models[id_]
    endpoints = tuple(each for each in model.endpoints if each.free or not free)
    return structs.replace(model, endpoints=endpoints) if endpoints else None


def model_row(model: Model) -> ModelRow:
    """Return the row of one model, for `GET /model/{author}/{slug}`, callable or not."""
    paid = tuple(each for each in model.endpoints if not each.free)
    return _listed(model, paid or model.endpoints).row


def model_endpoints(model: Model, measure: Measure = unmeasured) -> ModelEndpoints:
    """Return all endpoints of a model, for `GET /models/{author}/{slug}/endpoints`."""
    return ModelEndpoints(
        id=model.id,
        name=model.name,
        created=model.created,
        description=model.description,
        architecture=_architecture(model.id, model.inputs, model.outputs),
        endpoints=tuple(_endpoint_row(model, each, measure(each.id)) for each in model.endpoints),
    )


def zdr_endpoints(catalog: Catalog) -> tuple[Endpoint, ...]:
    """Return all endpoints that are known to retain nothing."""
    return tuple(
        each
        for model in catalog.models.values()
        for each in model.endpoints
        if each.policy.keeps_nothing
    )


def zdr_rows(catalog: Catalog, measure: Measure = unmeasured) -> tuple[EndpointRow, ...]:
    """Return all endpoints that are known to retain nothing, for `GET /endpoints/zdr`."""
    return tuple(
        _endpoint_row(catalog.models[each.model], each, measure(each.id))
        for each in zdr_endpoints(catalog)
    )


def provider_rows(catalog: Catalog) -> tuple[ProviderRow, ...]:
    """Return the rows of `GET /providers`, by name."""
    rows = (_provider_row(row) for row in catalog.providers.values())
    return tuple(sorted(rows, key=lambda row: row.name.lower()))


def tokenizer(id_: str) -> str:
    """Return the family of tokenizers a model belongs to, OpenRouter's `ModelGroup`."""
    lowered = id_.lower()
    return next((family for prefix, family in TOKENIZERS if lowered.startswith(prefix)), "Other")


def _target(catalog: Catalog, name: str) -> tuple[str, bool] | None:
    """Return the id of the model that a name leads to, and whether to its free endpoints only.

    An alias leads to the target of most weight; a request draws one (`dragoman.shaping`).
    """
    named = look_up(name, catalog)
    if named is None:
        return None
    free = "free" in named.variants
    if alias := catalog.aliases.get(named.known):
        named = look_up(_first_target(alias), catalog)
        free = free or (named is not None and "free" in named.variants)
    return (named.known, free) if named is not None and named.known in catalog.models else None


def _first_target(alias: Alias) -> str:
    return max(alias.targets, key=lambda pair: pair[1])[0]


def _aliases(catalog: Catalog, rows: Mapping[str, Listed]) -> Iterator[Listed]:
    """Yield a row for each alias and each `~…-latest` whose target is among `rows`."""
    for name in (*catalog.aliases, *catalog.latest):
        known, free = _target(catalog, name) or ("", False)
        found = rows.get(known + FREE if free else known)
        if found is None:
            continue
        title = name if name in catalog.aliases else f"{found.row.name} (latest)"
        row = structs.replace(
            found.row,
            id=name,
            name=title,
            display_name=title,
            alias_target=AliasTarget(name=found.row.name, slug=found.row.id),
        )
        yield structs.replace(found, row=row)


def _listed(model: Model, endpoints: tuple[Endpoint, ...]) -> Listed:
    lead = min(endpoints, key=_rank)
    row = _model_row(model, endpoints, lead)
    return Listed(row=row, model=model, endpoints=endpoints, lead=lead)


def _model_row(model: Model, endpoints: Sequence[Endpoint], lead: Endpoint) -> ModelRow:
    context = max((each.context for each in endpoints if each.context is not None), default=None)
    return ModelRow(
        id=model.id + FREE if lead.free else model.id,
        name=f"{model.name} (free)" if lead.free else model.name,
        display_name=model.name,
        canonical_slug=model.id,
        created=model.created,
        created_at=f"{datetime.fromtimestamp(model.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
        owned_by=model.id.partition("/")[0],
        description=model.description,
        context_length=context,
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
        lifecycle="deprecated" if model.deprecated else "active",
        max_input_tokens=context,
        max_tokens=lead.max_output,
        callable=is_default_route(lead),
        reasoning=_reasoning(model) if model.reasoning else UNSET,
    )


def _rank(endpoint: Endpoint) -> tuple[bool, bool, bool, int, str]:
    """Order endpoints so that the one whose price is shown comes first: callable, known, cheap."""
    price = endpoint.price
    return (
        not is_default_route(endpoint),
        not is_callable(endpoint),
        price is None,
        blended(price) if price else 0,
        endpoint.id,
    )


def _reasoning(model: Model) -> Reasoning:
    """Return what is known of a model's reasoning."""
    mandatory = must_reason(model.id, model.efforts)
    return Reasoning(mandatory=mandatory, supported_efforts=model.efforts or None)


def _architecture(id_: str, inputs: Iterable[str], outputs: Iterable[str]) -> Architecture:
    into, out = _ordered(inputs), _ordered(outputs)
    return Architecture(
        modality=f"{'+'.join(into)}->{'+'.join(out)}",
        input_modalities=into,
        output_modalities=out,
        tokenizer=tokenizer(id_),
    )


def _ordered(modalities: Iterable[str]) -> tuple[str, ...]:
    rank = {name: position for position, name in enumerate(MODALITIES)}
    return tuple(sorted(modalities, key=lambda name: (rank.get(name, len(rank)), name)))


def _endpoint_row(model: Model, endpoint: Endpoint, measured: Measured) -> EndpointRow:
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
        status=_status(endpoint, measured),
        configured=endpoint.configured,
        default_route=endpoint.default_route,
        region=endpoint.region,
        supported_parameters=tuple(sorted(endpoint.supports)),
        supports_tool_choice=ToolChoice(auto=choice, none=choice, required=choice, function=choice),
        supports_implicit_caching=(
            endpoint.price is not None and endpoint.price.cache_read is not None
        ),
        uptime_last_5m=measured.uptime_5m,
        uptime_last_30m=measured.uptime_30m,
        uptime_last_1d=measured.uptime_1d,
        latency_last_30m=measured.latency_ms,
        throughput_last_30m=measured.throughput,
    )


def _status(endpoint: Endpoint, measured: Measured) -> int:
    """Return OpenRouter's number (`EndpointStatus`), whose negative values it does not explain."""
    if endpoint.status != "active":
        return -2 if endpoint.status == "deprecated" else -3
    if not endpoint.configured:
        return -1
    return -5 if measured.in_outage else 0


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
