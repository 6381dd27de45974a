"""Migrations, tables and the value `Key` agree."""

from pathlib import Path

import pytest

from dragoman.access.migrations import MIGRATIONS, ROOM
from dragoman.access.tables import api_key, metadata
from dragoman.access.types import Key
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from tests.postgres import open_database
from tests.store.shapes import described


def test_every_field_of_a_key_has_a_column() -> None:
    columns = [column.name for column in api_key.columns]
    assert sorted(columns) == sorted([*Key.__struct_fields__, "changed_epoch"])


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_migrations_lead_to_the_tables_of_today(
    state: DatabaseOptions, tmp_path: Path, table: str
) -> None:
    db = open_database(state, tmp_path / "test.db")
    db.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    migrated = db.run_now(described)
    db.run_now(metadata.drop_all)
    db.run_now(metadata.create_all)
    assert migrated[table] == db.run_now(described)[table]
    db.close()


def test_the_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
