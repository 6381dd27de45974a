"""What the tests of the edge share: a control plane whose databases end with the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.office.premises import Premises, open_premises
from tests.web.plane import Plane


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
async def plane(premises: Premises) -> Plane:
    return Plane(premises)
