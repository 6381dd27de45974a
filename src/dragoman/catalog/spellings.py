"""The index of everything that names a model or an alias, made once per catalog.

Four ways of writing an id are understood without a row of their own, each only where
it means one model: another case, dashes for dots (`claude-sonnet-4-5`), no author
(`gpt-4o`), and a host's own name for the model, alone or behind the host or the author
(`claude-sonnet-4-5-20250929`, `togetherai/Qwen/QwQ-32B`). A stronger way wins over a
weaker, also where it is ambiguous.
"""

from collections.abc import Iterable, Mapping

from dragoman.catalog.types import Model, Provider


def spellings(
    models: Iterable[str],
    aliases: Iterable[str],
    renamed: Iterable[str],
    upstream: Iterable[tuple[str, str]] = (),
) -> dict[str, str]:
    """Return lower-cased spelling -> the id of a model, name of an alias, or name of a rename.

    `upstream` are pairs of a host's own name and the id of a model.
    """
    ids, old = tuple(models), tuple(renamed)
    index: dict[str, str | None] = {name.lower(): name for name in (*old, *ids, *aliases)}
    for pairs in (
        ((dashed(id_), id_) for id_ in ids),
        ((dashed(name), name) for name in old),
        ((bare(id_), id_) for id_ in ids),
        ((bare(name), name) for name in old),
        ((dashed(name), id_) for name, id_ in upstream),
    ):
        for spelling, found in _meant(pairs).items():
            index.setdefault(spelling, found)
    return {spelling: found for spelling, found in index.items() if found is not None}


def upstream_names(
    models: Iterable[Model], rows: Mapping[str, Provider]
) -> Iterable[tuple[str, str]]:
    """Yield how hosts that serve models themselves call them: pairs of name and model id.

    Alone, after the host (as models.dev has it: `mistral/mistral-large-2512`), and after
    the author.
    """
    for model in models:
        author = model.id.partition("/")[0]
        for endpoint in model.endpoints:
            row = rows.get(endpoint.provider)
            if row is None or row.kind != "host" or endpoint.free:
                continue
            yield endpoint.upstream, model.id
            yield f"{row.source or row.slug}/{endpoint.upstream}", model.id
            if "/" not in endpoint.upstream:
                yield f"{author}/{endpoint.upstream}", model.id


def dashed(name: str) -> str:
    """Return a name in lower case, with dashes for dots."""
    return name.lower().replace(".", "-")


def bare(name: str) -> str:
    """Return a name without its author, as `dashed` spells it."""
    return dashed(name.partition("/")[2])


def _meant(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return what each spelling means; one of two ids means neither, which is None."""
    found: dict[str, str | None] = {}
    for spelling, id_ in pairs:
        if found.setdefault(spelling, id_) != id_:
            found[spelling] = None
    return found
