"""The rows of purses, and the parts of them that are leased to workers.

A lease belongs to one life of one worker, its incarnation, whose journal tells what
of it was used. Taking is one transaction over all purses that a request is short of,
in the order of their ids: all or none. The sum of leases never exceeds what is free,
so there is no moment, and no number of workers, at which a purse is overspent.

Each function is, or returns, a unit of work for `dragoman.store.sql.Database`.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from sqlalchemy import Connection, RowMapping, Select, delete, func, select, text, update

from dragoman.core.errors import Unavailable
from dragoman.ledger.purses import (
    Balance,
    Interval,
    Purse,
    Refusal,
    Taken,
    lease_size,
    parse,
    purse,
    refusal,
    window_end,
)
from dragoman.ledger.tables import charge, journal, lease, purse_epoch
from dragoman.ledger.tables import purse as purse_table
from dragoman.store.sql import Work

PRESENT_EPOCH = select(purse_epoch.c.value)
MOST_CHANGES = 5000
"""Of how many purses is told at once: half a megabyte of ids."""
BEFORE = "before"
"""Stands for a journal in the charges of what was spent before there was a purse."""

_OPEN_JOURNAL = text(
    "INSERT INTO journal"
    " (incarnation, node, opened_at, applied_offset, open_from, generations, charged_nanos)"
    " VALUES (:incarnation, :node, :now, 0, 0, 0, 0) ON CONFLICT (incarnation) DO NOTHING"
)
_OPEN_PURSE = text(
    'INSERT INTO purse (id, scope, "interval", window_start, limit_nanos, spent_nanos,'
    " leased_nanos, changed_epoch) VALUES (:id, :scope, :interval, :window_start, :limit, 0, 0, 0)"
    " ON CONFLICT (id) DO NOTHING"
)
_BRING_FORWARD = text(
    "INSERT INTO charge"
    " (purse, incarnation, generations, amount_nanos, beyond_nanos, suspense_nanos)"
    " VALUES (:purse, :before, 0, :amount, 0, 0)"
    " ON CONFLICT (purse, incarnation) DO UPDATE SET amount_nanos = charge.amount_nanos + :amount"
)
_ADD_LEASE = text(
    "INSERT INTO lease (incarnation, purse, amount_nanos, renewed_at)"
    " VALUES (:incarnation, :purse, :amount, :now) ON CONFLICT (incarnation, purse)"
    " DO UPDATE SET amount_nanos = lease.amount_nanos + :amount, renewed_at = :now"
)


class OtherLimit(Exception):
    """A purse has another limit than whoever asked has read: one of both is of the past."""


class Present(Struct, frozen=True, gc=False):
    """A purse of the present window, and when the next begins (Unix seconds), None for never."""

    purse: Purse
    until: int | None


def database_time(connection: Connection) -> float:
    """Return the Unix time by the clock of the database, which all nodes share."""
    if connection.dialect.name == "sqlite":
        query = "SELECT (julianday('now') - 2440587.5) * 86400.0"
    else:
        query = "SELECT extract(epoch FROM clock_timestamp())"
    return float(connection.execute(text(query)).scalar_one())


def open_journal(incarnation: str, node: str, now: float) -> Work[None]:
    """Make a worker's life known, before its first lease."""

    def work(connection: Connection) -> None:
        values = {"incarnation": incarnation, "node": node, "now": now}
        connection.execute(_OPEN_JOURNAL, values)

    return work


def present(
    connection: Connection,
    scope: str,
    interval: Interval,
    limit: int | None,
    now: float,
    *,
    sure: bool = True,
) -> Present:
    """Return the purse of a scope in the window of Unix time `now`, with this limit.

    Whoever calls has read the limit in the same transaction, in its turn among changes; unless
    it is not `sure`: then it raises OtherLimit for a purse that has another. `now` is
    `database_time`, so that all nodes agree on the window.
    """
    found = purse(scope, interval, now)
    ensure(connection, found, limit)
    there = balance(connection, found.id)
    if there is None or there.limit != limit:
        if not sure:
            raise OtherLimit(found.id)
        set_limit(connection, found, limit)
    return Present(found, window_end(interval, now))


def tell_of(connection: Connection, id_: str) -> None:
    """Have those ask again who were refused by this purse, in which something became free."""
    _change(connection, id_)


def ensure(connection: Connection, wanted: Purse, limit: int | None) -> None:
    """Make the row of a purse unless it is there."""
    values = {
        "id": wanted.id,
        "scope": wanted.scope,
        "interval": wanted.interval,
        "window_start": wanted.window_start,
        "limit": limit,
    }
    connection.execute(_OPEN_PURSE, values)


def bring_forward(connection: Connection, opened: Purse, spent: int) -> None:
    """Charge a purse for what was spent before it counted that, or less of it if below zero.

    No more is taken back than it was charged.
    """
    there = balance(connection, opened.id)
    spent = max(spent, -there.spent if there else 0)
    if spent == 0:
        return
    connection.execute(_BRING_FORWARD, {"purse": opened.id, "before": BEFORE, "amount": spent})
    changed = update(purse_table).where(purse_table.c.id == opened.id)
    connection.execute(changed.values(spent_nanos=purse_table.c.spent_nanos + spent))


