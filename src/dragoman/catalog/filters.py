"""Which rows of `GET /models` a caller wants, and in what order: its query, read and applied.

Names, values and meanings are OpenRouter's (docs, API reference, "List models"); what
they leave open is decided in docs/catalog.md. A parameter that is not known is ignored,
as the web does; a value that is not known is an InvalidRequest that says which are. The
same holds for what this gateway has no data about: a list that silently leaves such a
wish out, or is empty because of it, would be a false answer.

Facts about an endpoint (what it can do, where it is, what it keeps) must all be true of
one and the same endpoint. Facts about a row (its price, age, author) are those it shows.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from msgspec import Struct

from dragoman.catalog.listing import TOKENIZERS, Availability, Listed, tokenizer
from dragoman.catalog.names import nearest, provider_slug
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.query import Range, amount, choice, count, flag, given, known, split, unknown
from dragoman.catalog.regions import REGIONS, lies_in
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import per_million

Sort = Literal[
    "newest",
    "pricing-low-to-high",
    "pricing-high-to-low",
    "context-high-to-low",
    "throughput-high-to-low",
    "latency-low-to-high",
    "most-popular",
    "top-weekly",
    "intelligence-high-to-low",
    "coding-high-to-low",
    "agentic-high-to-low",
    "design-arena-elo-high-to-low",
]

INPUTS = ("text", "image", "file", "audio", "video")
OUTPUTS = (
    "text", "image", "embeddings", "audio", "video", "rerank", "speech", "transcription", "all",
)  # fmt: skip
UNKNOWN_HERE = {
    "category": "what models are used for",
    "min_intelligence_index": "benchmarks",
    "max_intelligence_index": "benchmarks",
    "min_coding_index": "benchmarks",
    "max_coding_index": "benchmarks",
    "min_agentic_index": "benchmarks",
    "max_agentic_index": "benchmarks",
    "min_tool_success_rate": "how often tool calls succeed",
    "max_tool_success_rate": "how often tool calls succeed",
}
"""OpenRouter's parameters that ask for what no gateway can know by itself."""

DAY_S = 86_400
MOST_TOKENS = 1_000_000_000


class Filters(Struct, frozen=True, kw_only=True):
    """What a caller asked for. Empty and None: not asked."""

    availability: Availability = "callable"
    words: tuple[str, ...] = ()
    parameters: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset({"text"})
    """One of these is enough; empty: all models."""
    context: int = 0
    prompt: Range = Range()
    completion: Range = Range()
    age_days: Range = Range()
    families: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    """Slugs and tags."""
    distillable: bool | None = None
    zdr: bool = False
    region: str | None = None
    sort: Sort | None = None


def read(query: Mapping[str, str], catalog: Catalog) -> Filters:
    """Read a query. Raises InvalidRequest naming the value that is not understood."""
    query = given(query)
    for name, subject in UNKNOWN_HERE.items():
        if name in query:
            raise InvalidRequest(f"{name}: this gateway has no data on {subject}; leave it out")
    availability: tuple[Availability, ...] = get_args(Availability)
    sorts: tuple[Sort, ...] = get_args(Sort)
    return Filters(
        availability=choice(query, "availability", availability) or "callable",
        words=tuple(query.get("q", "").lower().split()),
        parameters=known(
            "supported_parameters", split(query, "supported_parameters"), sorted(PARAMETERS)
        ),
        inputs=known("input_modalities", split(query, "input_modalities"), INPUTS),
        outputs=_outputs(split(query, "output_modalities")),
        context=count(query, "context", least=0, most=MOST_TOKENS) or 0,
        prompt=_range(query, "price"),
        completion=_range(query, "output_price"),
        age_days=_range(query, "age_days"),
        families=_families(split(query, "arch"), catalog),
        authors=_authors(split(query, "model_authors"), catalog),
        providers=_providers(split(query, "providers"), catalog),
        distillable=flag(query, "distillable"),
        zdr=flag(query, "zdr") or False,
        region=choice(query, "region", REGIONS),
        sort=choice(query, "sort", sorts),
    )


def passing(
    rows: Iterable[Listed], filters: Filters, catalog: Catalog, now: float
) -> tuple[Listed, ...]:
    """Return the rows that pass the filters, in the order they came. `now` is Unix time."""
    return tuple(
        each
        for each in rows
        if _row_passes(each, filters, now)
        and any(_endpoint_passes(endpoint, filters, catalog) for endpoint in each.endpoints)
    )


def _row_passes(listed: Listed, filters: Filters, now: float) -> bool:
    row, price = listed.row, listed.lead.price
    prompt = per_million(price.prompt) if price else None
    completion = per_million(price.completion) if price else None
    text = f"{row.id} {row.name}".lower()
    age_days = (now - row.created) / DAY_S if row.created else None
    return (
        all(word in text for word in filters.words)
        and filters.prompt.holds(prompt)
        and filters.completion.holds(completion)
        and filters.age_days.holds(age_days)
        and (not filters.families or any(_is_of(listed.model, each) for each in filters.families))
        and (not filters.authors or _author(listed.model) in filters.authors)
        and (
            filters.distillable is not False
            or not any(endpoint.distillable for endpoint in listed.endpoints)
        )
    )


def _endpoint_passes(endpoint: Endpoint, filters: Filters, catalog: Catalog) -> bool:
    return (
        filters.parameters <= endpoint.supports
        and filters.inputs <= endpoint.inputs
        and (not filters.outputs or not filters.outputs.isdisjoint(endpoint.outputs))
        and (not filters.context or (endpoint.context or 0) >= filters.context)
        and (
            not filters.providers
            or not filters.providers.isdisjoint((endpoint.provider, endpoint.tag))
        )
        and (filters.distillable is not True or endpoint.distillable)
        and (not filters.zdr or endpoint.policy.keeps_nothing)
        and (
            filters.region is None
            or lies_in(filters.region, endpoint, catalog.providers.get(endpoint.provider))
        )
    )


def _outputs(values: tuple[str, ...]) -> frozenset[str]:
    outputs = known("output_modalities", values or ("text",), OUTPUTS)
    return frozenset() if "all" in outputs else outputs


def _range(query: Mapping[str, str], name: str) -> Range:
    return Range(amount(query, f"min_{name}"), amount(query, f"max_{name}"))


def _families(values: tuple[str, ...], catalog: Catalog) -> frozenset[str]:
    for value in values:
        if not any(_is_of(model, value.lower()) for model in catalog.models.values()):
            raise unknown("arch", value, dict.fromkeys(family for _, family in TOKENIZERS))
    return frozenset(value.lower() for value in values)


def _is_of(model: Model, family: str) -> bool:
    """Say whether a model is of a family, known by its own name or that of its tokenizer."""
    names = (tokenizer(model.id), model.family or "")
    return any(name.lower().startswith(family) for name in names)


def _authors(values: tuple[str, ...], catalog: Catalog) -> frozenset[str]:
    authors = {_author(model) for model in catalog.models.values()}
    for value in values:
        if value.lower() not in authors:
            raise unknown("model_authors", value, (*nearest(value, authors, 8), "…"))
    return frozenset(value.lower() for value in values)


def _author(model: Model) -> str:
    return model.id.partition("/")[0].lower()


def _providers(values: tuple[str, ...], catalog: Catalog) -> frozenset[str]:
    slugs: set[str] = set()
    for value in values:
        slug = provider_slug(catalog, value)
        if slug is None:
            raise unknown("providers", value, (*nearest(value, catalog.providers, 8), "…"))
        slugs.add(slug)
    return frozenset(slugs)
