"""Fixtures of the records' tests: a migrated database in a temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.records.migrations import MIGRATIONS, ROOM
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.postgres import open_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def db(path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, path)
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    yield database
    database.close()
