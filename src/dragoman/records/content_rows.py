"""The rows of what was said: written, read and forgotten. Each function returns a unit of work.

On SQLite what is forgotten is overwritten, and not only given free: it is people's words.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, delete, select, text

from dragoman.records.content import Kept
from dragoman.records.tables import content
from dragoman.store.sql import Database, Work

ROWS_AT_ONCE = 500

_ADD = text(
    "INSERT INTO content (id, account, key_hash, created_at, packed)"
    " VALUES (:id, :account, :key_hash, :created_at, :packed) ON CONFLICT (id) DO NOTHING"
)


class Forgotten(Struct, frozen=True, kw_only=True):
    """Which contents of an account to forget; None lets all through. `before` is Unix time."""

    account: str
    before: float | None = None
    id: str | None = None
    key_hash: str | None = None


def store(kept: Sequence[Kept]) -> Work[None]:
    """Add what is not there yet."""

    def work(connection: Connection) -> None:
        if kept:
            connection.execute(_ADD, [msgspec.structs.asdict(each) for each in kept])

    return work


def find(id_: str, account: str) -> Work[Kept | None]:
    """Read what was said in a generation of the account."""
    query = select(content).where(content.c.id == id_, content.c.account == account)

    def work(connection: Connection) -> Kept | None:
        row = connection.execute(query).mappings().first()
        return None if row is None else Kept(**dict(row) | {"packed": bytes(row["packed"])})

    return work


def forget_before(before: float) -> Work[bool]:
    """Forget some that began before a moment; say whether there may be more."""
    return lambda connection: _forget(connection, content.c.created_at < before) == ROWS_AT_ONCE


def forget(wanted: Forgotten) -> Work[int]:
    """Forget some of an account's, and say how many; ROWS_AT_ONCE where there may be more."""
    table = content.c
    which = [table.account == wanted.account]
    if wanted.before is not None:
        which.append(table.created_at < wanted.before)
    if wanted.id is not None:
        which.append(table.id == wanted.id)
    if wanted.key_hash is not None:
        which.append(table.key_hash == wanted.key_hash)
    return lambda connection: _forget(connection, and_(*which))


def _forget(connection: Connection, which: ColumnElement[bool]) -> int:
    some = select(content.c.id).where(which).order_by(content.c.created_at).limit(ROWS_AT_ONCE)
    ids = connection.execute(some).scalars().all()
    if not ids:
        return 0
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        connection.execute(text("PRAGMA secure_delete = ON"))
    try:
        connection.execute(delete(content).where(content.c.id.in_(ids)))
    finally:
        if sqlite:
            connection.execute(text("PRAGMA secure_delete = OFF"))
    return len(ids)


class ContentReader:
    """Reads what was said, including what `flush` has yet to write."""

    def __init__(self, records: Database, flush: Callable[[], Awaitable[None]]) -> None:
        self._records = records
        self._flush = flush

    async def one(self, id_: str, account: str) -> Kept | None:
        """Return what was said in a generation of the account, None if that is not stored."""
        found = await self._records.read(find(id_, account))
        if found is None:
            await self._flush()
            found = await self._records.read(find(id_, account))
        return found
