"""`dragoman db`: what state there is, its shape, a backup of it, and the way back.

What a backup is made of is told in `dragoman.office.backup`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from sqlalchemy import Connection, Table, func, select

from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import (
    ConfigOption,
    DataOption,
    JsonOption,
    check_existing,
    opened,
    settings,
    usable,
)
from dragoman.cli.exits import EPILOG, USAGE, Failure, unusable
from dragoman.config import Settings
from dragoman.office import premises
from dragoman.office.backup import NotEmpty, back_up, manifest_of, restore
from dragoman.office.premises import JOURNALS, PEPPER, Home, open_homes
from dragoman.store.bundle import Damaged, reading
from dragoman.store.custody import keep_directory
from dragoman.store.dump import Misfit, tables
from dragoman.store.journal.folder import find, take_lock
from dragoman.store.migrations import steps
from dragoman.store.sql import be_patient

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Show, upgrade, back up and restore the databases.",
)


class Step(Struct, frozen=True):
    """How far a room's tables have come, and how far this release takes them."""

    room: str
    applied: int
    known: int


class Info(Struct, frozen=True, kw_only=True):
    """One database: where it is, its shape, and how many rows each table has."""

    name: str
    where: str
    steps: list[Step]
    rows: dict[str, int]


class Taken(Struct, frozen=True, kw_only=True):
    """A step that `upgrade` took."""

    room: str
    number: int
    name: str


@app.command(epilog=EPILOG)
def info(data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show where state is, how many rows there are, and whether an upgrade is due."""
    chosen = settings(data, config)
    with _homes(chosen) as homes:
        found = [_info(chosen, home) for home in homes]
    if as_json:
        print_json(found)
        return
    for each in found:
        out().print(f"{each.name}: {each.where}", style="bold")
        rows = [(table, f"{count:,}") for table, count in each.rows.items()]
        print_table(("table", ">rows"), rows)
    due = [step.room for each in found for step in each.steps if step.applied < step.known]
    if due:
        err().print(f"An upgrade is due: {', '.join(due)}. Run: dragoman db upgrade")
    later = [step.room for each in found for step in each.steps if step.applied > step.known]
    if later:
        err().print(f"A later release has used it: {', '.join(later)}. This one refuses to.")


@app.command(epilog=EPILOG)
def upgrade(
    data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Bring the tables to this release's shape, as the next start would."""
    chosen = settings(data, config)
    premises.check_home(chosen.data, chosen.options.database)
    with usable(chosen.data):
        keep_directory(chosen.data)
    with _homes(chosen, existing=False) as homes:
        taken = [
            Taken(room=room, number=step.number, name=step.name)
            for home in homes
            for room, step in premises.upgrade(home, time.time())
        ]
    with opened(chosen):
        pass  # which makes the pepper, or says that it is not that of the keys
    if as_json:
        print_json(taken)
        return
    for step in taken:
        out().print(f"{step.room} {step.number}: {step.name}")
    if not taken:
        err().print("Everything is up to date.")


@app.command(epilog=EPILOG)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file to write.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write all state into one file, beside running servers or without any."""
    chosen = settings(data, config)
    with _homes(chosen) as homes, _file(file):
        manifest = back_up(homes, chosen.data / PEPPER, file, time.time())
    out().print(f"{file}: {len(manifest.tables)} tables, {file.stat().st_size:,} bytes.")
    err().print("It holds the pepper and every record: keep it as secret as the data directory.")


@app.command("restore", epilog=EPILOG)
def restore_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `db backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the installation that there is.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make an installation of a backup, on SQLite or PostgreSQL, whichever it came from."""
    chosen = settings(data, config)
    with _file(file), reading(file) as bundle:
        made = manifest_of(bundle, [*premises.LEDGER_ROOMS, *premises.RECORDS_ROOMS])
        with usable(chosen.data):
            keep_directory(chosen.data)
            _check_nobody_writes(chosen.data / JOURNALS)
        with _homes(chosen, existing=False) as homes:
            counts = restore(bundle, homes, chosen.data / PEPPER, time.time(), force=force)
    when = datetime.fromtimestamp(made.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    rows = sum(counts.values())
    out().print(f"Restored {len(counts)} tables with {rows:,} rows, as they were at {when}.")
    err().print("Restart every server of this installation: they remember what was here before.")


def _check_nobody_writes(journals: Path) -> None:
    """Raise Failure while a server writes a journal here: it would be booked on other books."""
    for path in find(journals):
        lock = take_lock(path)
        if lock is None:
            raise Failure(
                f"A server runs on {journals.parent}. Stop it first. Nothing was changed."
            )
        lock.release()


@contextmanager
def _homes(chosen: Settings, *, existing: bool = True) -> Iterator[tuple[Home, ...]]:
    """Open the databases as they are. Failure where there is no Dragoman, if there must be."""
    if existing:
        check_existing(chosen)
    if existing and not (chosen.data / PEPPER).exists():
        raise Failure(f"{premises.lost_pepper(chosen.data / PEPPER)} Put it back first.", USAGE)
    homes = open_homes(chosen.data, chosen.options.database)
    try:
        yield homes
    finally:
        premises.close(homes)


@contextmanager
def _file(file: Path) -> Iterator[None]:
    """Turn what can be wrong with a file into a Failure."""
    try:
        yield
    except OSError as error:
        raise unusable(error, error.filename or file) from error
    except Damaged as error:
        raise Failure(f"{error}. Nothing was changed.") from error
    except Misfit as error:
        raise Failure(f"{file} does not fit: {error}. Nothing was changed.") from error
    except NotEmpty as error:
        raise Failure(
            f"{error}. Choose another place with --data or database.schema, or stop its servers "
            "and replace it with --force.",
            USAGE,
        ) from error


def _info(chosen: Settings, home: Home) -> Info:
    def work(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
        be_patient(connection)
        counts = {str(table.name): _count(connection, table) for table in tables(connection)}
        return steps(connection), counts

    applied, rows = home.database.read_now(work)
    return Info(
        name=home.name,
        where=_where(chosen, home),
        steps=[Step(room, applied.get(room, 0), len(known)) for room, known in home.rooms],
        rows=rows,
    )


def _count(connection: Connection, table: Table) -> int:
    count: int = connection.execute(select(func.count()).select_from(table)).scalar_one()
    return count


def _where(chosen: Settings, home: Home) -> str:
    options = chosen.options.database
    if options.server is None:
        return str(chosen.data / f"{home.name}.db")
    place = options.server.rpartition("@")[2].partition("?")[0]  # without who and the password
    return f"{place}, schema {options.schema}"
