"""The rows of members: how they are read, added and changed.

Each function is, or returns, a unit of work for `dragoman.store.sql.Database`.
Which change is allowed is decided in `dragoman.office.members`.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from dragoman.access import keyring
from dragoman.access.tables import api_key, member
from dragoman.access.types import Member
from dragoman.store.sql import Work


def by_id(connection: Connection, id_: str) -> Member | None:
    """Read a member, also one who was removed."""
    row = connection.execute(select(member).where(member.c.id == id_)).mappings().first()
    return None if row is None else _member(row)


def live(connection: Connection, account: str, id_: str) -> Member | None:
    """Read a member of the account, None if it has none of this id who was not removed."""
    found = by_id(connection, id_)
    if found is None or found.account != account or found.removed_at is not None:
        return None
    return found


def by_email(connection: Connection, account: str, email: str) -> Member | None:
    """Read the member of the account with this address who was not removed."""
    query = _live(account).where(member.c.email == email)
    row = connection.execute(query).mappings().first()
    return None if row is None else _member(row)


def listed(account: str, offset: int, limit: int) -> Work[tuple[tuple[Member, ...], int]]:
    """Read a page of members, by when they came; and how many there are."""
    query = _live(account).order_by(member.c.created_at, member.c.id)
    total = select(func.count()).select_from(_live(account).subquery())

    def work(connection: Connection) -> tuple[tuple[Member, ...], int]:
        rows = connection.execute(query.offset(offset).limit(limit)).mappings()
        return tuple(map(_member, rows)), int(connection.execute(total).scalar_one())

    return work


def keys_of(account: str, id_: str) -> Work[tuple[str, ...]]:
    """Read the hashes of all keys that a member ever had."""
    query = select(api_key.c.hash).where(api_key.c.account == account, api_key.c.creator == id_)
    return lambda connection: tuple(connection.execute(query).scalars())


def add(connection: Connection, made: Member) -> None:
    """Insert `made`."""
    keyring.touch(connection, made.account)
    connection.execute(insert(member).values(msgspec.structs.asdict(made)))


def replace(connection: Connection, made: Member) -> None:
    """Write all fields of `made` over the row with its id."""
    keyring.touch(connection, made.account)
    ours = (member.c.id == made.id, member.c.account == made.account)
    connection.execute(update(member).where(*ours).values(msgspec.structs.asdict(made)))


def _live(account: str) -> Any:
    return select(member).where(member.c.account == account, member.c.removed_at.is_(None))


def _member(row: RowMapping) -> Member:
    return Member(**dict(row))
