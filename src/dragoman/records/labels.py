"""Which names of apps, users and tags are told apart in the sums: the first so many of each kind.

They come from callers, who may send another with each request; sums per name must not
become as many as requests. Beyond the bound a name is added to `rollup.OTHERS`. What a
generation's own row says is never changed.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, select

from dragoman.records.tables import label
from dragoman.store.bulk import insert_new_rows

MOST = 10_000
"""How many names of a kind are told apart, ever."""

KINDS = ("app", "user", "tag")
ASKED_AT_ONCE = 500


def lost(connection: Connection, names: Sequence[set[str]]) -> tuple[set[str], ...]:
    """Return those names of apps, users and tags that are one too many, and note new ones."""
    return tuple(
        _lost(connection, kind, found) if found else set()
        for kind, found in zip(KINDS, names, strict=True)
    )


def _lost(connection: Connection, kind: str, names: set[str]) -> set[str]:
    """Return those of `names` that are one too many, having noted the rest."""
    new = sorted(names - _known(connection, kind, names))
    if not new:
        return set()
    count = select(func.count()).select_from(label).where(label.c.kind == kind)
    room = max(0, MOST - int(connection.execute(count).scalar_one()))
    insert_new_rows(connection, label, [(kind, name) for name in new[:room]])
    return set(new[room:])


def _known(connection: Connection, kind: str, names: Iterable[str]) -> set[str]:
    asked, known = sorted(names), set[str]()
    for start in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[start : start + ASKED_AT_ONCE]
        query = select(label.c.name).where(label.c.kind == kind, label.c.name.in_(some))
        known.update(connection.execute(query).scalars())
    return known
