"""Which failure says what, and how the command ends."""

import pytest
import typer
from sqlalchemy.exc import OperationalError

from dragoman.catalog.errors import CatalogError
from dragoman.cli.exits import Failure
from dragoman.cli.failures import KNOWN, explain, report
from dragoman.config import ConfigError
from dragoman.core.errors import InvalidRequest, NotFound, Unavailable
from dragoman.store.custody import CustodyError
from dragoman.store.migrations import NewerDatabase


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
