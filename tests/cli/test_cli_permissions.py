"""Folders that belong to somebody else: commands run by the wrong user, or from root's home."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dragoman.cli.exits import whose
from tests.cli.command import run

Close = Callable[[Path], None]


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Close:
    """Close a folder to this user; a mode would not, where tests are run by root."""
    stat = Path.stat

    def closing(folder: Path) -> None:
        def refused(path: Path, **wishes: Any) -> os.stat_result:
            if path.absolute().parent == folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return stat(path, **wishes)

        monkeypatch.setattr(Path, "stat", refused)

    return closing


@pytest.mark.parametrize("settings", ["", "demo: on"])
@pytest.mark.parametrize(
    "command",
    [("keys", "list"), ("keys", "create", "x"), ("db", "info"), ("serve",), ("logs",)],
)
def test_a_data_directory_of_others_is_a_sentence(
    command: tuple[str, ...],
    tmp_path: Path,
    close: Close,
    settings: str,
) -> None:
    closed, file = tmp_path / "closed", tmp_path / "own.yaml"
    closed.mkdir()
    file.write_text(settings)
    close(closed)
    ran = run(*command, "--data", str(closed), *(("--config", str(file)) if settings else ()))
    assert ran.code == 2
    assert f"The data directory {closed} cannot be used: {closed}/" in ran.err
    assert "Permission denied" in ran.err


def test_settings_that_others_keep_are_a_sentence(tmp_path: Path, close: Close) -> None:
    closed = tmp_path / "closed"
    close(closed)
    ran = run("keys", "list", "--config", str(closed / "own.yaml"))
    assert (ran.code, ran.err) == (2, f"dragoman: {closed}/own.yaml: Permission denied\n")


def test_a_command_works_where_nobody_may_look_around(
    tmp_path: Path, close: Close, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "root"
    closed.mkdir()
    monkeypatch.chdir(closed)
    close(closed)
    assert run("keys", "create", "laptop").code == 0


def test_who_is_not_the_owner_is_not_told_to_take_it_away_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    said = whose(PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "pepper")))
    assert "run this as that user, or give it to this one: chown" in said
