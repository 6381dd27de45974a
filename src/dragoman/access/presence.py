"""Which nodes are alive, so that those which cannot count together each know their part.

Each says so in the database from time to time. Where the database does not answer, what was
last known holds: a limit does not grow because nobody can tell how many there are.
"""

import asyncio
from contextlib import suppress

from sqlalchemy import Column, Connection, Double, MetaData, Table, Text, func, select, text

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.store.migrations import Migration
from dragoman.store.sql import Database, Work

ROOM = "presence"
EVERY_S = 10.0
GONE_S = 30.0
"""Who has said nothing for so long is gone."""

MIGRATIONS = (
    Migration(
        1,
        "which nodes are alive",
        ("CREATE TABLE node (id TEXT NOT NULL PRIMARY KEY, seen_at DOUBLE PRECISION NOT NULL)",),
    ),
)

node = Table(
    "node",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("seen_at", Double(), nullable=False),
)


class Presence:
    """Says that this node is alive, and knows how many are. Its owner runs `run`."""

    def __init__(self, database: Database, name: str, clock: Clock) -> None:
        self._database = database
        self._name = name
        self._clock = clock
        self._alive = 1

    def alive(self) -> int:
        """Return how many nodes there are, this one with them."""
        return self._alive

    async def look(self) -> None:
        """Say that this node is here, and count. Raises Unavailable."""
        self._alive = await self._database.run(_seen(self._name, self._clock.wall()))

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            with suppress(Unavailable):  # the ledger's own loops say so
                await self.look()
            await asyncio.sleep(EVERY_S)


def _seen(name: str, now: float) -> Work[int]:
    def work(connection: Connection) -> int:
        said = text(
            "INSERT INTO node (id, seen_at) VALUES (:id, :now)"
            " ON CONFLICT (id) DO UPDATE SET seen_at = :now"
        )
        connection.execute(said, {"id": name, "now": now})
        gone = text("DELETE FROM node WHERE seen_at < :then")
        connection.execute(gone, {"then": now - GONE_S})
        return int(connection.execute(select(func.count()).select_from(node)).scalar_one())

    return work
