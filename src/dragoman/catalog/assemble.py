"""Put hosts, shipped models, own models and aliases together into one catalog.

A model that several hosts serve is one model with several endpoints. What the
operator wrote counts before what is shipped, and that before what a host said
of itself. The result does not depend on the order in which things come in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Literal

from msgspec import Struct, structs

from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Hosts, names
from dragoman.catalog.options import AliasesOptions, ProvidersOptions
from dragoman.catalog.own import endpoint_id, is_model_id, own_models
from dragoman.catalog.types import Alias, Catalog, DataPolicy, Endpoint, Model, Provider

NAME = re.compile(r"[A-Za-z0-9._/-]{1,200}")

Demo = Literal["auto", "on", "off"]


class Shipped(Struct, frozen=True, kw_only=True):
    """The rows that come with the package."""

    providers: dict[str, Provider]
    models: tuple[Model, ...]


def assemble(
    shipped: Shipped,
    hosts: Hosts,
    providers: ProvidersOptions,
    aliases: AliasesOptions,
    *,
    discovered: Iterable[Model] = (),
    demo: Demo = "auto",
) -> Catalog:
    """Return the catalog of this installation. Raises CatalogError.

    The demo providers join while no real provider is configured (`auto`), always
    (`on`) or never (`off`).
    """
    rows = hosts.providers if _shows_demo(hosts, demo) else _without_demo(hosts.providers)
    named = {name: _alias(name, targets, aliases) for name, targets in aliases.items()}
    own = [
        model
        for slug, options in providers.items()
        for model in own_models(hosts.providers[slug], options)
    ]
    taken = {name.lower(): name for name in named}
    found = [model for model in discovered if model.id.lower() not in taken]
    sources = _Sources(_ordered(shipped.models), _ordered(own), _ordered(found))
    models = _merged(sources, rows, hosts.configured)
    for id_ in models:
        if name := taken.get(id_.lower()):
            raise CatalogError(f"aliases.{name}", "is the id of a model")
    return Catalog(
        models=models,
        providers=rows,
        aliases=named,
        provider_names={name: row.slug for row in rows.values() for name in names(row)},
    )


def dangling(catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Return the (alias, target) pairs whose target is no model of the catalog.

    Not an error: the target may be a model that a host has yet to tell of.
    """
    known = {id_.lower() for id_ in catalog.models}
    return tuple(
        (alias.name, target)
        for alias in catalog.aliases.values()
        for target, _ in alias.targets
        if known.isdisjoint({target.lower(), target.lower().rpartition(":")[0]})
    )


class _Sources(Struct, frozen=True):
    """Models by who says so, each in an order of its own."""

    shipped: tuple[Model, ...]
    own: tuple[Model, ...]
    found: tuple[Model, ...]


def _ordered(models: Iterable[Model]) -> tuple[Model, ...]:
    return tuple(sorted(models, key=lambda m: (m.id, [endpoint.id for endpoint in m.endpoints])))


def _shows_demo(hosts: Hosts, demo: Demo) -> bool:
    if demo != "auto":
        return demo == "on"
    return all(hosts.providers[slug].kind == "aggregator" for slug in hosts.configured)


def _without_demo(rows: Mapping[str, Provider]) -> dict[str, Provider]:
    return {slug: row for slug, row in rows.items() if row.dialect != "demo"}


def _merged(
    sources: _Sources, rows: Mapping[str, Provider], configured: frozenset[str]
) -> dict[str, Model]:
    """Return the models by id, each with all endpoints whose provider is in `rows`."""
    about: dict[str, Model] = {}
    for model in (*sources.shipped, *sources.own, *sources.found):
        about.setdefault(model.id.lower(), model)
    served: dict[str, list[Endpoint]] = {}
    for endpoint in _chosen(sources, about):
        if row := rows.get(endpoint.provider):
            served.setdefault(endpoint.model, []).append(_stamped(endpoint, row, configured))
    return {id_: _joined(about[id_.lower()], served[id_]) for id_ in sorted(served)}


def _chosen(sources: _Sources, about: Mapping[str, Model]) -> Iterable[Endpoint]:
    """Return one endpoint per id: the operator's word first, then ours, then the host's."""
    chosen: dict[str, Endpoint] = {}
    for endpoint in _respelled(sources.own, about):
        if chosen.setdefault(endpoint.id, endpoint) is not endpoint:
            place = f"providers.{endpoint.provider}.models.{endpoint.model}"
            raise CatalogError(place, "is declared twice")
    for endpoint in _respelled(sources.shipped, about):
        chosen.setdefault(endpoint.id, endpoint)
    known = {(endpoint.provider, endpoint.upstream) for endpoint in chosen.values()}
    for endpoint in _respelled(sources.found, about):
        if (endpoint.provider, endpoint.upstream) not in known:
            chosen.setdefault(endpoint.id, endpoint)
    return chosen.values()


def _respelled(models: Iterable[Model], about: Mapping[str, Model]) -> Iterator[Endpoint]:
    """Yield the endpoints of `models` under the one spelling of each model's id."""
    for model in models:
        id_ = about[model.id.lower()].id
        for endpoint in model.endpoints:
            if endpoint.model == id_:
                yield endpoint
                continue
            new = endpoint_id(endpoint.tag, id_, free=endpoint.free)
            yield structs.replace(endpoint, id=new, model=id_)


def _stamped(endpoint: Endpoint, row: Provider, configured: frozenset[str]) -> Endpoint:
    """Return the endpoint with what its provider's row says of it."""
    return structs.replace(
        endpoint,
        provider_name=row.name,
        policy=row.policy if endpoint.policy == DataPolicy() else endpoint.policy,
        configured=row.slug in configured or row.dialect == "demo",
    )


def _joined(model: Model, endpoints: list[Endpoint]) -> Model:
    """Return the model with these endpoints, in the order of their ids, and what they can do."""
    return structs.replace(
        model,
        endpoints=tuple(sorted(endpoints, key=lambda endpoint: endpoint.id)),
        context=max((e.context for e in endpoints if e.context is not None), default=None),
        inputs=frozenset().union(*(endpoint.inputs for endpoint in endpoints)),
        outputs=frozenset().union(*(endpoint.outputs for endpoint in endpoints)),
    )


def _alias(
    name: str, targets: Mapping[str, float] | tuple[str, ...], all_: AliasesOptions
) -> Alias:
    """Read one alias. Raises CatalogError."""
    place = f"aliases.{name}"
    if not NAME.fullmatch(name):
        raise CatalogError(place, "a name is letters, digits, '.', '_', '-' and '/'")
    pairs = targets if isinstance(targets, Mapping) else dict.fromkeys(targets, 1.0)
    if not pairs:
        raise CatalogError(place, "names no model")
    for target, weight in pairs.items():
        if target in all_:
            raise CatalogError(f"{place}.{target}", "is an alias itself")
        if not is_model_id(target):
            raise CatalogError(f"{place}.{target}", "is not a model's id, author/name")
        if not (isfinite(weight) and weight > 0):
            raise CatalogError(f"{place}.{target}", "a weight is a number above 0")
    return Alias(
        name=name, targets=tuple((target, float(pairs[target])) for target in sorted(pairs))
    )
