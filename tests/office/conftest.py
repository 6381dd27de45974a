"""Fixtures of the office's tests: real databases in a temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.access import migrations as access
from dragoman.records import migrations as records
from dragoman.store.custody import Pepper
from dragoman.store.migrations import migrate
from dragoman.store.sql import Database


@pytest.fixture
def pepper() -> Pepper:
    return Pepper(bytes(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Database]:
    database = Database(path, synchronous="FULL", busy_timeout_s=0.05)
    database.run_now(lambda c: migrate(c, access.ROOM, access.MIGRATIONS, 0.0))
    yield database
    database.close()


@pytest.fixture
def records_db(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "records.db", synchronous="NORMAL")
    database.run_now(lambda c: migrate(c, records.ROOM, records.MIGRATIONS, 0.0))
    yield database
    database.close()
