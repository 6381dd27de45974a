"""Fixtures of the command line's tests: an empty machine for each, and one running gateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Running, clean_environ, start


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a machine on which nothing is set; return its data directory."""
    where = tmp_path / "data"
    environ = clean_environ()
    for name in set(environ) ^ set(clean_environ(keep_all=True)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DRAGOMAN_DATA", str(where))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return where


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway on its first start, without any configuration."""
    running = start(tmp_path_factory.mktemp("gateway") / "data")
    yield running
    assert running.stop() == 0
