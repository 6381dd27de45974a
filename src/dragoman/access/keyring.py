"""The rows of keys: how they are read, added and changed.

Each function is, or returns, a unit of work for `dragoman.store.sql.Database`.
Which change is allowed is decided in `dragoman.office.keys`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from dragoman.access.tables import api_key, epoch
from dragoman.access.types import Changes, Key
from dragoman.store.sql import Work, announce

PRESENT_EPOCH = select(epoch.c.value)
LISTS = ("allowed_models", "allowed_providers")
MOST_CHANGES = 5000
"""How many keys are told of at once: what a reader takes in within a millisecond."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which inference keys of an account to list, of those that were not revoked."""

    account: str
    offset: int = 0
    limit: int = 100
    disabled: bool = False
    expired: bool = False
    creator: str | None = None
    """Only those of this member."""


def by_hash(hash_: str) -> Work[Key | None]:
    """Read the key with this SHA-256, whatever its state."""

    def work(connection: Connection) -> Key | None:
        row = connection.execute(select(api_key).where(api_key.c.hash == hash_)).mappings().first()
        return None if row is None else _key(row)

    return work


def by_hashes(hashes: Iterable[str]) -> Work[dict[str, Key]]:
    """Read keys by their SHA-256, whatever their state. Those that are not there are left out."""
    query = select(api_key).where(api_key.c.hash.in_(sorted(hashes)))

    def work(connection: Connection) -> dict[str, Key]:
        return {row["hash"]: _key(row) for row in connection.execute(query).mappings()}

    return work


def every_key(connection: Connection) -> tuple[Key, ...]:
    """Read all keys, revoked ones too, newest first."""
    query = select(api_key).order_by(api_key.c.created_at.desc(), api_key.c.hash)
    rows = connection.execute(query).mappings()
    return tuple(_key(row) for row in rows)


def listed(wanted: Wanted, now: float) -> Work[tuple[Key, ...]]:
    """Read a page of inference keys, newest first."""
    column = api_key.c
    query = (
        select(api_key)
        .where(column.account == wanted.account, column.kind == "inference")
        .where(column.revoked_at.is_(None))
        .order_by(column.created_at.desc(), column.hash)
        .offset(wanted.offset)
        .limit(wanted.limit)
    )
    if wanted.creator is not None:
        query = query.where(column.creator == wanted.creator)
    if not wanted.disabled:
        query = query.where(column.disabled.is_(False))
    if not wanted.expired:
        query = query.where(or_(column.expires_at.is_(None), column.expires_at > now))
    return lambda connection: tuple(map(_key, connection.execute(query).mappings()))


def names(account: str) -> Work[dict[str, str]]:
    """Read the name of every key of an account by its hash, those of revoked keys too."""
    query = select(api_key.c.hash, api_key.c.name).where(api_key.c.account == account)
    return lambda connection: {row.hash: row.name for row in connection.execute(query)}


def changes(since: int, after: str = "") -> Work[Changes]:
    """Read the present epoch, and which keys changed after `since`: those behind `after`.

    In the order of their hashes, and so many at most that they pass from process to process.
    """

    def work(connection: Connection) -> Changes:
        now: int = connection.execute(PRESENT_EPOCH).scalar_one()
        if now <= since:  # asked several times a second, and mostly so
            return Changes(now, ())
        query = select(api_key.c.hash).where(api_key.c.changed_epoch > since)
        query = query.where(api_key.c.hash > after).order_by(api_key.c.hash).limit(MOST_CHANGES)
        keys = tuple(connection.execute(query).scalars())
        return Changes(now, keys, more=len(keys) == MOST_CHANGES)

    return work


def add(connection: Connection, key: Key) -> None:
    """Insert `key`."""
    values = row_of(key) | {"changed_epoch": take_epoch(connection)}
    connection.execute(insert(api_key).values(values))


def replace(connection: Connection, key: Key) -> None:
    """Write all fields of `key` over the row with its hash."""
    values = row_of(key) | {"changed_epoch": take_epoch(connection)}
    connection.execute(update(api_key).where(api_key.c.hash == key.hash).values(values))


def touch(connection: Connection, account: str | None = None) -> None:
    """Take an epoch for a change of all keys of an account; of none, for the order of the audit."""
    present = take_epoch(connection)
    if account is not None:
        theirs = update(api_key).where(api_key.c.account == account)
        connection.execute(theirs.values(changed_epoch=present))


def take_turn(connection: Connection) -> None:
    """Let changes of keys, credentials and accounts follow one another: this one waits for others.

    Before anything that is changed is read or locked: who reads first and writes then undoes what
    another wrote in between, and who holds a purse already may be waited for.
    """
    connection.execute(PRESENT_EPOCH.with_for_update())


def take_epoch(connection: Connection) -> int:
    """Return the next epoch. Who takes one at the same time waits for the commit of this."""
    # The row stays locked until the commit, so that epochs become visible in their order.
    announce(connection)
    connection.execute(update(epoch).values(value=epoch.c.value + 1))
    value: int = connection.execute(PRESENT_EPOCH).scalar_one()
    return value


def _key(row: RowMapping) -> Key:
    values: dict[str, Any] = {name: row[name] for name in Key.__struct_fields__}
    return Key(**values | {name: tuple(msgspec.json.decode(row[name])) for name in LISTS})


def row_of(key: Key) -> dict[str, Any]:
    """Return the columns of a key, all but its epoch."""
    values = msgspec.structs.asdict(key)
    return values | {name: msgspec.json.encode(values[name]).decode() for name in LISTS}
