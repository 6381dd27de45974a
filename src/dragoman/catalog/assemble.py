"""Put hosts, shipped models, own models and aliases together into one catalog.

A model that several hosts serve is one model with several endpoints. What the
operator wrote counts before what is shipped, and that before what a host said
of itself. The result does not depend on the order in which things come in.
The indexes by which names are found are made here too, once per catalog.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite

from msgspec import Struct, structs

from dragoman.catalog import tariff
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Hosts, names
from dragoman.catalog.latest import is_served, latest
from dragoman.catalog.lookup import look_up
from dragoman.catalog.names import letters
from dragoman.catalog.options import AliasesOptions, Declared, Demo
from dragoman.catalog.own import ALONE, endpoint_id, is_model_id, own_models
from dragoman.catalog.spellings import spellings, upstream_names
from dragoman.catalog.typed_tools import takes_typed_tools
from dragoman.catalog.types import Alias, Catalog, DataPolicy, Endpoint, Model, Provider, Renamed

NAME = re.compile(r"[A-Za-z0-9._/-]{1,200}")

DEFAULT_KINDS = frozenset({"host", "demo"})
"""What is a default route without anybody's saying so."""


class Shipped(Struct, frozen=True, kw_only=True):
    """The rows that come with the package."""

    providers: dict[str, Provider]
    models: tuple[Model, ...]
    renamed: dict[str, Renamed] = {}


def assemble(
    shipped: Shipped,
    hosts: Hosts,
    declared: Declared,
    *,
    discovered: Iterable[Model] = (),
    dialects: frozenset[str] | None = None,
    now: int = 0,
) -> Catalog:
    """Return the catalog of this installation. Raises CatalogError.

    `dialects` are those that can be spoken, None for all: an endpoint of another is
    inactive. `now` is the Unix time whose prices count; those of later stay upcoming.
    """
    known = _without_demo(hosts.providers)
    rows = hosts.providers if _shows_demo(hosts, declared.demo, dialects) else known
    aliases = {name: _alias(name, to, declared.aliases) for name, to in declared.aliases.items()}
    own = [
        model
        for slug, options in declared.providers.items()
        for model in own_models(hosts.providers[slug], options)
    ]
    taken = {name.lower(): name for name in aliases}
    found = [model for model in discovered if model.id.lower() not in taken]
    asked = {slug for slug, options in declared.providers.items() if options.discover}
    asked |= {slug for slug, row in rows.items() if row.kind == "local"}
    sources = _Sources(_ordered(shipped.models), _ordered(own), _ordered(found), frozenset(asked))
    spoken = {slug for slug, row in rows.items() if dialects is None or row.dialect in dialects}
    models = _merged(sources, _Stamp(rows, hosts.configured, dialects, now))
    for id_ in models:
        if name := taken.get(id_.lower()):
            raise CatalogError(f"aliases.{name}", "is the id of a model")
    renamed = _renamed(shipped.renamed, models, taken)
    return Catalog(
        models=models,
        providers=rows,
        aliases=aliases,
        renamed=renamed,
        provider_names={name: row.slug for row in rows.values() for name in names(row)},
        spellings=spellings(
            models,
            aliases,
            (row.name for row in renamed.values()),
            upstream_names((m for m in shipped.models if m.id in models), rows),
        ),
        latest=latest(models.values()),
        free=tuple(id_ for id_, model in models.items() if _is_free(model)),
        configured=hosts.configured & spoken,
        letters={name: letters(name) for name in (*models, *aliases)},
    )


