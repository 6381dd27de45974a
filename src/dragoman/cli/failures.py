"""What a failed command says: one sentence that names the fix, and an exit code.

A failure that is not listed here is a defect, and keeps its traceback.
"""

import typer

from dragoman.catalog.errors import CatalogError
from dragoman.cli.exits import FAILED, USAGE, Failure, unusable, whose
from dragoman.config import ConfigError
from dragoman.core.errors import GatewayError, InvalidRequest, NoAccount, Unavailable
from dragoman.store.bundle import UNWRITTEN
from dragoman.store.custody import CustodyError
from dragoman.store.migrations import NewerDatabase

KNOWN = (Failure, ConfigError, CatalogError, CustodyError, NewerDatabase, GatewayError)
"""What a command may fail with. Anything else is a defect."""


def report(error: Exception) -> int | None:
    """Say on stderr what went wrong and return the exit code; None for a defect."""
    known = explain(error)
    if known is None:
        return None
    sentence, code = known
    typer.echo(f"dragoman: {sentence}", err=True)
    return code


def explain(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and the exit code for a known failure, else None."""
    match error:
        case Failure():
            return str(error), error.code
        case NoAccount():
            return f"{error.message} They are listed by: dragoman credits show", FAILED
        case Unavailable():
            return f"{error.message} {_cause(error)}", FAILED
        case ConfigError() | CatalogError() | CustodyError() | InvalidRequest():
            return str(error), USAGE
        case NewerDatabase() | GatewayError():
            return str(error), FAILED
    return _unwritten(error)


def _unwritten(error: Exception) -> tuple[str, int] | None:
    """Return what to say where the disk of `> file` is full; None for anything else."""
    if not isinstance(error, OSError) or error.errno not in UNWRITTEN:
        return None
    return f"{unusable(error, error.filename or 'What is printed cannot be written')}", FAILED


def _cause(error: Unavailable) -> str:
    """Return what the driver said, and what can be done about it."""
    cause = error.__cause__
    driver = getattr(cause, "orig", cause)
    if "PostgreSQL" in error.message:
        fix = "Check database.url or DATABASE_URL, and that the server runs and lets you in."
    else:
        fix = "Check that the disk has room and that the data directory is yours to write."
        if isinstance(cause, OSError):
            fix = whose(cause).strip() or fix
    return f"{_sentence(str(driver or '') or 'It is closed')} {fix}"


def _sentence(said: str) -> str:
    return f"{said.splitlines()[0].removesuffix('.')}."
