"""The installation, opened: databases in today's shape, the pepper, and the vault.

State is in two files of the data directory, or in a schema of a PostgreSQL server that
several nodes share; the pepper and the key-encryption key are in the data directory of each
node. Servers and commands
open it alike, so that `dragoman keys create` works before the first start and beside a
running server.
"""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import byok_tables, presence, seal
from dragoman.access import migrations as access
from dragoman.access.keyring import every_key
from dragoman.access.vault import Vault
from dragoman.ledger import alert_tables
from dragoman.ledger import migrations as money
from dragoman.records import migrations as records
from dragoman.records import partitions
from dragoman.store.custody import CustodyError, Pepper, keep_directory, keep_node, keep_pepper
from dragoman.store.kek import KekFile
from dragoman.store.migrations import Migration, migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from dragoman.store.sqlite import LARGE_PAGE, SqliteDatabase

LEDGER, RECORDS, PEPPER, KEK = "ledger.db", "records.db", "pepper", "kek"
POSTGRES = "dragoman.store.postgres"
"""Brings a driver that most do without."""
NODE, JOURNALS = "node", "journal"

AWAY = "has a pepper and no ledger.db: its keys are in a database that these settings do not name"
AWAY_FIX = (
    "Name it as the server does, with --config FILE or DATABASE_URL. If ledger.db is lost: "
    "dragoman db restore FILE --force. To begin anew, without any key or credit from before, "
    f"move {PEPPER} away."
)

Rooms = Sequence[tuple[str, Sequence[Migration]]]
"""Names of rooms, each with its migrations."""

LEDGER_ROOMS: Rooms = (
    (access.ROOM, access.MIGRATIONS),
    (seal.ROOM, seal.MIGRATIONS),
    (presence.ROOM, presence.MIGRATIONS),
    (byok_tables.ROOM, byok_tables.MIGRATIONS),
    (money.ROOM, money.MIGRATIONS),
    (alert_tables.ROOM, alert_tables.MIGRATIONS),
)
RECORDS_ROOMS: Rooms = ((records.ROOM, records.MIGRATIONS),)


class Premises(Struct, frozen=True, kw_only=True):
    """Where state lives. Close it when done. On PostgreSQL both databases are one."""

    path: Path
    ledger: Database
    records: Database
    pepper: Pepper
    vault: Vault

    @property
    def journals(self) -> Path:
        """Where the workers of this node keep their journals."""
        return self.path / JOURNALS

    def node(self) -> str:
        """Return the name of this node, which its journals bear. Blocks."""
        return keep_node(self.path / NODE)

    def has_usable_key(self) -> bool:
        """Say whether any key could be admitted. Blocks."""
        keys = self.ledger.run_now(every_key)
        return any(not key.disabled and key.revoked_at is None for key in keys)

    def has_any_key(self) -> bool:
        """Say whether a key was ever made. Blocks."""
        return bool(self.ledger.run_now(every_key))

    def close(self) -> None:
        """Finish pending work and close both databases. Blocks."""
        self.ledger.close()
        self.records.close()


class Home(Struct, frozen=True, kw_only=True):
    """A database, and the rooms that keep their tables in it."""

    name: str
    database: Database
    rooms: Rooms


def open_premises(
    path: Path,
    options: DatabaseOptions = DatabaseOptions(),  # noqa: B008  # a frozen value
    wall: Callable[[], float] = time.time,
) -> Premises:
    """Open the installation, making what is missing. Blocks.

    Raises CustodyError, NewerDatabase, or Unavailable when it cannot be used.
    """
    premises = open_locked(path, options, wall)
    try:
        premises.ledger.run_now(premises.vault.check)
    except BaseException:
        premises.close()
        raise
    return premises


def open_locked(
    path: Path,
    options: DatabaseOptions = DatabaseOptions(),  # noqa: B008  # a frozen value
    wall: Callable[[], float] = time.time,
) -> Premises:
    """Do what `open_premises` does, whether or not the accounts' own credentials can be opened."""
    check_home(path, options)
    keep_directory(path)
    homes = open_homes(path, options)
    try:
        for home in homes:
            upgrade(home, wall())
        pepper = _pepper(path, homes[0].database)
    except BaseException:
        close(homes)
        raise
    return Premises(
        path=path,
        ledger=homes[0].database,
        records=homes[-1].database,
        pepper=pepper,
        vault=Vault(KekFile(path / KEK)),
    )