def dangling(catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Return the (alias, target) pairs whose target is no model of the catalog.

    Not an error: the target may be a model that a host has yet to tell of.
    """
    return tuple(
        (alias.name, target)
        for alias in catalog.aliases.values()
        for target, _ in alias.targets
        if look_up(target, catalog) is None
    )


class _Sources(Struct, frozen=True):
    """Models by who says so, each in an order of its own."""

    shipped: tuple[Model, ...]
    own: tuple[Model, ...]
    found: tuple[Model, ...]
    asked: frozenset[str]
    """Slugs of the providers whose discovered models the operator wants to use."""


def _ordered(models: Iterable[Model]) -> tuple[Model, ...]:
    return tuple(sorted(models, key=lambda m: (m.id, [endpoint.id for endpoint in m.endpoints])))


class _Stamp(Struct, frozen=True):
    """What an endpoint is told by this installation: its provider's row, and what can be called."""

    rows: Mapping[str, Provider]
    configured: frozenset[str]
    dialects: frozenset[str] | None
    """What can be spoken; None: everything."""
    now: int

    def on(self, endpoint: Endpoint, row: Provider, *, is_default: bool) -> Endpoint:
        """Return the endpoint with all that is known of it here and now."""
        dialect = dialect_of(endpoint, row)
        strange = self.dialects is not None and (dialect or row.dialect) not in self.dialects
        made = structs.replace(
            tariff.at(tariff.on_terms(endpoint, row.billing), self.now),
            provider_name=row.name,
            policy=row.policy if endpoint.policy == DataPolicy() else endpoint.policy,
            configured=row.slug in self.configured or row.dialect == "demo",
            dialect=dialect,
            status="inactive" if strange and endpoint.status == "active" else endpoint.status,
            default_route=endpoint.default_route and (is_default or row.kind in DEFAULT_KINDS),
        )
        return structs.replace(made, typed_tools=True) if takes_typed_tools(made, row) else made


def dialect_of(endpoint: Endpoint, row: Provider) -> str | None:
    """Return what an endpoint speaks, None where that is its provider's dialect.

    What is no chat is spoken of in a dialect of its own, named after the provider's.
    """
    kind = min(endpoint.outputs & ALONE, default=None)
    spoken = endpoint.dialect or row.spoken_with(endpoint.upstream)
    return spoken if kind is None else f"{spoken or row.dialect}-{kind}"


def _shows_demo(hosts: Hosts, demo: Demo, dialects: frozenset[str] | None) -> bool:
    """Say whether the demo is shown: by default until a host can be called without being named."""
    if demo != "auto":
        return demo == "on"
    configured = (hosts.providers[slug] for slug in hosts.configured)
    return not any(
        row.kind not in {"aggregator", "plan"} and (dialects is None or row.dialect in dialects)
        for row in configured
    )


def _without_demo(rows: Mapping[str, Provider]) -> dict[str, Provider]:
    return {slug: row for slug, row in rows.items() if row.dialect != "demo"}


def _is_free(model: Model) -> bool:
    return any(
        each.free and each.configured and each.status == "active" for each in model.endpoints
    )


def _renamed(
    rows: Mapping[str, Renamed], models: Mapping[str, Model], taken: Mapping[str, str]
) -> dict[str, Renamed]:
    """Return the rows that lead to a model, but for names of aliases and of served models."""
    names_ = {id_.lower() for id_, model in models.items() if is_served(model)} | taken.keys()
    return {name: row for name, row in rows.items() if row.target in models and name not in names_}


def _merged(sources: _Sources, stamp: _Stamp) -> dict[str, Model]:
    """Return the models by id, each with all endpoints whose provider has a row."""
    about: dict[str, Model] = {}
    for model in (*sources.shipped, *sources.own, *sources.found):
        about.setdefault(model.id.lower(), model)
    served: dict[str, list[Endpoint]] = {}
    for endpoint, is_default in _chosen(sources, about):
        if row := stamp.rows.get(endpoint.provider):
            stamped = stamp.on(endpoint, row, is_default=is_default)
            served.setdefault(endpoint.model, []).append(stamped)
    return {id_: _joined(about[id_.lower()], served[id_]) for id_ in sorted(served)}


def _chosen(sources: _Sources, about: Mapping[str, Model]) -> Iterator[tuple[Endpoint, bool]]:
    """Yield one endpoint per id: the operator's word first, then ours, then the host's.

    With each, whether it is a default route whatever its provider is: the operator wanted it.
    """
    chosen: dict[str, Endpoint] = {}
    for endpoint in _respelled(sources.own, about):
        if chosen.setdefault(endpoint.id, endpoint) is not endpoint:
            place = f"providers.{endpoint.provider}.models.{endpoint.model}"
            raise CatalogError(place, "is declared twice")
    wanted = set(chosen)
    for endpoint in _respelled(sources.shipped, about):
        chosen.setdefault(endpoint.id, endpoint)
    known = {(endpoint.provider, endpoint.upstream) for endpoint in chosen.values()}
    for endpoint in _respelled(sources.found, about):
        if (endpoint.provider, endpoint.upstream) not in known and endpoint.id not in chosen:
            chosen[endpoint.id] = endpoint
            if endpoint.provider in sources.asked:
                wanted.add(endpoint.id)
    for id_, endpoint in chosen.items():
        yield endpoint, id_ in wanted


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
