"""The models that `dragoman.yaml` declares at a host, as rows of the catalog.

Each comes out as a model with the one endpoint that this host serves;
`assemble` puts together what several hosts serve.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, time
from itertools import pairwise

from dragoman.catalog import tariff
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import (
    Amount,
    ModelOptions,
    PriceOptions,
    ProviderOptions,
    RateOptions,
    TierOptions,
    UpcomingOptions,
)
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import (
    DataPolicy,
    DatedPrice,
    Endpoint,
    Model,
    Price,
    PriceTier,
    Provider,
    Rate,
)
from dragoman.core.money import PicoUsd, price

FREE = ":free"
LONGEST_ID = 200
ALONE = frozenset({"embeddings", "rerank"})
"""What a model makes that makes nothing else, and is asked for in requests of its own kind."""
NO_AMOUNTS = frozenset({"above", "tiers", "rates"})
NO_PRICE = Price(prompt=PicoUsd(0), completion=PicoUsd(0))


def own_models(provider: Provider, options: ProviderOptions) -> tuple[Model, ...]:
    """Return the models declared under `providers.<slug>.models`. Raises CatalogError."""
    return tuple(_model(provider, options, id_, row) for id_, row in options.models.items())


def is_model_id(text: str) -> bool:
    """Say whether `text` can name a model: `author/name`, printable ASCII, not too long."""
    author, slash, name = text.partition("/")
    return (
        bool(author and slash and name)
        and len(text) <= LONGEST_ID
        and text.isascii()
        and text.isprintable()
        and not any(c in " ?#%\\,\"'<>" for c in text)
        and not text.endswith("/")
    )


def read_price(
    options: PriceOptions | None, place: str, outputs: Collection[str] = ()
) -> Price | None:
    """Return a declared price in integers, None when it is unknown. Raises CatalogError.

    Zero for prompt and completion means unknown too: only a declared free tier
    costs nothing. What reranks may be billed by search alone.
    """
    if options is None:
        return None
    amounts = _amounts(options, place)
    tiers = tuple(_tier(tier, f"{place}.tiers.{i}") for i, tier in enumerate(options.tiers))
    if any(b.min_prompt_tokens <= a.min_prompt_tokens for a, b in pairwise(tiers)):
        raise CatalogError(f"{place}.tiers", "each must begin above the one before")
    billed = amounts["prompt"] or amounts["completion"]
    if not billed and not ("rerank" in outputs and amounts.get("search")):
        return None
    return Price(**amounts, tiers=tiers, rates=_rates(options.rates))


def read_upcoming(options: Iterable[UpcomingOptions], place: str) -> tuple[DatedPrice, ...]:
    """Return declared prices of later days, which begin at midnight UTC. Raises CatalogError."""
    dated = tuple(
        DatedPrice(
            since=int(datetime.combine(each.from_, time(), UTC).timestamp()),
            price=read_price(each.price, f"{place}.{i}.price"),
        )
        for i, each in enumerate(options)
    )
    if any(b.since <= a.since for a, b in pairwise(dated)):
        raise CatalogError(place, "each must begin after the one before")
    return dated


def endpoint_id(tag: str, model: str, *, free: bool = False) -> str:
    """Return the id of an endpoint, unique in a catalog: `tag|model`, `tag|model:free`."""
    return f"{tag}|{model}{FREE if free else ''}"


def _model(provider: Provider, options: ProviderOptions, id_: str, row: ModelOptions) -> Model:
    place = f"providers.{provider.slug}.models.{id_}"
    free = row.free or id_.endswith(FREE)
    id_ = id_.removesuffix(FREE)
    if not is_model_id(id_):
        raise CatalogError(place, "write a model's id as author/name; aliases may be shorter")
    unknown = sorted(set(row.supports or ()) - PARAMETERS)
    if unknown:
        raise CatalogError(f"{place}.supports", f"{', '.join(unknown)}: no such parameter")
    if row.upstream is not None and not row.upstream.strip():
        raise CatalogError(f"{place}.upstream", "is empty")
    outputs = frozenset(row.outputs)
    if len(outputs) > 1 and outputs & ALONE:
        raise CatalogError(f"{place}.outputs", f"{min(outputs & ALONE)} must stand alone")
    supports = frozenset() if outputs <= ALONE else PARAMETERS
    endpoint = Endpoint(
        id=endpoint_id(provider.slug, id_, free=free),
        model=id_,
        provider=provider.slug,
        provider_name=provider.name,
        tag=provider.slug,
        upstream=row.upstream or id_.partition("/")[2],
        price=NO_PRICE if free else _price(options, row, place),
        free=free,
        upcoming=() if free else read_upcoming(row.upcoming, f"{place}.upcoming"),
        context=row.context,
        max_output=row.max_output,
        inputs=frozenset({"text", *row.inputs}),
        outputs=outputs,
        supports=supports if row.supports is None else frozenset(row.supports),
        quantization=row.quantization,
        policy=row.policy or DataPolicy(),
        region=row.region,
    )
    return Model(
        id=id_,
        name=row.name or id_,
        created=0,
        endpoints=(endpoint,),
        reasoning="reasoning" in (row.supports or ()),
    )


def _amounts(options: PriceOptions | TierOptions, place: str) -> dict[str, PicoUsd]:
    """Return the prices that are given, by unit. Raises CatalogError."""
    amounts: dict[str, PicoUsd] = {}
    for unit in options.__struct_fields__:
        value: Amount | None = None if unit in NO_AMOUNTS else getattr(options, unit)
        if value is None:
            continue
        try:
            amounts[unit] = price(value)
        except ValueError as error:
            raise CatalogError(f"{place}.{unit}", str(error)) from None
    return amounts


def _tier(options: TierOptions, place: str) -> PriceTier:
    amounts = _amounts(options, place)
    if not amounts:
        raise CatalogError(place, "names no price")
    return PriceTier(min_prompt_tokens=options.above, **amounts)


def _rates(options: RateOptions | None) -> tuple[Rate, ...]:
    if options is None:
        return ()
    named = {tier: getattr(options, tier) for tier in options.__struct_fields__}
    return tariff.rates({tier: times for tier, times in named.items() if times is not None})


def _price(options: ProviderOptions, row: ModelOptions, place: str) -> Price | None:
    if row.price is not None:
        return read_price(row.price, f"{place}.price", row.outputs)
    return read_price(options.price, f"{place.partition('.models.')[0]}.price", row.outputs)
