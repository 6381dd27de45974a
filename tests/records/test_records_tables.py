"""Migrations, tables and the value `Generation` agree."""

import pytest

from dragoman.records.migrations import MIGRATIONS
from dragoman.records.rows import NESTED
from dragoman.records.tables import generation, metadata
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from tests.store.shapes import described


def test_every_field_of_a_generation_has_a_column() -> None:
    assert [column.name for column in generation.columns] == list(Generation.__struct_fields__), (
        "a new field needs a column and a migration"
    )
    assert set(Generation.__struct_fields__) >= set(NESTED)


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_migrations_lead_to_the_tables_of_today(db: Database, table: str) -> None:
    migrated = db.run_now(described)
    db.run_now(metadata.drop_all)
    db.run_now(metadata.create_all)
    expected = db.run_now(described)[table]
    if table == "generation" and migrated[table]["<key>"] != ["id"]:
        expected["<key>"] = ["id", "created_at"]  # PostgreSQL wants what it divides by in the key
    assert migrated[table] == expected


def test_the_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
