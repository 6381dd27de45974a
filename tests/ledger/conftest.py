"""Fixtures of the ledger's tests: a database with its tables, and nothing in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.store.sql import Database
from tests.ledger.books import opened


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = opened(tmp_path / "ledger.db")
    yield database
    database.close()
