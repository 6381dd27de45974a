"""The rows of accounts' own credentials: how they are read, added and changed.

Every change takes the next epoch for all keys of the account, in the same transaction: what
a gate remembers of them is forgotten within a second, and so is what they bring along.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from dragoman.access import keyring, members
from dragoman.access.byok_tables import data_key, own_credential
from dragoman.access.consent import stores_content
from dragoman.access.types import Known, OwnCredential
from dragoman.store.kek import Wrapped
from dragoman.store.sql import Work

LISTS = ("allowed_models", "allowed_keys", "allowed_users")


class Wanted(Struct, frozen=True, kw_only=True):
    """Which credentials of an account to list, of those that were not deleted."""

    account: str
    provider: str | None = None
    offset: int = 0
    limit: int = 50


def known(hash_: str) -> Work[Known | None]:
    """Read the key with this SHA-256, whatever its state, and what its account brings along."""

    def work(connection: Connection) -> Known | None:
        key = keyring.by_hash(hash_)(connection)
        if key is None:
            return None
        query = _live(key.account).where(own_credential.c.disabled.is_(False))
        own = tuple(map(_credential, connection.execute(query).mappings()))
        wrapped = wrapped_key(connection, key.account) if own else None
        return Known(
            **msgspec.structs.asdict(key),
            own=own,
            data_key=wrapped,
            store_content=stores_content(connection, key.account),
            member=None if key.creator is None else members.by_id(connection, key.creator),
        )

    return work


def by_id(connection: Connection, account: str, id_: str) -> OwnCredential | None:
    """Read a credential of the account, None if it has none of this id that still exists."""
    query = _live(account).where(own_credential.c.id == id_)
    row = connection.execute(query).mappings().first()
    return None if row is None else _credential(row)


def listed(wanted: Wanted) -> Work[tuple[tuple[OwnCredential, ...], int]]:
    """Read a page of credentials by provider and the order they are tried in; and how many."""
    query = _live(wanted.account)
    if wanted.provider is not None:
        query = query.where(own_credential.c.provider == wanted.provider)
    total = select(func.count()).select_from(query.order_by(None).subquery())

    def work(connection: Connection) -> tuple[tuple[OwnCredential, ...], int]:
        rows = connection.execute(query.offset(wanted.offset).limit(wanted.limit)).mappings()
        found = tuple(map(_credential, rows))
        return found, int(connection.execute(total).scalar_one())

    return work


def accounts(connection: Connection) -> tuple[OwnCredential, ...]:
    """Read the credentials of all accounts."""
    table = own_credential.c
    query = select(own_credential).where(table.deleted_at.is_(None))
    rows = connection.execute(
        query.order_by(table.account, table.provider, table.sort_order, table.id)
    )
    return tuple(map(_credential, rows.mappings()))


def any_usable(connection: Connection) -> bool:
    """Say whether any account has a credential of its own that is not disabled."""
    table = own_credential.c
    query = select(table.id).where(table.deleted_at.is_(None), table.disabled.is_(False)).limit(1)
    return connection.execute(query).first() is not None


def next_place(connection: Connection, account: str, provider: str) -> int:
    """Return the `sort_order` that comes after all others of the account at a provider."""
    table = own_credential.c
    last = select(func.max(table.sort_order)).where(
        table.account == account, table.provider == provider, table.deleted_at.is_(None)
    )
    found = connection.execute(last).scalar()
    return 0 if found is None else int(found) + 1


def add(connection: Connection, made: OwnCredential) -> None:
    """Insert `made`."""
    keyring.touch(connection, made.account)
    connection.execute(insert(own_credential).values(_row_of(made)))


def replace(connection: Connection, made: OwnCredential) -> None:
    """Write all fields of `made` over the row with its id."""
    keyring.touch(connection, made.account)
    table = own_credential.c
    ours = (table.id == made.id, table.account == made.account)
    connection.execute(update(own_credential).where(*ours).values(_row_of(made)))


def wrapped_key(connection: Connection, account: str) -> Wrapped | None:
    """Read the data key of an account, None while it has none."""
    query = select(data_key.c.kek, data_key.c.sealed).where(data_key.c.account == account)
    row = connection.execute(query).first()
    return None if row is None else Wrapped(row.kek, row.sealed)


def wrapped_keys(connection: Connection) -> dict[str, Wrapped]:
    """Read all data keys, by account."""
    rows = connection.execute(select(data_key).order_by(data_key.c.account))
    return {row.account: Wrapped(row.kek, row.sealed) for row in rows}


def add_key(connection: Connection, account: str, wrapped: Wrapped) -> None:
    """Insert the data key of an account."""
    values = {"account": account, **msgspec.structs.asdict(wrapped)}
    connection.execute(insert(data_key).values(values))


def replace_key(connection: Connection, account: str, wrapped: Wrapped) -> None:
    """Write the data key of an account over the one there is."""
    change = update(data_key).where(data_key.c.account == account)
    connection.execute(change.values(msgspec.structs.asdict(wrapped)))


def drop_key(connection: Connection, account: str) -> None:
    """Delete the data key of an account. What it sealed can never be opened again."""
    connection.execute(delete(data_key).where(data_key.c.account == account))


def _live(account: str) -> Any:
    table = own_credential.c
    return (
        select(own_credential)
        .where(table.account == account, table.deleted_at.is_(None))
        .order_by(table.provider, table.sort_order, table.created_at, table.id)
    )


def _credential(row: RowMapping) -> OwnCredential:
    values = dict(row)
    return OwnCredential(**values | {name: tuple(msgspec.json.decode(row[name])) for name in LISTS})


def _row_of(made: OwnCredential) -> dict[str, Any]:
    values = msgspec.structs.asdict(made)
    return values | {name: msgspec.json.encode(values[name]).decode() for name in LISTS}
