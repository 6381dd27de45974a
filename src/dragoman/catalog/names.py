"""Finding what a caller meant: the nearest model ids to a misspelt one, providers by any name."""

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from heapq import nlargest
from itertools import pairwise
from types import MappingProxyType

from dragoman.catalog.types import Catalog

SHORTLIST = 24
LONGEST = 48
"""Characters of a name that are compared; the rest does not help, and would cost time."""
BITS = 509
NOTHING_KNOWN: Mapping[str, int] = MappingProxyType({})


def letters(text: str) -> int:
    """Return which pairs of letters a text has, in any case, as bits.

    Others may share a bit, so what two texts have in common is told about right.
    """
    text, found = text.lower(), 0
    for first, second in pairwise(text):
        found |= 1 << (ord(first) * 37 + ord(second)) % BITS
    return found


def nearest(
    name: str, ids: Iterable[str], count: int = 3, known: Mapping[str, int] = NOTHING_KNOWN
) -> tuple[str, ...]:
    """Return the `count` ids most like `name`, best first; fewer only if there are fewer.

    A name without an author is compared with what follows the author. A cheap
    comparison of letter pairs picks a shortlist: a millisecond for thousands of ids whose
    `letters` are `known`, and ten without.
    """
    name = name.lower()[:LONGEST]
    pairs = letters(name)
    size = pairs.bit_count() + 1
    scored = (
        ((pairs & (known.get(id_) or letters(id_))).bit_count() / (size + len(id_)), id_)
        for id_ in ids
    )
    shortlist = (id_ for _, id_ in nlargest(max(SHORTLIST, count), scored))
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
