"""How many nodes there are, as each of them sees it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection

from dragoman.access import presence
from dragoman.access.presence import Presence
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.access.fakes import HandClock
from tests.postgres import open_database


def opened(state: DatabaseOptions, path: Path) -> Database:
    database = open_database(state, path)

    def work(connection: Connection) -> None:
        migrate(connection, presence.ROOM, presence.MIGRATIONS, 0.0)

    database.run_now(work)
    return database


async def test_nodes_count_each_other_until_one_is_silent(
    state: DatabaseOptions, tmp_path: Path
) -> None:
    database, hand = opened(state, tmp_path / "ledger.db"), HandClock()
    clock = Clock(wall=hand)
    one, other = (Presence(database, name, clock) for name in ("one", "other"))
    await one.look()
    await one.look()
    assert one.alive() == 1
    await other.look()
    await one.look()
    assert (one.alive(), other.alive()) == (2, 2)
    hand.now += presence.GONE_S + 1
    await one.look()
    assert one.alive() == 1
    database.close()


async def test_while_the_database_is_silent_the_last_count_holds(
    state: DatabaseOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(state, tmp_path / "ledger.db")
    one, other = (Presence(database, name, Clock()) for name in ("one", "other"))
    await other.look()
    await one.look()
    monkeypatch.setattr(presence, "EVERY_S", 0.01)
    database.close()
    with pytest.raises(Unavailable):
        await one.look()
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0.05)
    assert not running.done()
    assert one.alive() == 2
    running.cancel()