def brought_forward(connection: Connection, ids: Collection[str]) -> frozenset[str]:
    """Read which of these purses count something that was spent before they did."""
    query = select(charge.c.purse).where(charge.c.incarnation == BEFORE, charge.c.amount_nanos > 0)
    return frozenset(connection.execute(query.where(charge.c.purse.in_(sorted(ids)))).scalars())


def set_limit(connection: Connection, wanted: Purse, limit: int | None) -> None:
    """Change a purse's limit. It may be below what is spent or leased: then nothing is free."""
    ensure(connection, wanted, limit)
    _change(connection, wanted.id, limit_nanos=limit)


def raise_limit(connection: Connection, wanted: Purse, by: int) -> None:
    """Raise a purse's limit, or lower it when `by` is negative; of one without, from zero."""
    ensure(connection, wanted, 0)
    limit = func.coalesce(purse_table.c.limit_nanos, 0) + by
    _change(connection, wanted.id, limit_nanos=limit)


def balance(connection: Connection, id_: str) -> Balance | None:
    """Read the figures of a purse, None if it was never opened."""
    return balances(connection, [id_]).get(id_)


def balances(connection: Connection, ids: Iterable[str]) -> dict[str, Balance]:
    """Read the figures of some purses; those that were never opened are left out."""
    rows = connection.execute(_figures(ids)).mappings()
    return {row["id"]: _balance(row) for row in rows}


def changes(since: int) -> Work[tuple[int, tuple[str, ...]]]:
    """Read the ids of purses whose limit changed after `since`, and up to which epoch these are.

    That is the present one, unless there were so many that the rest has to be asked for.
    """
    table = purse_table.c
    query = select(table.id, table.changed_epoch).where(table.changed_epoch > since)
    query = query.order_by(table.changed_epoch).limit(MOST_CHANGES)

    def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
        now: int = connection.execute(PRESENT_EPOCH).scalar_one()
        if now <= since:
            return now, ()
        found = connection.execute(query).all()  # no two have changed in the same epoch
        upto = now if len(found) < MOST_CHANGES else int(found[-1].changed_epoch)
        return upto, tuple(row.id for row in found)

    return work


def take(
    incarnation: str,
    wanted: Mapping[str, int],
    now: float,
    limits: Mapping[str, int | None] = MappingProxyType({}),
) -> Work[Taken]:
    """Lease to a worker what it is short of, purse id -> amount: all of it, or nothing.

    A lease is larger than what was asked where much is free. Purses in `limits` are opened if
    they are new, and have these limits from now on. Raises ValueError for another
    purse that was never opened, and Unavailable when the worker's journal is
    closed, so that it must begin a new life.
    """

    def work(connection: Connection) -> Taken:
        _check_open(connection, incarnation)
        for id_ in sorted(limits):
            ensure(connection, parse(id_), limits[id_])
        lock_purses(connection, wanted)
        _keep_limits(connection, limits)
        found = balances(connection, wanted)
        if unknown := wanted.keys() - found.keys():
            raise ValueError(f"purses that were never opened: {sorted(unknown)}")
        refused = [
            Refusal(id_, found[id_], reason)
            for id_ in found
            if (reason := refusal(found[id_], wanted[id_])) is not None
        ]
        if refused:
            return Taken({}, tuple(refused))
        granted = {id_: int(lease_size(found[id_], wanted[id_])) for id_ in found}
        for id_, amount in granted.items():
            _lease(connection, id_, amount)
            values = {"incarnation": incarnation, "purse": id_, "amount": amount, "now": now}
            connection.execute(_ADD_LEASE, values)
        return Taken(granted)

    return work


def _keep_limits(connection: Connection, limits: Mapping[str, int | None]) -> None:
    """Give purses, which are locked, these limits. Nobody is told: who leases of them learns it."""
    for id_, there in balances(connection, limits).items() if limits else ():
        if there.limit != limits[id_]:
            changed = update(purse_table).where(purse_table.c.id == id_)
            connection.execute(changed.values(limit_nanos=limits[id_]))


def renew(incarnation: str, now: float) -> Work[None]:
    """Say that a worker lives. One that has not said so for long is thought to be gone.

    If that was thought of this one, such as of a machine that slept, it may lease again. What
    was written off stays so until its journal explains it, or ends.
    """
    gone = journal.c.closed_at.is_(None) & journal.c.written_off_at.is_not(None)
    mine = journal.c.incarnation == incarnation

    def work(connection: Connection) -> None:
        connection.execute(update(journal).where(mine, gone).values(written_off_at=None))
        renewed = update(lease).where(lease.c.incarnation == incarnation)
        connection.execute(renewed.values(renewed_at=now))

    return work


