"""The proof: what the books say adds up, or which of them do not, by name.

Each rule compares a figure that is kept with the rows it is kept for. A rule that
finds something yields it; nothing is mended here. docs/decisions/0008 says what the
rules show together, docs/money.md says it for an accountant.
"""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    func,
    or_,
    select,
    text,
    true,
)

from dragoman.core.money import NANO
from dragoman.ledger.adjust import adjusted
from dragoman.ledger.purses import purse_of_account
from dragoman.ledger.tables import account, charge, entry, journal, lease, purse
from dragoman.ledger.types import Code


class Violation(Struct, frozen=True):
    """A rule that does not hold, for what, and the figures that disagree."""

    rule: str
    subject: str
    detail: str


class Proof(Struct, frozen=True, kw_only=True):
    """How many rows were looked at, and all that was wrong with them."""

    holds: bool
    accounts: int
    entries: int
    purses: int
    leases: int
    journals: int
    generations: int
    violations: tuple[Violation, ...]


Found = Iterator[Violation]
EVERYTHING = true()


def prove(connection: Connection) -> Proof:
    """Check every rule, over one snapshot of the database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    violations = tuple(each for rule in RULES for each in rule(connection))
    generations = connection.execute(select(func.coalesce(func.sum(journal.c.generations), 0)))
    return Proof(
        holds=not violations,
        accounts=_count(connection, account),
        entries=_count(connection, entry),
        purses=_count(connection, purse),
        leases=_count(connection, lease),
        journals=_count(connection, journal),
        generations=int(generations.scalar_one()),
        violations=violations,
    )


def _balances_sum_to_zero(connection: Connection) -> Found:
    total = int(connection.execute(select(func.sum(account.c.balance_nanos))).scalar() or 0)
    if total:
        yield Violation("balances sum to zero", "all accounts", f"they sum to {_usd(total)}")


def _entries_join_accounts(connection: Connection) -> Found:
    known = select(account.c.id)
    query = select(entry.c.id, entry.c.debit, entry.c.credit).where(
        or_(entry.c.debit.not_in(known), entry.c.credit.not_in(known))
    )
    for id_, debit, credit in connection.execute(query):
        yield Violation("entries join accounts", f"entry {id_}", f"{debit} or {credit} is missing")


def _balances_are_their_entries(connection: Connection) -> Found:
    credits_ = _sums(connection, entry.c.credit, entry.c.amount_nanos)
    debits = _sums(connection, entry.c.debit, entry.c.amount_nanos)
    for id_, kept in connection.execute(select(account.c.id, account.c.balance_nanos)):
        rows = credits_.get(id_, 0) - debits.get(id_, 0)
        if rows != kept:
            yield _differs("balances are their entries", id_, kept, rows)


def _credit_is_its_purse(connection: Connection) -> Found:
    """Compare the balance of a prepaid account with what is left in its purse."""
    query = select(account.c.id, account.c.balance_nanos).where(account.c.kind == "prepaid")
    for id_, kept in connection.execute(query):
        name = purse_of_account(id_).id
        left = select(purse.c.limit_nanos - purse.c.spent_nanos).where(purse.c.id == name)
        rows = connection.execute(left).scalar()
        if rows is None or rows != kept:
            yield _differs("credit is its purse", id_, kept, rows or 0)


def _leased_is_the_leases(connection: Connection) -> Found:
    kept = select(purse.c.id, purse.c.leased_nanos)
    rows = _sums(connection, lease.c.purse, lease.c.amount_nanos)
    return _compared(connection, "leased is the leases", kept, rows)


def _spent_is_the_charges(connection: Connection) -> Found:
    kept = select(purse.c.id, purse.c.spent_nanos)
    rows = _sums(connection, charge.c.purse, charge.c.amount_nanos)
    return _compared(connection, "spent is the charges", kept, rows)


def _nothing_is_charged_beyond_its_lease(connection: Connection) -> Found:
    query = select(charge.c.purse, charge.c.incarnation, charge.c.beyond_nanos)
    for id_, incarnation, beyond in connection.execute(query.where(charge.c.beyond_nanos != 0)):
        detail = f"journal {incarnation} charged {_usd(beyond)} that was not leased"
        yield Violation("nothing is charged beyond its lease", id_, detail)


def _entries_are_their_journals(connection: Connection) -> Found:
    booked = entry.c.code.in_((Code.USAGE, Code.FOUND))
    kept = select(journal.c.incarnation, journal.c.charged_nanos)
    rows = _sums(connection, entry.c.incarnation, entry.c.amount_nanos, booked)
    return _compared(connection, "entries are their journals", kept, rows)


def _leases_have_an_open_journal(connection: Connection) -> Found:
    alive = select(journal.c.incarnation).where(
        journal.c.closed_at.is_(None), journal.c.written_off_at.is_(None)
    )
    query = select(lease.c.incarnation, lease.c.purse).where(lease.c.incarnation.not_in(alive))
    for incarnation, id_ in connection.execute(query):
        detail = f"leased to journal {incarnation}, which is not open"
        yield Violation("leases have an open journal", id_, detail)


def _adjustments_are_in_the_purses(connection: Connection) -> Found:
    """Compare what corrected prices moved on prepaid accounts with what they moved in the purses.

    Of any other purse, `spent is the charges` says that its adjustments count.
    """
    changed = adjusted(connection)
    booked = entry.c.code == Code.ADJUSTMENT
    debits = _sums(connection, entry.c.debit, entry.c.amount_nanos, booked)
    credits_ = _sums(connection, entry.c.credit, entry.c.amount_nanos, booked)
    prepaid = select(account.c.id).where(account.c.kind == "prepaid")
    for id_ in connection.execute(prepaid).scalars():
        kept = changed.get(purse_of_account(id_).id, 0)
        rows = debits.get(id_, 0) - credits_.get(id_, 0)
        if rows != kept:
            yield _differs("adjustments are in the purses", id_, kept, rows)


RULES: tuple[Callable[[Connection], Found], ...] = (
    _balances_sum_to_zero,
    _entries_join_accounts,
    _balances_are_their_entries,
    _credit_is_its_purse,
    _leased_is_the_leases,
    _spent_is_the_charges,
    _nothing_is_charged_beyond_its_lease,
    _entries_are_their_journals,
    _leases_have_an_open_journal,
    _adjustments_are_in_the_purses,
)


def _sums(
    connection: Connection,
    by: Column[Any],
    amount: Column[Any],
    where: ColumnElement[bool] = EVERYTHING,
) -> dict[str, int]:
    query = select(by, func.sum(amount)).where(where, by.is_not(None)).group_by(by)
    return {name: int(total) for name, total in connection.execute(query)}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _compared(connection: Connection, rule: str, kept: Select[Any], rows: dict[str, int]) -> Found:
    """Compare figures that are kept with the sums of their rows. Rows of nobody break it, too."""
    for id_, figure in connection.execute(kept):
        total = rows.pop(id_, 0)
        if total != figure:
            yield _differs(rule, id_, figure, total)
    for id_, total in rows.items():
        yield _differs(rule, id_, 0, total)


def _differs(rule: str, subject: str, kept: int, rows: int) -> Violation:
    return Violation(rule, subject, f"kept as {_usd(kept)}, and its rows sum to {_usd(rows)}")


def _usd(nanos: int) -> str:
    return f"${nanos / NANO:.9f}"
