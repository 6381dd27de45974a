"""Fixtures of the office's tests: real databases in a temporary directory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

import pytest

from dragoman.access import byok_tables
from dragoman.access import migrations as access
from dragoman.core.clock import Clock
from dragoman.ledger import alert_tables
from dragoman.ledger import migrations as money
from dragoman.net.fetch import SafeFetch
from dragoman.net.options import FetchOptions
from dragoman.office import keys
from dragoman.office.alert_options import SmtpOptions
from dragoman.office.courier import Courier, Ways
from dragoman.records import migrations as records
from dragoman.store.custody import Pepper
from dragoman.store.migrations import Migration, migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.office.alert_scene import SECRETS
from tests.office.past import Homes
from tests.postgres import open_database

Couriers = Callable[..., Courier]


@pytest.fixture
def pepper() -> Pepper:
    return Pepper(bytes(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, path)
    for room in (access, byok_tables, money, alert_tables):
        steps: tuple[Migration, ...] = room.MIGRATIONS
        database.run_now(partial(migrate, room=room.ROOM, migrations=steps, now=0.0))
    yield database
    database.close()


@pytest.fixture
def records_db(tmp_path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, tmp_path / "records.db")
    database.run_now(lambda c: migrate(c, records.ROOM, records.MIGRATIONS, 0.0))
    yield database
    database.close()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.fixture
def couriers(ledger: Database, stack: AsyncExitStack) -> Couriers:
    """Return what makes a courier that may reach loopback by some port."""

    def make(port: int = 443, smtp: SmtpOptions | None = None, **options: object) -> Courier:
        chosen = {"allow": ("127.0.0.1",), "allow_http": True, "timeout_s": 2.0, "redirects": 0}
        fetch = SafeFetch(Clock(), FetchOptions(**chosen | {"ports": (443, port)} | options))  # type: ignore[arg-type]
        stack.push_async_callback(fetch.aclose)
        ways = Ways(fetch=fetch, secrets=SECRETS, smtp=smtp)
        return Courier(ledger, ways, Clock(), Random(1), asyncio.Event())

    return make


@pytest.fixture
def homes(tmp_path: Path, state: DatabaseOptions) -> Iterator[Homes]:
    """The databases of the ledger and of the records, as they are on each kind of server."""
    ledger = open_database(state, tmp_path / "ledger.db")
    archive = open_database(state, tmp_path / "records.db")
    for database in {ledger, archive} if state.server is None else {ledger}:
        for room in (access, money, records):
            steps: tuple[Migration, ...] = room.MIGRATIONS
            database.run_now(partial(migrate, room=room.ROOM, migrations=steps, now=0.0))
    yield ledger, archive
    ledger.close()
    archive.close()


@pytest.fixture
def key(homes: Homes) -> str:
    """The hash of a key of the default account."""
    work = keys.create("k", prefix="sk-", pepper=Pepper(bytes(32)), now=0.0)
    return homes[0].run_now(work)[1].hash
