"""Entries: two sides in one row, once per reference, and balances that follow."""

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from dragoman.core.errors import Conflict, NoAccount
from dragoman.core.money import NanoUsd
from dragoman.ledger.entries import (
    credited,
    every_account,
    find_account,
    latest,
    post,
    transfer,
)
from dragoman.ledger.types import DEFAULT, Code, Entry, House
from dragoman.store.sql import Database
from tests.ledger.books import top_up

USED = Entry(
    debit=DEFAULT,
    credit=House.INCOME,
    amount_nanos=NanoUsd(30),
    code=Code.USAGE,
    reference="journal:x:1:default",
    incarnation="x",
)


def moved(db: Database, entry: Entry) -> bool:
    return db.run_now(lambda connection: transfer(connection, entry, 5.0))


def balances(db: Database) -> dict[str, int]:
    return {each.id: each.balance_nanos for each in db.run_now(every_account)}


def test_money_leaves_one_account_and_enters_another(db: Database) -> None:
    assert moved(db, top_up(DEFAULT, 100, "r"))
    db.run_now(lambda connection: post(connection, [USED], 6.0))
    found = balances(db)
    assert (found[DEFAULT], found[House.CASH], found[House.INCOME]) == (70, -100, 30)
    assert sum(found.values()) == 0


def test_a_movement_that_comes_twice_is_made_once(db: Database) -> None:
    assert moved(db, top_up(DEFAULT, 100, "r"))
    assert not moved(db, top_up(DEFAULT, 100, "r"))
    assert moved(db, replace(top_up(DEFAULT, 100, "r"), code=Code.GRANT, debit=House.GRANTS))
    assert balances(db)[DEFAULT] == 200


@pytest.mark.parametrize(
    "change", [{"amount_nanos": 101}, {"debit": House.GRANTS}, {"credit": House.SUSPENSE}]
)
def test_a_reference_is_not_used_for_anything_else(db: Database, change: dict[str, object]) -> None:
    moved(db, top_up(DEFAULT, 100, "r"))
    with pytest.raises(Conflict, match="'r' was used before"):
        moved(db, replace(top_up(DEFAULT, 100, "r"), **change))
    assert balances(db)[DEFAULT] == 100


def test_credit_is_told_from_usage(db: Database) -> None:
    moved(db, top_up(DEFAULT, 100, "r"))
    moved(db, replace(top_up(DEFAULT, 20, "b"), debit=DEFAULT, credit=House.CASH, code=Code.REFUND))
    moved(db, USED)
    assert db.run_now(lambda connection: credited(connection, DEFAULT)) == 80


def test_the_latest_entries_come_first(db: Database) -> None:
    moved(db, top_up(DEFAULT, 100, "r"))
    moved(db, USED)

    def work(connection: Connection) -> tuple[Entry, ...]:
        return latest(connection, DEFAULT, 10)

    assert db.run_now(work) == (USED, top_up(DEFAULT, 100, "r"))


def test_an_account_that_does_not_exist_is_not_found(db: Database) -> None:
    with pytest.raises(NoAccount, match=r"^There is no account 'acct_none'\. [^`]*$"):
        db.run_now(lambda connection: find_account(connection, "acct_none"))
