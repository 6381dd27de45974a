"""The models that a request names, as targets: aliases, variants, spelling.

A name is looked up as it stands, then without its `:variants`, then both again in
any case. So a model of its own that is called `x:thinking` is found before a variant
is looked for, and so is Ollama's `llama3:8b`. Static variants (`:thinking`,
`:extended`, `:batch`) exist only where the catalog lists them; the dynamic ones work
on every model and can be stacked (OpenRouter, model-variants).
"""

from collections.abc import Callable
from itertools import chain
from random import Random

from msgspec import Struct

from dragoman.catalog.ask import Target
from dragoman.catalog.names import nearest
from dragoman.catalog.types import Alias, Catalog
from dragoman.core.errors import AVAILABILITY_DOCS_URL, Availability, InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.wire.preferences import SortBy

SORTS: dict[str, SortBy] = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
VARIANTS = frozenset({"free", "online", *SORTS})


class Targets(Struct, frozen=True, kw_only=True):
    """The targets in the order to try them, and what was done to get there.

    `strategy` is OpenRouter's word: `fallback` for several models, else `alias`,
    `free` or `direct`.
    """

    targets: tuple[Target, ...]
    notes: tuple[Note, ...]
    strategy: str


class _Named(Struct, frozen=True):
    """What a name stands for: a model or an alias as the catalog spells it, and variants."""

    known: str
    variants: tuple[str, ...]


def find_targets(names: tuple[str, ...], catalog: Catalog, rng: Random) -> Targets:
    """Return a target for each name, the first of those that mean the same endpoints.

    Raises InvalidRequest in OpenRouter's words for a name that is no model's, with
    the three nearest ids.
    """
    targets: dict[tuple[str, bool], Target] = {}
    notes: list[Note] = []
    strategies: list[str] = []
    for name in names:
        named = _read(name, catalog)
        if named is None:
            raise _unknown(name, names, catalog)
        chosen = _dealiased(name, named, catalog, rng)
        target = _target(name, chosen)
        unaliased = "free" if target.free else "direct"
        strategies.append(unaliased if chosen is named else "alias")
        notes += _notes(name, named, chosen)
        first = targets.setdefault((target.model, target.free), target)
        if first is not target:
            detail = f"{name} means the same endpoints as {first.asked}, which comes first"
            notes.append(Note(Change.DROPPED, "models", detail))
    return Targets(
        targets=tuple(targets.values()),
        notes=tuple(notes),
        strategy="fallback" if len(targets) > 1 else strategies[0],
    )


def _read(name: str, catalog: Catalog) -> _Named | None:
    for spelled in (_exactly, _in_any_case):
        named = _without_variants(name, catalog, spelled)
        if named is not None:
            return named
    return None


def _without_variants(
    name: str, catalog: Catalog, spelled: Callable[[str, Catalog], str | None]
) -> _Named | None:
    variants: list[str] = []
    while True:
        known = spelled(name, catalog)
        if known is not None:
            return _Named(known, tuple(variants))
        name, _, variant = name.rpartition(":")
        if not name or variant.lower() not in VARIANTS:
            return None
        variants.append(variant.lower())


def _exactly(name: str, catalog: Catalog) -> str | None:
    return name if name in catalog.models or name in catalog.aliases else None


def _in_any_case(name: str, catalog: Catalog) -> str | None:
    name = name.lower()
    every = chain(catalog.aliases, catalog.models)
    return next((known for known in every if known.lower() == name), None)


def _dealiased(name: str, named: _Named, catalog: Catalog, rng: Random) -> _Named:
    """Return one of the models an alias stands for, drawn by weight; a model as it is."""
    alias = catalog.aliases.get(named.known)
    if alias is None:
        return named
    choices = _choices(alias, catalog)
    if not choices:
        models = ", ".join(target for target, _ in alias.targets)
        raise InvalidRequest(f"{name} is not a valid model ID: no such model as {models}")
    drawn = rng.choices([each for each, _ in choices], [weight for _, weight in choices])[0]
    return _Named(drawn.known, drawn.variants + named.variants)


def _choices(alias: Alias, catalog: Catalog) -> list[tuple[_Named, float]]:
    read = ((_read(target, catalog), weight) for target, weight in alias.targets)
    return [(named, weight) for named, weight in read if named and named.known in catalog.models]


def _target(name: str, named: _Named) -> Target:
    sorts = sorted({variant for variant in named.variants if variant in SORTS})
    if len(sorts) > 1:
        variants = " and ".join(f":{variant}" for variant in sorts)
        raise InvalidRequest(f"{name} is not a valid model ID: {variants} contradict each other")
    return Target(
        asked=name,
        model=named.known,
        free="free" in named.variants,
        sort=SORTS[sorts[0]] if sorts else None,
    )


def _notes(name: str, named: _Named, chosen: _Named) -> list[Note]:
    notes: list[Note] = []
    if chosen is not named:
        notes.append(Note(Change.RESOLVED, "model", f"{name} stands for {chosen.known}"))
    elif not name.startswith(named.known):
        notes.append(Note(Change.RESOLVED, "model", f"{name} is spelled {named.known}"))
    if "online" in chosen.variants:
        detail = f"{name} asks for web search, which has no effect in this version"
        notes.append(Note(Change.NOT_APPLIED, "model", detail))
    return notes


def _unknown(name: str, names: tuple[str, ...], catalog: Catalog) -> InvalidRequest:
    near = nearest(name.partition(":")[0], chain(catalog.models, catalog.aliases))
    hint = f". Did you mean {', '.join(near)}?" if near else ""
    return InvalidRequest(
        f"{name} is not a valid model ID{hint}",
        availability=Availability(
            code="model_not_found",
            retryable=False,
            requested_models=names,
            docs_url=AVAILABILITY_DOCS_URL,
            fallback_models=near,
        ),
    )
