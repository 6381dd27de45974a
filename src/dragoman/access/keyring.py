"""The rows of keys: how they are read, added and changed.

Each function is, or returns, a unit of work for `dragoman.store.sql.Database`.
Which change is allowed is decided in `dragoman.office.keys`.
"""

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, update

from dragoman.access.tables import api_key, epoch
from dragoman.access.types import Changes, Key
from dragoman.store.sql import Work

PRESENT_EPOCH = select(epoch.c.value)


def by_hash(hash_: str) -> Work[Key | None]:
    """Read the key with this SHA-256, whatever its state."""

    def work(connection: Connection) -> Key | None:
        row = connection.execute(select(api_key).where(api_key.c.hash == hash_)).mappings().first()
        return None if row is None else _key(row)

    return work


def every_key(connection: Connection) -> tuple[Key, ...]:
    """Read all keys, revoked ones too, newest first."""
    query = select(api_key).order_by(api_key.c.created_at.desc(), api_key.c.hash)
    rows = connection.execute(query).mappings()
    return tuple(_key(row) for row in rows)


def changes(since: int) -> Work[Changes]:
    """Read the present epoch, and which keys changed after `since`."""

    def work(connection: Connection) -> Changes:
        now: int = connection.execute(PRESENT_EPOCH).scalar_one()
        if now <= since:  # asked several times a second, and mostly so
            return Changes(now, ())
        query = select(api_key.c.hash).where(api_key.c.changed_epoch > since)
        return Changes(now, tuple(connection.execute(query).scalars()))

    return work


def add(connection: Connection, key: Key) -> None:
    """Insert `key`."""
    values = msgspec.structs.asdict(key)
    connection.execute(insert(api_key).values(values | {"changed_epoch": _next_epoch(connection)}))


def replace(connection: Connection, key: Key) -> None:
    """Write all fields of `key` over the row with its hash."""
    values = msgspec.structs.asdict(key)
    statement = update(api_key).where(api_key.c.hash == key.hash)
    connection.execute(statement.values(values | {"changed_epoch": _next_epoch(connection)}))


def _key(row: RowMapping) -> Key:
    return Key(**{name: row[name] for name in Key.__struct_fields__})


def _next_epoch(connection: Connection) -> int:
    connection.execute(update(epoch).values(value=epoch.c.value + 1))
    value: int = connection.execute(PRESENT_EPOCH).scalar_one()
    return value
