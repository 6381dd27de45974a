"""The way from rows, settings and lists of models to a catalog, in a small world."""

from collections.abc import Mapping
from typing import Any

import msgspec

from dragoman.catalog.assemble import Shipped, assemble
from dragoman.catalog.discover import discovered
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import (
    AliasesOptions,
    Declared,
    Demo,
    ProviderOptions,
    ProvidersOptions,
)
from dragoman.catalog.types import Catalog, DataPolicy, Endpoint, Model, Price, Provider
from dragoman.core.money import PicoUsd

CHEAP = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000))
POLICY = DataPolicy(trains=False)


def row(slug: str, **fields: Any) -> Provider:
    """Return the row of a host that a variable of its name opens."""
    known = {"name": slug.title(), "dialect": "openai", "base_url": f"https://{slug}.example/v1"}
    return Provider(slug=slug, **{**known, "keys": (f"{slug.upper()}_API_KEY",), **fields})


def served(model: str, *providers: str, **fields: Any) -> Model:
    """Return a shipped model at these providers."""
    endpoints = tuple(
        Endpoint(
            id=f"{slug}|{model}",
            model=model,
            provider=slug,
            provider_name=slug,
            tag=slug,
            upstream=f"{slug}-name",
            price=CHEAP,
            **fields,
        )
        for slug in providers
    )
    return Model(id=model, name=f"Shipped {model}", created=1, endpoints=endpoints)


SHIPPED = Shipped(
    providers={
        each.slug: each
        for each in (
            row("north", policy=POLICY),
            row("south", aliases=("the-south",)),
            row("broker", kind="aggregator"),
            row("subscription", kind="plan"),
            row("box", kind="local", auth="none", keys=()),
            row(
                "demo-swift", dialect="demo", base_url="demo://demo-swift/v1", keys=(), auth="none"
            ),
        )
    },
    models=(
        served("meta/llama", "south", "north", context=1000),
        served("demo/parrot", "demo-swift"),
    ),
)


def build(
    providers: Mapping[str, Any] | None = None,
    aliases: Mapping[str, Any] | None = None,
    *,
    keys: tuple[str, ...] = (),
    lists: Mapping[str, Any] | None = None,
    demo: Demo = "auto",
    shipped: Shipped = SHIPPED,
) -> Catalog:
    """Return the catalog that these YAML values, variables and lists of models make."""
    options = msgspec.convert(providers or {}, ProvidersOptions)
    found = hosts(shipped.providers, options, {f"{slug.upper()}_API_KEY": "k" for slug in keys})
    told = [
        model
        for slug, answer in (lists or {}).items()
        for model in discovered(
            found.providers[slug],
            options.get(slug, ProviderOptions()),
            msgspec.json.encode({"data": answer}),
        )
    ]
    named = msgspec.convert(aliases or {}, AliasesOptions)
    declared = Declared(providers=options, aliases=named, demo=demo)
    return assemble(shipped, found, declared, discovered=told)


def acme(**model: Any) -> dict[str, Any]:
    """Return a host of one's own with one model."""
    return {"base_url": "http://127.0.0.1:1/v1", "models": {"acme/turbo": model}}
