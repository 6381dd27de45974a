"""The proof finds what was tampered with, and names it."""

import pytest
from sqlalchemy import text

from dragoman.ledger import settle
from dragoman.ledger.entries import transfer
from dragoman.ledger.proof import prove
from dragoman.store.sql import Database
from tests.ledger.books import LIFE, ended, limited, prepaid, take, top_up

KEY_PURSE, CREDIT = "key:k|daily|86400", "account:acct_a|total|0"


@pytest.fixture
def used(db: Database) -> Database:
    """Books with one of everything."""
    credit, key = prepaid(db, 100), limited(db, 100)
    take(db, {credit: 40, key: 30})
    db.run_now(settle.apply(LIFE, [ended(10, 7, credit, key, account="acct_a")], 10, 3.0))
    return db


def test_books_that_add_up_are_proved(used: Database) -> None:
    proof = used.run_now(prove)
    assert proof.holds
    assert proof.violations == ()
    counted = (proof.accounts, proof.entries, proof.purses, proof.leases, proof.journals)
    assert counted == (7, 2, 2, 2, 1)
    assert proof.generations == 1


def test_empty_books_add_up(db: Database) -> None:
    assert db.run_now(prove).holds


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (
            "UPDATE account SET balance_nanos = 94 WHERE id = 'acct_a'",
            {
                ("balances sum to zero", "all accounts"),
                ("balances are their entries", "acct_a"),
                ("credit is its purse", "acct_a"),
            },
        ),
        (
            "UPDATE purse SET spent_nanos = 6 WHERE scope = 'key:k'",
            {("spent is the charges", KEY_PURSE)},
        ),
        (
            "UPDATE purse SET leased_nanos = 0 WHERE scope = 'key:k'",
            {("leased is the leases", KEY_PURSE)},
        ),
        (
            "UPDATE purse SET limit_nanos = 101 WHERE scope = 'account:acct_a'",
            {("credit is its purse", "acct_a")},
        ),
        (
            "DELETE FROM purse WHERE scope = 'account:acct_a'",
            {
                ("credit is its purse", "acct_a"),
                ("leased is the leases", CREDIT),
                ("spent is the charges", CREDIT),
            },
        ),
        ("DELETE FROM charge WHERE purse LIKE 'key%'", {("spent is the charges", KEY_PURSE)}),
        (
            "UPDATE journal SET charged_nanos = 8",
            {("entries are their journals", LIFE)},
        ),
        (
            "DELETE FROM journal",
            {
                ("entries are their journals", LIFE),
                ("leases have an open journal", KEY_PURSE),
                ("leases have an open journal", CREDIT),
            },
        ),
        (
            "UPDATE journal SET closed_at = 1",
            {
                ("leases have an open journal", KEY_PURSE),
                ("leases have an open journal", CREDIT),
            },
        ),
    ],
)
def test_what_does_not_add_up_is_named(
    used: Database, tampering: str, found: set[tuple[str, str]]
) -> None:
    used.run_now(lambda connection: connection.execute(text(tampering)))
    proof = used.run_now(prove)
    assert not proof.holds
    assert {(each.rule, each.subject) for each in proof.violations} == found


def test_an_entry_of_an_account_that_is_not_there_is_named(used: Database) -> None:
    used.run_now(lambda connection: transfer(connection, top_up("acct_x", 5, "r"), 0.0))
    rules = {each.rule for each in used.run_now(prove).violations}
    assert rules == {"entries join accounts", "balances sum to zero"}
