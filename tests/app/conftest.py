"""Fixtures of the application's tests: a data directory, opened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.office.premises import Premises, open_premises


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data")
    yield opened
    opened.close()
