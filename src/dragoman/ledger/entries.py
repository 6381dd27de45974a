"""Accounts and the entries between them: every movement has two sides, in one row.

So the sum over all accounts is zero at any moment, by construction. An entry is
never changed; what was wrong is corrected by a further one. An account's balance is
kept in the transaction that adds the entry. Each function is, or is called in, a unit
of work for `dragoman.store.sql.Database`.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from dragoman.core.errors import Conflict, NoAccount
from dragoman.core.money import NanoUsd
from dragoman.ledger.tables import account, entry
from dragoman.ledger.types import Account, Code, Entry

CREDITS = (Code.TOP_UP, Code.GRANT, Code.REFUND)
"""The codes of what makes up an account's credit; everything else is usage."""

# In SQL of our own, since Core has it for each dialect apart.
_INSERT = text(
    "INSERT INTO entry (at, debit, credit, amount_nanos, code, reference, note, incarnation)"
    " VALUES (:at, :debit, :credit, :amount_nanos, :code, :reference, :note, :incarnation)"
    " ON CONFLICT (code, reference) DO NOTHING"
)


def add_account(connection: Connection, new: Account) -> None:
    """Insert an account."""
    connection.execute(insert(account).values(**msgspec.structs.asdict(new)))


def find_account(connection: Connection, id_: str) -> Account:
    """Read an account. Raises NoAccount."""
    row = connection.execute(select(account).where(account.c.id == id_)).mappings().first()
    if row is None:
        raise NoAccount(f"There is no account {id_[:100]!r}. Accounts go by their ids.")
    return _account(row)


def every_account(connection: Connection) -> tuple[Account, ...]:
    """Read all accounts, those of the house too, by id."""
    rows = connection.execute(select(account).order_by(account.c.id)).mappings()
    return tuple(map(_account, rows))


def customers(connection: Connection, offset: int, limit: int) -> tuple[tuple[Account, ...], int]:
    """Read a page of the accounts that are not the house's, oldest first, and how many there are.

    The one that came with the installation is the oldest.
    """
    theirs = account.c.kind != "house"
    order = (func.coalesce(account.c.created_at, 0), account.c.id)
    query = select(account).where(theirs).order_by(*order).offset(offset).limit(limit)
    total = connection.execute(select(func.count()).select_from(account).where(theirs))
    rows = connection.execute(query).mappings()
    return tuple(map(_account, rows)), int(total.scalar_one())


def transfer(connection: Connection, moved: Entry, now: float) -> bool:
    """Move money, at Unix time `now`. False, and nothing is moved, where it was before.

    Raises Conflict when the reference was used for a movement of another kind.
    """
    if not _added(connection, moved, now):
        _check_same(connection, moved)
        return False
    _keep_balances(connection, [moved])
    return True


def post(connection: Connection, moved: Sequence[Entry], now: float) -> None:
    """Move money for what a journal tells, whose offset says that it is new."""
    connection_rows = [msgspec.structs.asdict(each) | {"at": now} for each in moved]
    if connection_rows:
        connection.execute(insert(entry), connection_rows)
        _keep_balances(connection, moved)


def credited(connection: Connection, account_id: str) -> NanoUsd:
    """Return all credit that an account was ever given, less what was paid back."""
    sums = [
        select(func.coalesce(func.sum(entry.c.amount_nanos), 0)).where(
            entry.c.code.in_(CREDITS), side == account_id
        )
        for side in (entry.c.credit, entry.c.debit)
    ]
    given, taken = (int(connection.execute(query).scalar_one()) for query in sums)
    return NanoUsd(given - taken)


def bought(connection: Connection, account_id: str) -> NanoUsd:
    """Return the credit that an account ever paid for, less what was paid back."""
    sums = [
        select(func.coalesce(func.sum(entry.c.amount_nanos), 0)).where(
            # Written out, since an index for one code serves no query for any.
            literal_column(f"entry.code = '{code}'"),
            side == account_id,
        )
        for side, code in ((entry.c.credit, Code.TOP_UP), (entry.c.debit, Code.REFUND))
    ]
    paid, back = (int(connection.execute(query).scalar_one()) for query in sums)
    return NanoUsd(paid - back)


def latest(connection: Connection, account_id: str, limit: int) -> tuple[Entry, ...]:
    """Read the latest entries of an account, newest first."""
    touches = or_(entry.c.debit == account_id, entry.c.credit == account_id)
    query = select(entry).where(touches).order_by(entry.c.id.desc()).limit(limit)
    return tuple(_entry(row) for row in connection.execute(query).mappings())


def set_fee(connection: Connection, account_id: str, fee_ppm: int) -> None:
    """Change what an account pays on top of usage, in millionths."""
    connection.execute(update(account).where(account.c.id == account_id).values(fee_ppm=fee_ppm))


def set_user_limit(
    connection: Connection, account_id: str, limit: int | None, reset: str | None
) -> None:
    """Change what each end user may spend of keys that do not say it themselves."""
    changed = update(account).where(account.c.id == account_id)
    connection.execute(changed.values(user_limit_nanos=limit, user_limit_reset=reset))


def _added(connection: Connection, moved: Entry, now: float) -> bool:
    return connection.execute(_INSERT, msgspec.structs.asdict(moved) | {"at": now}).rowcount == 1


def _check_same(connection: Connection, moved: Entry) -> None:
    query = select(entry).where(entry.c.code == moved.code, entry.c.reference == moved.reference)
    there = _entry(connection.execute(query).mappings().one())
    if (there.debit, there.credit, there.amount_nanos) != (
        moved.debit,
        moved.credit,
        moved.amount_nanos,
    ):
        raise Conflict(
            f"The reference {moved.reference!r} was used before, for another amount or account",
            should_retry=False,
        )


def _keep_balances(connection: Connection, moved: Sequence[Entry]) -> None:
    """Add to the balances, in order of the accounts, so that no two writers wait crosswise."""
    change: Counter[str] = Counter()
    for each in moved:
        change[each.credit] += each.amount_nanos
        change[each.debit] -= each.amount_nanos
    for id_ in sorted(change):
        connection.execute(
            update(account)
            .where(account.c.id == id_)
            .values(balance_nanos=account.c.balance_nanos + change[id_])
        )


def _account(row: RowMapping) -> Account:
    return Account(**{name: row[name] for name in Account.__struct_fields__})


def _entry(row: RowMapping) -> Entry:
    values = {name: row[name] for name in Entry.__struct_fields__}
    return Entry(**values | {"code": Code(row["code"])})
