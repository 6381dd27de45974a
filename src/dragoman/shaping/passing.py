"""Names that go to a provider as they are: what the catalog does not know, it may.

Only to providers that the caller names in `provider.only`, and that can be called. A
model that nobody here has heard of is passed on as it is written; a known one to an
aggregator whose list of models is not in the catalog. Such an endpoint exists for one
request: its price is unknown, and it is taken to support everything
that its API can say.
"""

from collections.abc import Iterator
from typing import get_args

from msgspec import structs

from dragoman.catalog.names import provider_slug
from dragoman.catalog.options import Modality
from dragoman.catalog.own import FREE, is_model_id
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.typed_tools import takes_typed_tools
from dragoman.catalog.types import Catalog, Endpoint, Provider
from dragoman.core.notes import Change, Note

DYNAMIC = frozenset({"exacto", "floor", "nitro", "online"})
"""Variants that mean something to this gateway only."""

INPUTS: frozenset[str] = frozenset(get_args(Modality))
OUTPUTS = INPUTS | {"embeddings"}


def unknown_id(name: str) -> str | None:
    """Return the id under which an unknown model is passed on, None if it can be none's.

    It is the name without the variants that are ours. `:free` stays: it is part of an id.
    """
    id_, _, variant = name.rpartition(":")
    while id_ and variant.lower() in DYNAMIC:
        name = id_
        id_, _, variant = name.rpartition(":")
    segments = name.split("/")
    fit = is_model_id(name if len(segments) > 1 else f"-/{name}") and not name.startswith(":")
    return name if fit and not {"", ".", ".."}.intersection(segments) else None


def unknown_model(id_: str, only: tuple[str, ...], catalog: Catalog) -> tuple[Endpoint, ...]:
    """Return an endpoint for an unknown model at each provider in `only` that can be called."""
    return tuple(
        _endpoint(provider, tag, id_, _upstream(id_, provider, catalog))
        for tag, provider in _callable(only, catalog)
    )


def known_model(
    id_: str, only: tuple[str, ...], catalog: Catalog, *, free: bool
) -> tuple[Endpoint, ...]:
    """Return an endpoint for a model at each aggregator in `only` whose list does not have it."""
    listed = {each.provider for each in catalog.models[id_].endpoints if each.free is free}
    upstream = id_ + FREE if free else id_
    return tuple(
        _endpoint(provider, tag, id_, upstream, free=free)
        for tag, provider in _callable(only, catalog)
        if provider.kind == "aggregator" and provider.slug not in listed
    )


def note(name: str, endpoint: Endpoint) -> Note:
    """Say that a name is passed on."""
    detail = (
        f"{name} is passed on to {endpoint.provider_name} as {endpoint.upstream}:"
        " the catalog does not have it there, and its price is unknown"
    )
    return Note(Change.RESOLVED, "model", detail, endpoint.provider)


def _callable(only: tuple[str, ...], catalog: Catalog) -> Iterator[tuple[str, Provider]]:
    """Yield each provider that can be called, once, with the tag that names it first."""
    tags: dict[str, str] = {}
    for tag in only:
        tags.setdefault(tag.partition("/")[0], tag)
    for slug, tag in tags.items():
        if slug in catalog.configured:
            yield tag, catalog.providers[slug]


def _upstream(id_: str, provider: Provider, catalog: Catalog) -> str:
    """Return what the provider calls the model: without its author, where that is the provider."""
    author, _, name = id_.partition("/")
    own = name and provider_slug(catalog, author) == provider.slug
    return name if own and provider.kind != "aggregator" else id_


def _endpoint(
    provider: Provider, tag: str, model: str, upstream: str, *, free: bool = False
) -> Endpoint:
    """Return an endpoint whose id is one for all that a provider is passed.

    Health is kept by it, for good. A tag will not do: what follows its slash is the caller's own.
    """
    made = Endpoint(
        id=f"{provider.slug}|*",
        model=model,
        provider=provider.slug,
        provider_name=provider.name,
        tag=tag,
        upstream=upstream,
        price=None,
        free=free,
        inputs=INPUTS,
        outputs=OUTPUTS,
        supports=PARAMETERS,
        policy=provider.policy,
    )
    return structs.replace(made, typed_tools=takes_typed_tools(made, provider))
