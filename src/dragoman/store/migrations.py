"""Numbered steps that bring a database to the shape the code expects, each applied once.

A room's migrations are frozen text, apart from its living tables: what ran on
somebody's machine a year ago must not change because a table did. They run in
one write transaction, so two processes that start together apply each once.
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
    select,
    text,
)

applied = Table(
    "migration",
    MetaData(),
    Column("room", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("applied_at", Double(), nullable=False),
)


class Migration(Struct, frozen=True):
    """One step: its place in its room's list (from 1, no gaps), its name, its SQL."""

    number: int
    name: str
    statements: tuple[str, ...]


class NewerDatabase(Exception):
    """The database was last used by a later release, which this one would damage."""


def migrate(
    connection: Connection, room: str, migrations: Sequence[Migration], now: float
) -> tuple[Migration, ...]:
    """Apply what `room` still lacks, at Unix time `now`, and return it.

    To be given to `Database.run`. Raises NewerDatabase, having changed nothing,
    when the database has steps that `migrations` does not know.
    """
    applied.create(connection, checkfirst=True)
    query = select(func.max(applied.c.number)).where(applied.c.room == room)
    reached: int = connection.execute(query).scalar() or 0
    if reached > len(migrations):
        raise NewerDatabase(
            f"The database is at step {reached} of {room!r}, and this release knows "
            f"{len(migrations)}: a later release of Dragoman has used it. "
            "Run that release, or restore a backup made before it."
        )
    lacking = tuple(migrations[reached:])
    for migration in lacking:
        for statement in migration.statements:
            connection.execute(text(statement))
        row = {"room": room, "number": migration.number, "name": migration.name, "applied_at": now}
        connection.execute(insert(applied).values(row))
    return lacking
