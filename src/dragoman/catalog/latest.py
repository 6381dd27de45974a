"""Which model of a family is its newest: what `~author/family-latest` stands for.

A family is what the catalog says a model belongs to (`claude-opus`); one of several
(`kimi`) is joined from those that begin with its name. Only concrete models that
answer in text count, and of a model and its offshoots (`gpt-5.5`, `gpt-5.5-fast`) only
the model itself. Those that can be called here are preferred, so that the name
works with whatever provider there is (OpenRouter, latest-resolution).
"""

from collections.abc import Iterable

from dragoman.catalog.types import Model

TEXT = frozenset({"text"})


def latest(models: Iterable[Model]) -> dict[str, str]:
    """Return `~author/family-latest`, in lower case, -> the id of the newest model."""
    exact: dict[str, list[Model]] = {}
    joint: dict[str, list[Model]] = {}
    for model in models:
        if model.family is None or not _counts(model):
            continue
        author = model.id.partition("/")[0]
        words = model.family.lower().split("-")
        exact.setdefault(_slug(author, words), []).append(model)
        for count in range(1, len(words)):
            joint.setdefault(_slug(author, words[:count]), []).append(model)
    return {slug: _newest(members) for slug, members in {**joint, **exact}.items()}


def is_served(model: Model) -> bool:
    """Say whether a request that names nothing but the model can be served here."""
    return any(
        each.configured and each.status == "active" and each.default_route and not each.free
        for each in model.endpoints
    )


def _slug(author: str, words: list[str]) -> str:
    return f"~{author}/{'-'.join(words)}-latest".lower()


def _counts(model: Model) -> bool:
    """Say whether a model can be the newest of anything: visible, concrete, a writer of text."""
    return (
        not model.deprecated
        and not model.id.endswith("-latest")
        and model.outputs == TEXT
        and any(not each.free and each.status != "deprecated" for each in model.endpoints)
    )


def _newest(members: list[Model]) -> str:
    stems = [model for model in members if not _is_offshoot(model, members)]
    ready = [model for model in stems if is_served(model)]
    return max(ready or stems, key=lambda model: (model.created, model.id)).id


def _is_offshoot(model: Model, members: list[Model]) -> bool:
    """Say whether a member's id is another's with a word behind it. A number is a version."""
    return any(
        model.id.startswith(f"{other.id}-") and model.id[len(other.id) + 1 :][:1].isalpha()
        for other in members
    )
