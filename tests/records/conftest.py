"""Fixtures of the records' tests: a migrated database in a temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.records.migrations import MIGRATIONS, ROOM
from dragoman.store.migrations import migrate
from dragoman.store.sql import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    database = Database(path, synchronous="NORMAL", busy_timeout_s=0.05)
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    yield database
    database.close()
