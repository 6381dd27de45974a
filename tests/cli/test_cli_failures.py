"""Which failure says what, and how the command ends."""

import errno
from pathlib import Path

import pytest
import typer
from sqlalchemy.exc import OperationalError

from dragoman.catalog.errors import CatalogError
from dragoman.cli.exits import Failure, whose
from dragoman.cli.failures import KNOWN, explain, report
from dragoman.config import ConfigError
from dragoman.core.errors import InvalidRequest, NotFound, Unavailable
from dragoman.office.premises import open_premises
from dragoman.store.custody import CustodyError
from dragoman.store.migrations import NewerDatabase
from tests.cli.command import run


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (Failure("do this"), "do this", 1),
        (Failure("do this", 2), "do this", 2),
        (ConfigError("port: wrong"), "port: wrong", 2),
        (CatalogError("providers.x", "is wrong"), "providers.x", 2),
        (CustodyError("chmod it"), "chmod it", 2),
        (InvalidRequest("no such name"), "no such name", 2),
        (NewerDatabase("newer"), "newer", 1),
        (NotFound("no key"), "no key", 1),
        (Unavailable("Silent."), "Silent. It is closed", 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_known_failure_is_a_sentence_and_a_code(error: Exception, words: str, code: int) -> None:
    told = explain(error)
    assert told is not None
    assert words in told[0]
    assert told[1] == code
    assert isinstance(error, KNOWN)


def test_a_silent_database_is_explained_in_the_drivers_words() -> None:
    error = Unavailable("Silent.")
    error.__cause__ = OperationalError("SELECT", {}, Exception("database is locked"))
    told = explain(error)
    assert told is not None
    assert "Silent. database is locked." in told[0]


def test_a_sentence_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Failure("do this")) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "dragoman: do this\n")


@pytest.mark.parametrize("defect", [ValueError("x"), typer.Exit(3)])
def test_a_defect_is_not_explained_away(defect: Exception) -> None:
    assert explain(defect) is None
    assert report(defect) is None


def test_a_folder_of_somebody_elses_is_named_with_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Unavailable("The database did not answer.")
    error.__cause__ = PermissionError(errno.EACCES, "Permission denied", f"{tmp_path}/ledger.db")
    mine = explain(error)
    assert mine is not None
    assert mine[0].endswith("the data directory is yours to write.")
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    others = explain(error)
    assert others is not None
    assert f"{tmp_path} belongs to user {owner}, and this is user {owner + 1}: run" in others[0]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/data/ledger.db"),
        PermissionError(errno.EACCES, "Permission denied"),
        PermissionError(errno.EACCES, "Permission denied", "/no/such/folder/ledger.db"),
    ],
    ids=["another trouble", "no file", "no folder"],
)
def test_whose_a_folder_is_is_said_only_where_it_matters(error: OSError) -> None:
    assert whose(error) == ""


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    "command", [("serve", "--port", "0", "--workers"), ("keys", "create", "x", "--rpm")]
)
def test_a_ledger_that_is_lost_or_elsewhere_is_not_begun_anew(
    data: Path, command: tuple[str, ...], workers: str
) -> None:
    open_premises(data).close()
    for file in data.glob("ledger.db*"):
        file.unlink()
    ran = run(*command, workers)
    assert ran.code == 2
    assert "DATABASE_URL" in ran.err
    assert "dragoman db restore" in ran.err
    assert not (data / "ledger.db").exists()
    (data / "pepper").unlink()
    open_premises(data).close()
