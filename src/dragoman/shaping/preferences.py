"""Provider names in a request, as the catalog spells them.

Callers write slugs, display names and older names in any case; routing compares
slugs exactly. A name that nobody knows is an error rather than a wish ignored; one that
OpenRouter knows and nobody here is a slug that no endpoint has.
"""

from collections.abc import Iterable

from msgspec import structs

from dragoman.catalog.elsewhere import elsewhere_slug
from dragoman.catalog.names import nearest, provider_slug
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.wire.preferences import Preferences

TIERS = ("/flex", "/priority")
"""How the slugs end by which OpenRouter knows what a provider sells in a service tier."""


def resolve(preferences: Preferences, catalog: Catalog) -> Preferences:
    """Return `preferences` with the slugs of the catalog. Raises InvalidRequest."""
    if not (preferences.order or preferences.only or preferences.ignore):
        return preferences
    return structs.replace(
        preferences,
        order=_slugs("order", preferences.order, catalog),
        only=_slugs("only", preferences.only, catalog),
        ignore=_slugs("ignore", preferences.ignore, catalog),
    )


def tier_notes(preferences: Preferences, models: Iterable[str], catalog: Catalog) -> list[Note]:
    """Return what to say of service tiers that are named as if they were endpoints of `models`.

    Raises InvalidRequest where nothing else may serve the request.
    """
    fields = {"order": preferences.order, "only": preferences.only, "ignore": preferences.ignore}
    named = [(f, slug) for f, slugs in fields.items() for slug in slugs if slug.endswith(TIERS)]
    if not named:
        return []
    known = [catalog.models[id_] for id_ in models if id_ in catalog.models]
    tags = {endpoint.tag for model in known for endpoint in model.endpoints}
    tiers = [(field, slug) for field, slug in named if slug not in tags]
    only = [slug for field, slug in tiers if field == "only"]
    if only and len(only) == len(preferences.only):
        raise InvalidRequest(f"provider.only: {_tier(only[0])}")
    return [Note(Change.NOT_APPLIED, f"provider.{field}", _tier(slug)) for field, slug in tiers]


def _tier(slug: str) -> str:
    provider, _, tier = slug.partition("/")
    return (
        f"{slug} names a service tier, which is no endpoint of its own here:"
        f" name {provider}, and send service_tier '{tier}'"
    )


def _slugs(field: str, names: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    known: dict[str, None] = {}
    unknown: list[str] = []
    for name in names:
        slug = provider_slug(catalog, name) or elsewhere_slug(name)
        if slug is None:
            unknown.append(name)
        else:
            known[slug] = None
    if unknown:
        raise InvalidRequest(f"provider.{field}: {_unknown(unknown, catalog)}")
    return tuple(known)


def _unknown(names: list[str], catalog: Catalog) -> str:
    """Return a sentence that names the unknown providers and what may have been meant."""
    listed = ", ".join(f"'{name}'" for name in names)
    meant = dict.fromkeys(
        catalog.provider_names[near]
        for name in names
        for near in nearest(name, catalog.provider_names, 1)
    )
    noun = "provider" if len(names) == 1 else "providers"
    hint = f" Did you mean {', '.join(meant)}?" if meant else ""
    return f"unknown {noun} {listed}.{hint}"
