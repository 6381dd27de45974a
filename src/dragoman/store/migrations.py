"""Numbered steps that bring a database to the shape the code expects, each applied once.

A room's migrations are frozen text, apart from its living tables: what ran on
somebody's machine a year ago must not change because a table did. They run in
one write transaction under a lock, so two processes that start together apply
each once, wherever the database is.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
)

from dragoman.store.sql import be_patient

LOCK = 0x647261676F6D616E
"""The advisory lock of PostgreSQL under which tables change: `dragoman` in ASCII."""
LOCK_S = 60.0

applied = Table(
    "migration",
    MetaData(),
    Column("room", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", Double(), nullable=False),
)


class Migration(Struct, frozen=True):
    """One step: its place in its room's list (from 1, no gaps), its name, its SQL.

    `only` is SQL that one database takes and others do not, by SQLAlchemy's name of
    the dialect; it comes after the SQL of all.
    """

    number: int
    name: str
    statements: tuple[str, ...]
    only: dict[str, tuple[str, ...]] = {}


class NewerDatabase(Exception):
    """The database was last used by a later release, which this one would damage."""


def migrate(
    connection: Connection, room: str, migrations: Sequence[Migration], now: float
) -> tuple[Migration, ...]:
    """Apply what `room` still lacks, at Unix time `now`, and return it.

    To be given to `Database.run`. Raises NewerDatabase, having changed nothing,
    when the database has steps that `migrations` does not know.
    """
    _be_alone(connection)
    applied.create(connection, checkfirst=True)
    reached = steps(connection).get(room, 0)
    if reached > len(migrations):
        raise NewerDatabase(
            f"The database is at step {reached} of {room!r}, and this release knows "
            f"{len(migrations)}: a later release of Dragoman has used it. "
            "Run that release, or restore a backup made before it."
        )
    lacking = tuple(migrations[reached:])
    for migration in lacking:
        own = migration.only.get(connection.dialect.name, ())
        for statement in (*migration.statements, *own):
            connection.execute(text(statement))
        row = {"room": room, "number": migration.number, "name": migration.name, "applied_at": now}
        connection.execute(insert(applied).values(row))
    return lacking


def steps(connection: Connection) -> dict[str, int]:
    """Return how many steps each room has come; empty where no migration ever ran."""
    if not inspect(connection).has_table(applied.name):
        return {}
    query = select(applied.c.room, func.max(applied.c.number)).group_by(applied.c.room)
    return {row.room: row[1] for row in connection.execute(query)}


def _be_alone(connection: Connection) -> None:
    """Wait until no other process migrates. A write transaction of SQLite is alone already."""
    if connection.dialect.name == "postgresql":
        be_patient(connection, lock_s=LOCK_S)
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
