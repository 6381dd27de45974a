"""A small catalog for tests: Llama 4 X at hosts named after nothing, at two prices and for free."""

from typing import Any

import msgspec

from dragoman.catalog.listing import listed
from dragoman.catalog.rows import ModelRow
from dragoman.catalog.types import Catalog, Endpoint, Model, Price
from dragoman.core.money import PicoUsd

CHEAP = Price(
    prompt=PicoUsd(150_000),
    completion=PicoUsd(600_000),
    cache_read=PicoUsd(75_000),
    image=PicoUsd(10**9),
)
DEAR = Price(prompt=PicoUsd(2_500_000), completion=PicoUsd(10_000_000), reasoning=PicoUsd(1))
FREE = Price(prompt=PicoUsd(0), completion=PicoUsd(0))


def endpoint(provider: str, price: Price | None, **fields: Any) -> Endpoint:
    id_ = f"{provider}|meta-llama/llama-4-x" + (":free" if fields.get("free") else "")
    known = {"id": id_, "model": "meta-llama/llama-4-x", "provider": provider, "tag": provider}
    return Endpoint(
        **{**known, "provider_name": provider.title(), "upstream": "m", "price": price, **fields}
    )


def model(*endpoints: Endpoint, **fields: Any) -> Model:
    known = {"id": "meta-llama/llama-4-x", "name": "Llama 4 X", "created": 1_700_000_000}
    return Model(endpoints=endpoints, **{**known, **fields})


def catalog(*models: Model, **fields: Any) -> Catalog:
    known = {each.id: each for each in models}
    spellings = {id_.lower(): id_ for id_ in known}
    return Catalog(**{"models": known, "providers": {}, "spellings": spellings, **fields})


def body(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def model_rows(told: Catalog) -> tuple[ModelRow, ...]:
    """Return a row for every model and alias that can be called, newest first."""
    return tuple(each.row for each in listed(told))
