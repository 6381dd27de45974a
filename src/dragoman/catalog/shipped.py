"""The hosts and models that come with the package, read from `data/`.

`providers.yaml` is written by hand, a row per host. `models.json` is generated
from models.dev (MIT licence) and checked in: a row per model, with the endpoints
that serve it. Prices are USD per unit, as text, so that no digit is lost. Where a
host asks more beyond a length of prompt, which a price here cannot say, the
endpoint's `context` ends at that length.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import Modality, PriceOptions
from dragoman.catalog.own import NO_PRICE, endpoint_id, read_price
from dragoman.catalog.types import Endpoint, Model, Provider, Quantization, Status

DATA = Path(__file__).parent / "data"


class EndpointRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model at a host. `variant` tells apart two endpoints of one model at one host."""

    provider: str
    upstream: str
    variant: str = ""
    price: PriceOptions | None = None
    context: int | None = None
    max_output: int | None = None
    inputs: tuple[Modality, ...] = ("text",)
    supports: tuple[str, ...] = ()
    quantization: Quantization = "unknown"
    free: bool = False
    status: Status = "active"


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


_decode_models = msgspec.json.Decoder(tuple[ModelRow, ...]).decode
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load() -> Shipped:
    """Read the shipped rows from the package. Raises CatalogError if they are damaged."""
    providers = read_providers((DATA / "providers.yaml").read_bytes())
    models = read_models((DATA / "models.json").read_bytes(), providers)
    return Shipped(providers=providers, models=models)


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
    return tuple(_model(row, providers) for row in rows)


def _provider(slug: str, row: object) -> Provider:
    if not isinstance(row, dict):
        raise CatalogError(f"providers.yaml: {slug}", "is not a mapping")
    unknown = {str(key) for key in row} - set(Provider.__struct_fields__)
    if unknown:
        raise CatalogError(
            f"providers.yaml: {slug}", f"unknown fields {', '.join(sorted(unknown))}"
        )
    try:
        return msgspec.convert({"dialect": "openai", **row, "slug": slug}, Provider)
    except msgspec.ValidationError as error:
        raise CatalogError(f"providers.yaml: {slug}", str(error)) from None


def _model(row: ModelRow, providers: Mapping[str, Provider]) -> Model:
    return Model(
        id=row.id,
        name=row.name,
        created=row.created,
        endpoints=tuple(_endpoint(row.id, each, providers) for each in row.endpoints),
        description=row.description,
        knowledge=row.knowledge,
        hugging_face_id=row.hugging_face_id,
        reasoning=row.reasoning,
    )


def _endpoint(model: str, row: EndpointRow, providers: Mapping[str, Provider]) -> Endpoint:
    place = f"models.json: {model} at {row.provider}"
    provider = providers.get(row.provider)
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
        price=NO_PRICE if row.free else read_price(row.price, place),
        free=row.free,
        context=row.context,
        max_output=row.max_output,
        inputs=frozenset(row.inputs),
        supports=frozenset(row.supports),
        quantization=row.quantization,
        status=row.status,
    )
