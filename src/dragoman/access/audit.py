"""The audit log: what was changed, by whom, in the transaction of the change itself.

If the row cannot be written, neither is the change. Nothing here is ever updated or deleted.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from dragoman.access.tables import audit
from dragoman.store.sql import Work


class Entry(Struct, frozen=True, kw_only=True):
    """One change. `actor` is `cli` or `key:<hash>`, `subject` what was changed, in the same form.

    `detail` has the members that were set; of those that changed, the value before and after.
    """

    id: int
    at: float
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class Act(Struct, frozen=True, kw_only=True):
    """Who does something, and when, in Unix time."""

    actor: str
    at: float


def append(
    connection: Connection, act: Act, action: str, subject: str, detail: dict[str, Any]
) -> None:
    """Add an entry. Its transaction has taken an epoch, so that no other is adding one."""
    last: int = connection.execute(select(func.coalesce(func.max(audit.c.id), 0))).scalar_one()
    connection.execute(
        insert(audit).values(
            id=last + 1,
            at=act.at,
            actor=act.actor,
            action=action,
            subject=subject,
            detail=msgspec.json.encode(detail).decode(),
        )
    )


def latest(limit: int) -> Work[tuple[Entry, ...]]:
    """Read the last `limit` entries, newest first."""

    def work(connection: Connection) -> tuple[Entry, ...]:
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        rows = connection.execute(query).mappings()
        return tuple(Entry(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in rows)

    return work