def give_back(incarnation: str, amounts: Mapping[str, int]) -> Work[None]:
    """Return parts of leases, purse id -> amount. Raises ValueError for more than is leased.

    What was written off meanwhile comes back when the journal ends.
    """
    suspended = select(charge.c.purse).where(
        charge.c.incarnation == incarnation, charge.c.suspense_nanos > 0
    )

    def work(connection: Connection) -> None:
        lock_purses(connection, amounts)
        gone = set(connection.execute(suspended).scalars())
        left = leases_of(connection, incarnation) if gone else {}
        for id_ in sorted(amounts):
            amount = min(amounts[id_], left.get(id_, 0)) if id_ in gone else amounts[id_]
            if amount:
                shrink(connection, incarnation, id_, amount)

    return work


def disclaim(incarnation: str, purses: Collection[str], written: int) -> Work[bool]:
    """Free all that a worker has leased of purses that it does not use.

    Only once its journal is booked up to `written`, for what was used is still leased until
    then. Says whether it is. Idempotent.
    """
    query = select(journal.c.applied_offset).where(journal.c.incarnation == incarnation)

    def work(connection: Connection) -> bool:
        applied = connection.execute(query.with_for_update()).scalar()
        if applied is None or applied < written:
            return False
        lock_purses(connection, purses)
        for id_, amount in leases_of(connection, incarnation).items():
            if id_ in purses:
                shrink(connection, incarnation, id_, amount)
        return True

    return work


def shrink(connection: Connection, incarnation: str, id_: str, amount: int) -> None:
    """Take `amount` off a worker's lease and off what is leased of the purse."""
    done = connection.execute(
        update(lease)
        .where(lease.c.incarnation == incarnation, lease.c.purse == id_)
        .where(lease.c.amount_nanos >= amount)
        .values(amount_nanos=lease.c.amount_nanos - amount)
    )
    if done.rowcount != 1:
        raise ValueError(f"{incarnation} has not leased {amount} of {id_}")
    connection.execute(
        update(purse_table)
        .where(purse_table.c.id == id_)
        .values(leased_nanos=purse_table.c.leased_nanos - amount)
    )
    used_up = (lease.c.incarnation == incarnation) & (lease.c.purse == id_)
    connection.execute(delete(lease).where(used_up, lease.c.amount_nanos == 0))


def leased(connection: Connection, beginning: str) -> tuple[str, ...]:
    """Read of which purses whose ids begin so something is leased to anybody, by id."""
    letters = func.substr(lease.c.purse, 1, len(beginning))
    query = select(lease.c.purse).where(letters == beginning).distinct().order_by(lease.c.purse)
    return tuple(connection.execute(query).scalars())


def leases_of(connection: Connection, incarnation: str) -> dict[str, int]:
    """Read what a worker has leased: purse id -> amount, in the order of ids."""
    query = select(lease.c.purse, lease.c.amount_nanos).where(lease.c.incarnation == incarnation)
    return {id_: int(amount) for id_, amount in sorted(connection.execute(query))}


def stale(before: float) -> Work[tuple[str, ...]]:
    """Read which workers with leases have not renewed them since Unix time `before`."""
    query = (
        select(lease.c.incarnation)
        .group_by(lease.c.incarnation)
        .having(func.max(lease.c.renewed_at) < before)
        .order_by(lease.c.incarnation)
    )
    return lambda connection: tuple(connection.execute(query).scalars())


def lock_purses(connection: Connection, ids: Iterable[str]) -> None:
    """Keep other writers from these purses until the end of the transaction."""
    query = _figures(ids).with_for_update()
    connection.execute(query).all()


def _figures(ids: Iterable[str]) -> Select[tuple[object, ...]]:
    """Return the query of purses in the order of ids, so that no two writers wait crosswise."""
    table = purse_table.c
    query = select(table.id, table.limit_nanos, table.spent_nanos, table.leased_nanos)
    return query.where(table.id.in_(sorted(ids))).order_by(table.id)


def _balance(row: RowMapping) -> Balance:
    return Balance(row["limit_nanos"], row["spent_nanos"], row["leased_nanos"])


def _lease(connection: Connection, id_: str, amount: int) -> None:
    """Lease `amount` of a purse, if it is free: the check that all else rests upon."""
    table = purse_table.c
    done = connection.execute(
        update(purse_table)
        .where(table.id == id_)
        .where(
            table.limit_nanos.is_(None)
            | (table.limit_nanos - table.spent_nanos - table.leased_nanos >= amount)
        )
        .values(leased_nanos=table.leased_nanos + amount)
    )
    if done.rowcount != 1:
        raise Unavailable(f"The purse {id_} changed under its lock.", retry_after_s=1)


def _check_open(connection: Connection, incarnation: str) -> None:
    query = select(journal.c.closed_at, journal.c.written_off_at)
    query = query.where(journal.c.incarnation == incarnation).with_for_update(read=True)
    row = connection.execute(query).first()
    if row is None or row != (None, None):
        raise Unavailable("The journal of this worker is closed.", retry_after_s=1)


def _change(connection: Connection, id_: str, **values: object) -> None:
    connection.execute(update(purse_epoch).values(value=purse_epoch.c.value + 1))
    epoch: int = connection.execute(PRESENT_EPOCH).scalar_one()
    changed = update(purse_table).where(purse_table.c.id == id_)
    connection.execute(changed.values(changed_epoch=epoch, **values))