def is_new(path: Path, options: DatabaseOptions) -> bool:
    """Say whether there is no installation yet: nothing is made, and nothing was lost.

    Raises Unavailable when the server that would hold it does not answer. Blocks.
    """
    if options.server is None:
        return not (path / PEPPER).exists() and not (path / LEDGER).exists()
    database = _server(options)
    try:
        sealed = database.read_now(seal.is_sealed)
    finally:
        database.close()
    return not sealed and not (path / PEPPER).exists()


def check_home(path: Path, options: DatabaseOptions) -> None:
    """Raise CustodyError where the state is elsewhere than in the files that these settings mean.

    Who made files there would serve, show, change and back up an empty installation: clients
    would be told that their keys are none, since a setting is missing or a file is lost.
    """
    if is_away(path, options):
        raise CustodyError(f"{path} {AWAY}. {AWAY_FIX}")


def is_away(path: Path, options: DatabaseOptions) -> bool:
    """Say whether an installation has its secret here, and its databases not in files as said."""
    is_in_files = options.server is None
    return is_in_files and (path / PEPPER).exists() and not (path / LEDGER).exists()


def lost_pepper(file: Path) -> str:
    """Return a sentence that says what it means that the file of the pepper is gone."""
    return f"{file} is gone, and without it none of the keys in the database can be verified."


def open_homes(path: Path, options: DatabaseOptions) -> tuple[Home, ...]:
    """Return the databases of the installation as they are, the ledger's first.

    Raises Unavailable when the server that is to hold them does not answer.
    """
    if options.server is None:
        ledger = SqliteDatabase(path / LEDGER, synchronous="FULL")
        archive = SqliteDatabase(path / RECORDS, synchronous="NORMAL", page_bytes=LARGE_PAGE)
        return (
            Home(name="ledger", database=ledger, rooms=LEDGER_ROOMS),
            Home(name="records", database=archive, rooms=RECORDS_ROOMS),
        )
    database = _server(options)
    try:
        database.run_now(import_module(POSTGRES).make_schema(options.schema))
    except BaseException:
        database.close()
        raise
    return (Home(name="postgresql", database=database, rooms=(*LEDGER_ROOMS, *RECORDS_ROOMS)),)


def _server(options: DatabaseOptions) -> Database:
    """Return the database on a server. Raises Unavailable when it does not answer."""
    postgres: Any = import_module(POSTGRES)
    database: Database = postgres.PostgresDatabase(options.server, options.schema)
    return database


def close(homes: Sequence[Home]) -> None:
    """Finish pending work and close every database. Blocks."""
    for home in homes:
        home.database.close()


def upgrade(home: Home, now: float) -> list[tuple[str, Migration]]:
    """Bring every room's tables to today's shape; return the steps that were taken. Blocks."""

    def work(connection: Connection) -> list[tuple[str, Migration]]:
        taken = [
            (room, step)
            for room, migrations in home.rooms
            for step in migrate(connection, room, migrations, now)
        ]
        if any(room == records.ROOM for room, _ in home.rooms):
            partitions.set_aside(connection, now)
        return taken

    return home.database.run_now(work)


def _pepper(path: Path, ledger: Database) -> Pepper:
    """Return the pepper of this node. Raises CustodyError unless it is that of the keys."""
    file = path / PEPPER
    restore = (
        "Put it back from a backup, or copy it from another node. To begin with new keys, "
        "move {} away or choose another database.schema."
    )
    if not file.exists() and ledger.run_now(lambda c: seal.is_sealed(c) or bool(every_key(c))):
        raise CustodyError(f"{lost_pepper(file)} {restore.format(LEDGER)}")
    pepper = keep_pepper(file)
    if not ledger.run_now(lambda connection: seal.fits(connection, pepper)):
        raise CustodyError(f"{another_pepper(file)} {restore.format(f'{LEDGER} and {PEPPER}')}")
    return pepper


def another_pepper(file: Path) -> str:
    """Return a sentence that says whose pepper a file does not hold."""
    return f"{file} is not the pepper that the keys in the database were made with."
