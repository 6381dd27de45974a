"""Fixtures of the ordeals."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.chaos.databases import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL server that may be killed; the test skips if there is none."""
    try:
        with postgres.own_server(postgres.LASTING) as own:
            yield Server(own, "chaos")
    except postgres.NoServer as why:
        pytest.skip(str(why))
