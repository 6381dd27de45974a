"""Finding what a caller meant: the nearest model ids to a misspelt one, providers by any name."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from heapq import nlargest

from dragoman.catalog.types import Catalog

SHORTLIST = 24
LONGEST = 48
"""Characters of a name that are compared; the rest does not help, and would cost time."""


def nearest(name: str, ids: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Return the `count` ids most like `name`, best first; fewer only if there are fewer.

    A name without an author is compared with what follows the author. A cheap
    comparison of letter pairs picks a shortlist, so that thousands of ids take
    milliseconds.
    """
    name = name.lower()[:LONGEST]
    pairs = {name[i : i + 2] for i in range(len(name) - 1)}

    def shared(id_: str) -> tuple[float, str]:
        text = id_.lower()
        return sum(map(text.__contains__, pairs)) / (len(pairs) + len(text) + 1), id_

    shortlist = nlargest(max(SHORTLIST, count), ids, key=shared)
    return tuple(sorted(shortlist, key=lambda id_: (-_likeness(name, id_), id_))[:count])


def provider_slug(catalog: Catalog, name: str) -> str | None:
    """Return the slug of the provider known by `name`: slug, display name or alias, in any case.

    `slug/variant` keeps its variant, in lower case as tags are. None: no such provider.
    """
    name = name.strip().lower()
    known = catalog.provider_names.get(name)
    if known is not None:
        return known
    base, slash, variant = name.partition("/")
    known = catalog.provider_names.get(base)
    return f"{known}/{variant}" if known is not None and slash and variant else None


def _likeness(name: str, id_: str) -> float:
    text = id_.lower()
    if "/" not in name:
        text = text.rpartition("/")[2]
    return SequenceMatcher(None, name, text, autojunk=False).ratio()
