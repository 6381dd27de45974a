"""Migrations and tables agree, and what must not be changed cannot be."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dragoman.ledger.entries import every_account, transfer
from dragoman.ledger.migrations import MIGRATIONS
from dragoman.ledger.tables import account, metadata
from dragoman.ledger.types import DEFAULT, Account, House
from dragoman.store.sql import Database
from dragoman.store.sqlite import SqliteDatabase
from tests.ledger.books import top_up
from tests.store.shapes import described


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_migrations_lead_to_the_tables_of_today(db: Database, tmp_path: Path, table: str) -> None:
    fresh = SqliteDatabase(tmp_path / "fresh.db", synchronous="FULL")
    fresh.run_now(metadata.create_all)
    assert db.run_now(described)[table] == fresh.run_now(described)[table]
    fresh.close()


def test_the_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_every_field_of_an_account_has_a_column() -> None:
    assert [column.name for column in account.columns] == list(Account.__struct_fields__)


def test_an_installation_begins_with_the_default_account_and_those_of_the_house(
    db: Database,
) -> None:
    made = {each.id: each.kind for each in db.run_now(every_account)}
    assert made == {DEFAULT: "postpaid"} | dict.fromkeys(House, "house")


@pytest.mark.parametrize("change", ["UPDATE entry SET amount_nanos = 1", "DELETE FROM entry"])
def test_an_entry_is_neither_changed_nor_deleted(db: Database, change: str) -> None:
    db.run_now(lambda connection: transfer(connection, top_up(DEFAULT, 5, "r"), 0.0))
    with pytest.raises(IntegrityError, match="append-only"):
        db.run_now(lambda connection: connection.execute(text(change)))
