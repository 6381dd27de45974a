"""Accounts and credit: opened, added to, paid back; once per reference, and only what is free."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.core.errors import Conflict, InvalidRequest, NotFound
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger import migrations as money
from dragoman.ledger.entries import every_account
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import purse_of_account
from dragoman.ledger.types import DEFAULT, House
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.credits import Movement, Statement
from dragoman.store.custody import Pepper
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.postgres import PostgresDatabase
from dragoman.store.sql import Database
from dragoman.store.sqlite import SqliteDatabase
from tests.ledger.books import ended


@pytest.fixture
def books(ledger: Database) -> Database:
    ledger.run_now(lambda connection: migrate(connection, money.ROOM, money.MIGRATIONS, 0.0))
    return ledger


def opened(books: Database, credit: int = 100) -> Statement:
    return books.run_now(office.open_prepaid(" Acme ", free_credit=NanoUsd(credit), now=1.0))


def add(books: Database, account: str, amount: int, reference: str | None = "r") -> Movement:
    work = office.add(account, NanoUsd(amount), reference=reference, grant=False, now=2.0)
    return books.run_now(work)


def refund(books: Database, account: str, amount: int, reference: str | None = "b") -> Movement:
    return books.run_now(office.refund(account, NanoUsd(amount), reference=reference, now=2.0))


def use(books: Database, account: str, cost: int, *, leased: int) -> None:
    """Let a worker lease some of an account and use a part of it."""
    id_ = purse_of_account(account).id
    books.run_now(leases.open_journal("life", "node", 0.0))
    books.run_now(leases.take("life", {id_: leased}, 0.0))
    batch = [ended(10, cost, id_, account=account)]
    books.run_now(settle.apply("life", batch, 10, 0.0))


def test_a_prepaid_account_begins_with_its_free_credit(books: Database) -> None:
    shown = opened(books)
    assert shown.account.kind == "prepaid"
    assert shown.account.name == "Acme"
    assert (shown.credits, shown.usage, shown.free) == (100, 0, 100)
    assert books.run_now(prove).holds


def test_a_prepaid_account_may_begin_with_nothing(books: Database) -> None:
    assert opened(books, 0).free == 0
    assert books.run_now(prove).holds


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "tab\there"])
def test_an_account_has_a_name_that_can_be_read(name: str) -> None:
    with pytest.raises(InvalidRequest, match="printable"):
        office.open_prepaid(name, free_credit=NanoUsd(0), now=1.0)


def test_a_statement_says_what_was_given_used_reserved_and_is_free(books: Database) -> None:
    id_ = opened(books).account.id
    add(books, id_, 900)
    use(books, id_, 30, leased=200)
    shown = books.run_now(office.statement(id_))
    assert (shown.credits, shown.usage, shown.reserved, shown.free) == (1000, 30, 170, 800)
    assert shown.account.balance_nanos == 970
    body = office.credits_body(shown)
    assert (body.data.total_credits, body.data.total_usage) == (1e-6, 3e-8)


def test_credit_of_a_postpaid_account_lowers_what_it_owes(books: Database) -> None:
    shown = add(books, DEFAULT, 50).statement
    assert (shown.credits, shown.free, shown.account.balance_nanos) == (50, None, 50)


@pytest.mark.parametrize("change", [add, refund])
def test_the_same_reference_counts_once(
    books: Database, change: Callable[[Database, str, int], Movement]
) -> None:
    id_ = opened(books).account.id
    first, again = change(books, id_, 40), change(books, id_, 40)
    assert (first.repeated, again.repeated) == (False, True)
    assert first.statement == again.statement
    with pytest.raises(Conflict, match="used before"):
        change(books, id_, 41)
    assert books.run_now(prove).holds


def test_without_a_reference_each_is_a_movement_of_its_own(books: Database) -> None:
    id_ = opened(books).account.id
    first, second = add(books, id_, 5, None), add(books, id_, 5, None)
    assert first.reference != second.reference
    assert second.statement.free == 110


@pytest.mark.parametrize("reference", ["", "a b", "x" * 256, "café", "line\n"])
def test_a_reference_is_printable(books: Database, reference: str) -> None:
    with pytest.raises(InvalidRequest, match="reference"):
        add(books, DEFAULT, 5, reference)


def test_only_what_is_free_is_paid_back(books: Database) -> None:
    id_ = opened(books).account.id
    use(books, id_, 10, leased=60)
    with pytest.raises(InvalidRequest, match=r"0\.000000040 USD that are neither"):
        refund(books, id_, 41)
    assert books.run_now(office.statement(id_)).free == 40
    assert refund(books, id_, 40).statement.free == 0
    assert books.run_now(prove).holds


def test_a_postpaid_account_is_paid_back_what_it_has(books: Database) -> None:
    add(books, DEFAULT, 50)
    with pytest.raises(InvalidRequest, match=r"0\.000000050 USD"):
        refund(books, DEFAULT, 51)
    assert refund(books, DEFAULT, 50).statement.account.balance_nanos == 0


def test_gifts_come_out_of_grants_and_payments_out_of_cash(books: Database) -> None:
    gift = office.add(DEFAULT, NanoUsd(5), reference="g", grant=True, now=1.0)
    books.run_now(gift)
    add(books, DEFAULT, 7)
    found = {each.id: each.balance_nanos for each in books.run_now(every_account)}
    assert (found[House.GRANTS], found[House.CASH], found[DEFAULT]) == (-5, -7, 12)


def test_the_house_has_no_credit_and_strangers_have_no_account(books: Database) -> None:
    with pytest.raises(InvalidRequest, match="house"):
        add(books, House.INCOME, 5)
    with pytest.raises(NotFound):
        add(books, "acct_none", 5)


def test_a_closed_account_takes_no_credit(books: Database) -> None:
    id_ = opened(books).account.id
    books.run_now(
        lambda connection: connection.exec_driver_sql("UPDATE account SET closed_at = 1.0")
    )
    with pytest.raises(InvalidRequest, match="closed"):
        add(books, id_, 5)


def test_statements_leave_the_house_out(books: Database) -> None:
    id_ = opened(books).account.id
    shown = books.run_now(office.statements)
    assert {each.account.id for each in shown} == {DEFAULT, id_}


async def test_a_hundred_duplicates_at_once_are_one_movement(
    books: Database, path: Path, state: DatabaseOptions
) -> None:
    id_ = opened(books, 0).account.id
    nodes = [patient(state, path) for _ in range(4)]
    work = office.add(id_, NanoUsd(5), reference="r", grant=False, now=2.0)
    done = await asyncio.gather(*(nodes[i % 4].run(work) for i in range(100)))
    assert sum(not each.repeated for each in done) == 1
    assert books.run_now(office.statement(id_)).free == 5
    for each in nodes:
        each.close()


def patient(state: DatabaseOptions, path: Path) -> Database:
    """Open the database as another node would, that waits its turn."""
    if state.server is None:
        return SqliteDatabase(path, synchronous="NORMAL")
    return PostgresDatabase(state.server, state.schema)


ACT = Act(actor="cli", at=5.0)


def test_a_fee_is_set_once_told_to_the_workers_and_in_the_audit_log(
    books: Database, pepper: Pepper
) -> None:
    made = keys.create("k", prefix="sk-", pepper=pepper, now=0.0)
    key = books.run_now(made)[1]
    epoch = books.run_now(keyring.changes(0)).epoch
    assert books.run_now(office.set_fee(DEFAULT, 50_000, ACT)).account.fee_ppm == 50_000
    assert books.run_now(keyring.changes(epoch)).keys == (key.hash,)
    books.run_now(office.set_fee(DEFAULT, 50_000, ACT))
    first, second = books.run_now(audit.latest(10))
    assert (first.action, first.subject) == ("account.update", "account:default")
    assert first.detail == {"fee_ppm": [0, 50_000]}
    assert second.action == "key.create"


@pytest.mark.parametrize("fee", [-1, 1_000_001])
def test_a_fee_below_nothing_or_above_the_cost_is_refused(fee: int) -> None:
    with pytest.raises(InvalidRequest, match="millionths"):
        office.set_fee(DEFAULT, fee, ACT)


def test_the_house_pays_no_fee_and_nobody_does_not_either(books: Database) -> None:
    with pytest.raises(InvalidRequest, match="house"):
        books.run_now(office.set_fee(House.INCOME, 1, ACT))
    with pytest.raises(NotFound):
        books.run_now(office.set_fee("acct_none", 1, ACT))
