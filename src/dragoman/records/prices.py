"""The versions of prices that generations were charged at, by their ids.

A generation names its price by id alone; what that was is kept here for as long as the
records are, whatever becomes of the catalog. Each function is, or returns, a unit of work.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, text

from dragoman.records.tables import price_version
from dragoman.store.sql import Work

AT_ONCE = 500

_KEEP = text(
    "INSERT INTO price_version (id, price, first_seen) VALUES (:id, :price, :now)"
    " ON CONFLICT (id) DO NOTHING"
)


class Version(Struct, frozen=True):
    """A price as JSON, and the Unix time at which it was first in force here."""

    id: str
    price: str
    first_seen: float


def keep(versions: Mapping[str, bytes], now: float) -> Work[int]:
    """Keep prices, id -> JSON; those that are there stay. Returns how many were new."""

    def work(connection: Connection) -> int:
        known = set(connection.execute(select(price_version.c.id)).scalars())
        fresh = sorted(versions.keys() - known)
        rows = [{"id": id_, "price": versions[id_].decode(), "now": now} for id_ in fresh]
        if rows:
            connection.execute(_KEEP, rows)
        return len(rows)

    return work


def find(ids: Iterable[str]) -> Work[dict[str, Version]]:
    """Read the versions of these ids; those that are not there are left out."""
    wanted = sorted(set(ids))
    query = select(price_version).where(price_version.c.id.in_(bindparam("ids", expanding=True)))

    def work(connection: Connection) -> dict[str, Version]:
        found: dict[str, Version] = {}
        for start in range(0, len(wanted), AT_ONCE):
            rows = connection.execute(query, {"ids": wanted[start : start + AT_ONCE]})
            found |= {row.id: Version(row.id, row.price, row.first_seen) for row in rows}
        return found

    return work
