"""What a model's name stands for: an id, an alias, a retired id, a family's newest model.

A name is looked up as it stands, then without its `:variants`. So a model of its own
that is called `x:thinking` is found before a variant is looked for, and so is Ollama's
`llama3:8b`. Static variants (`:thinking`, `:extended`, `:batch`) exist only where the
catalog lists them; the dynamic ones work on every model and can be stacked
(OpenRouter, model-variants). `:beta` once asked Anthropic to moderate by itself; it
has no meaning any more. Every look is into an index that `assemble` made.
"""

from typing import Literal

from msgspec import Struct, structs

from dragoman.catalog.types import Catalog

FREE_ROUTER = "openrouter/free"
"""Stands for any free model that can do what a request asks (OpenRouter, free-router)."""

VARIANTS = frozenset({"beta", "exacto", "floor", "free", "nitro", "online"})

How = Literal["exact", "case", "spelling", "renamed", "latest", "router"]
"""`case`: the same letters in another case; `spelling`: dashes for dots, no author, or a host's
own name for the model."""


class Named(Struct, frozen=True):
    """What a name stands for: a model's id, an alias or a router, and the variants it had."""

    known: str
    variants: tuple[str, ...]
    how: How
    why: str = ""
    """Of a renamed id: when and why it was."""


def look_up(name: str, catalog: Catalog) -> Named | None:
    """Return what `name` stands for, None when nobody knows it."""
    variants: list[str] = []
    while True:
        found = _known(name, catalog)
        if found is not None:
            return found if not variants else structs.replace(found, variants=tuple(variants))
        name, _, variant = name.rpartition(":")
        variant = variant.lower()
        if not name or variant not in VARIANTS:
            return None
        variants.append(variant)


def _known(name: str, catalog: Catalog) -> Named | None:
    if name == FREE_ROUTER:
        return Named(name, (), "router")
    lower = name.lower()
    if lower not in catalog.renamed and (name in catalog.models or name in catalog.aliases):
        return Named(name, (), "exact")
    known = catalog.spellings.get(lower) or catalog.spellings.get(lower.replace(".", "-"))
    renamed = catalog.renamed.get((known or lower).lower())
    if renamed is not None:
        return Named(renamed.target, (), "renamed", f"{renamed.dated}: {renamed.reason}")
    if known is not None:
        return Named(known, (), "case" if known.lower() == lower else "spelling")
    newest = catalog.latest.get(lower)
    return None if newest is None else Named(newest, (), "latest")
