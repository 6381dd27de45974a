"""The hosts and models that come with the package, read from `data/`.

`providers.yaml` is written by hand, a row per host; `models.json` is generated from models.dev
(MIT licence) by `dragoman catalog build`, a row per model with the endpoints that serve it; the
demo's models stand in `demo.json`, retired and other names in `names.yaml`. Prices are USD per
unit, as text, so that no digit is lost.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import yaml
from msgspec import Struct

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import Modality, PriceOptions, UpcomingOptions
from dragoman.catalog.own import NO_PRICE, endpoint_id, read_price, read_upcoming
from dragoman.catalog.renamed import read_renamed
from dragoman.catalog.types import Endpoint, Model, Price, Provider, Quantization, Status

DATA = Path(__file__).parent / "data"
FIELDS = frozenset(Provider.__struct_fields__)

Output = Literal[
    "text", "image", "embeddings", "audio", "video", "rerank", "speech", "transcription"
]
"""What comes out of a model (OpenRouter, guides/overview/models, `output_modalities`)."""

Spoken = Literal["responses", "responses-azure", "responses-xai"]
"""Dialects of endpoints that are not their host's (`dragoman.providers.registry`)."""


class EndpointRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model at a host. `variant` tells apart two endpoints of one model at one host."""

    provider: str
    upstream: str
    variant: str = ""
    price: PriceOptions | None = None
    upcoming: tuple[UpcomingOptions, ...] = ()
    context: int | None = None
    max_output: int | None = None
    inputs: tuple[Modality, ...] = ("text",)
    outputs: tuple[Output, ...] = ("text",)
    supports: tuple[str, ...] = ()
    quantization: Quantization = "unknown"
    region: str | None = None
    free: bool = False
    status: Status = "active"
    default_route: bool = True
    dialect: Spoken | None = None
    """What is spoken here, where that is not the host's dialect."""


class ModelRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model and who serves it. `created` is Unix time in seconds."""

    id: str
    name: str
    created: int
    endpoints: tuple[EndpointRow, ...]
    description: str = ""
    knowledge: str | None = None
    hugging_face_id: str | None = None
    reasoning: bool = False
    efforts: tuple[str, ...] = ()
    open_weights: bool | None = None
    family: str | None = None
    deprecated: bool = False


_decode_models = msgspec.json.Decoder(tuple[ModelRow, ...]).decode
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load() -> Shipped:
    """Read the shipped rows from the package. Raises CatalogError if they are damaged."""
    providers = read_providers((DATA / "providers.yaml").read_bytes())
    files = ("demo.json", "models.json")
    models = (read_models((DATA / name).read_bytes(), providers) for name in files)
    return Shipped(
        providers=providers,
        models=tuple(model for each in models for model in each),
        renamed=read_renamed((DATA / "names.yaml").read_bytes()),
    )


def read_providers(text: bytes) -> dict[str, Provider]:
    """Return the rows of a `providers.yaml` by slug. Raises CatalogError naming the slug."""
    try:
        rows = yaml.load(text, Loader=_SafeLoader)  # noqa: S506 (both are safe loaders)
    except yaml.YAMLError as error:
        raise CatalogError("providers.yaml", str(error)) from None
    if not isinstance(rows, dict):
        raise CatalogError("providers.yaml", "is not a mapping of slugs to rows")
    return {str(slug): _provider(str(slug), row) for slug, row in rows.items()}


def read_models(text: bytes, providers: Mapping[str, Provider]) -> tuple[Model, ...]:
    """Return the rows of a `models.json`. Raises CatalogError naming the model."""
    try:
        rows = _decode_models(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CatalogError("models.json", str(error)) from None
    return models_of(rows, providers)


def models_of(rows: Iterable[ModelRow], providers: Mapping[str, Provider]) -> tuple[Model, ...]:
    """Return rows as models. Raises CatalogError naming the model.

    Thousands of endpoints share a few hundred prices and sets of names, which are made once.
    """
    reader = _Reader(providers)
    return tuple(reader.model(row) for row in rows)


def _provider(slug: str, row: object) -> Provider:
    if not isinstance(row, dict):
        raise CatalogError(f"providers.yaml: {slug}", "is not a mapping")
    unknown = {str(key) for key in row} - FIELDS
    if unknown:
        raise CatalogError(
            f"providers.yaml: {slug}", f"unknown fields {', '.join(sorted(unknown))}"
        )
    try:
        return msgspec.convert({"dialect": "openai", **row, "slug": slug}, Provider)
    except msgspec.ValidationError as error:
        raise CatalogError(f"providers.yaml: {slug}", str(error)) from None


class _Reader:
    """Makes models of rows."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._set = cache(frozenset[str])
        self._prices: dict[tuple[PriceOptions | None, bool], Price | None] = {}

    def model(self, row: ModelRow) -> Model:
        return Model(
            id=row.id,
            name=row.name,
            created=row.created,
            endpoints=tuple(self._endpoint(row, each) for each in row.endpoints),
            description=row.description,
            knowledge=row.knowledge,
            hugging_face_id=row.hugging_face_id,
            reasoning=row.reasoning,
            efforts=row.efforts,
            open_weights=row.open_weights,
            family=row.family,
            deprecated=row.deprecated,
        )

    def _endpoint(self, of: ModelRow, row: EndpointRow) -> Endpoint:
        model = of.id
        place = f"models.json: {model} at {row.provider}"
        provider = self._providers.get(row.provider)
        if provider is None:
            raise CatalogError(place, "no such provider")
        tag = f"{row.provider}/{row.variant}" if row.variant else row.provider
        return Endpoint(
            id=endpoint_id(tag, model, free=row.free),
            model=model,
            provider=row.provider,
            provider_name=provider.name,
            tag=tag,
            upstream=row.upstream,
            price=NO_PRICE if row.free else self._price(row, place),
            upcoming=read_upcoming(row.upcoming, place),
            free=row.free,
            context=row.context,
            max_output=row.max_output,
            inputs=self._set(row.inputs),
            outputs=self._set(row.outputs),
            supports=self._set(row.supports),
            efforts=of.efforts,
            quantization=row.quantization,
            region=row.region,
            status=row.status,
            default_route=row.default_route,
            dialect=row.dialect,
        )

    def _price(self, row: EndpointRow, place: str) -> Price | None:
        key = row.price, "rerank" in row.outputs
        if key not in self._prices:
            self._prices[key] = read_price(row.price, place, row.outputs)
        return self._prices[key]
