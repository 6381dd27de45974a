"""Forget the purses of end users whose windows ended long ago: who names users makes purses.

What they were charged goes with them. One of which a part is leased, or written off and not yet
explained, stays, so whatever a journal may still tell finds its purse.
"""

from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from dragoman.ledger import leases
from dragoman.ledger.tables import charge, lease, purse

KEPT_S = 40 * 86_400.0
"""After the beginning of a window: longer than a month and the time that journals are kept."""
AT_ONCE = 500
USERS = "user:"


def forget_users(connection: Connection) -> bool:
    """Remove some of them; say whether there may be more."""
    past = _past(leases.database_time(connection) - KEPT_S)
    ids = tuple(connection.execute(past.limit(AT_ONCE)).scalars())
    leases.lock_purses(connection, ids)
    resting = tuple(connection.execute(past.where(purse.c.id.in_(ids))).scalars())
    connection.execute(delete(charge).where(charge.c.purse.in_(resting)))
    connection.execute(delete(purse).where(purse.c.id.in_(resting)))
    return len(ids) == AT_ONCE


def _past(before: float) -> Select[Any]:
    """Return the query of users' purses whose windows began before that, and which are at rest."""
    open_ = select(lease.c.purse)
    unexplained = select(charge.c.purse).where(charge.c.suspense_nanos != 0)
    return select(purse.c.id).where(
        purse.c.window_start > 0,
        purse.c.window_start < before,
        func.substr(purse.c.scope, 1, len(USERS)) == USERS,
        purse.c.leased_nanos == 0,
        purse.c.id.not_in(open_),
        purse.c.id.not_in(unexplained),
    )
