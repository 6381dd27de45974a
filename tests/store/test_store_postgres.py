"""PostgreSQL: servers that hang, vanish and return, what they refuse, and what they pass on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from dragoman.core.errors import Unavailable
from dragoman.store import listener
from dragoman.store.options import DatabaseOptions
from dragoman.store.postgres import READERS, Patience, PostgresDatabase, make_schema
from dragoman.store.sql import announce, be_patient
from tests.store.tap import Tap, tapped

QUICK = Patience(connect_s=1.0, lock_s=0.05, write_s=0.5, read_s=0.5)
LONG_S = 3600.0
"""Longer than any test runs."""


def one(connection: Connection) -> int:
    found: int = connection.execute(text("SELECT 1")).scalar_one()
    return found


@pytest.fixture
async def tap(postgres_state: DatabaseOptions) -> AsyncIterator[Tap]:
    async with tapped(str(postgres_state.server)) as tap:
        yield tap


@pytest.fixture
async def far(tap: Tap, postgres_state: DatabaseOptions) -> AsyncIterator[PostgresDatabase]:
    """The database at the other end of the wire."""
    database = PostgresDatabase(tap.url, postgres_state.schema, QUICK)
    yield database
    await asyncio.to_thread(database.close)


@pytest.fixture
async def db(postgres_state: DatabaseOptions) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(str(postgres_state.server), postgres_state.schema, QUICK)
    await database.run(make_schema(postgres_state.schema))
    yield database
    database.close()


async def test_a_server_that_hangs_is_unavailable_and_nothing_of_it_stays(
    far: PostgresDatabase, tap: Tap
) -> None:
    assert await far.read(one) == 1
    tap.stall()
    for do in (far.run, far.read):
        tries = (do(one) for _ in range(6))
        said = await asyncio.gather(*tries, return_exceptions=True)
        assert {type(each) for each in said} == {Unavailable}
    tap.flow()
    assert await far.run(one) == await far.read(one) == 1


async def test_a_server_that_returned_is_found_at_once(far: PostgresDatabase, tap: Tap) -> None:
    both = (far.read(one), far.read(one))
    assert [*await asyncio.gather(*both)] == [1, 1]
    tap.cut()
    await asyncio.sleep(0.05)  # until the driver has seen it
    assert [await far.read(one) for _ in range(4)] == [1, 1, 1, 1]


async def test_what_was_under_way_when_the_server_vanished_is_unavailable(
    far: PostgresDatabase, tap: Tap
) -> None:
    sleeping = asyncio.create_task(far.run(lambda c: c.execute(text("SELECT pg_sleep(30)"))))
    await asyncio.sleep(0.2)
    tap.cut()
    with pytest.raises(Unavailable):
        await sleeping
    assert await far.run(one) == 1


async def test_a_caller_who_leaves_has_it_rolled_back_and_frees_its_place(
    db: PostgresDatabase,
) -> None:
    await db.run(lambda c: c.execute(text("CREATE TABLE number (n INTEGER)")))

    def slow(connection: Connection) -> None:
        connection.execute(text("INSERT INTO number VALUES (1)"))
        connection.execute(text("SELECT pg_sleep(30)"))

    for _ in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await db.run(slow)
    assert await db.run(lambda c: c.execute(text("SELECT count(*) FROM number")).scalar()) == 0


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELEC", ProgrammingError),
        ("SELECT 1/0", DBAPIError),
        ("SELECT CAST('x' AS INTEGER)", DBAPIError),
        ("SELECT nothing", ProgrammingError),
        ("SELECT * FROM nothing", Unavailable),
        ("SELECT pg_terminate_backend(pg_backend_pid())", Unavailable),
        ("SELECT pg_sleep(30)", Unavailable),
    ],
)
async def test_a_defect_of_ours_stays_one_and_all_else_is_silence(
    db: PostgresDatabase, statement: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        await db.run(lambda connection: connection.execute(text(statement)))
    assert await db.run(one) == 1


async def test_a_missing_privilege_is_the_operators_to_mend(db: PostgresDatabase) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("SET LOCAL ROLE pg_read_all_stats"))
        connection.execute(text("CREATE TABLE number (n INTEGER)"))

    with pytest.raises(Unavailable):
        await db.run(work)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "postgresql://127.0.0.1:x/x"])
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    database = PostgresDatabase(url, "dragoman", QUICK)
    with pytest.raises(Unavailable):
        await database.run(one)
    await database.news(0.01)
    database.close()


async def test_connections_are_as_asked_for(db: PostgresDatabase) -> None:
    def shown(connection: Connection) -> list[object]:
        names = ("transaction_isolation", "transaction_read_only", "lock_timeout")
        return [connection.execute(text(f"SHOW {name}")).scalar() for name in names]

    assert await db.run(shown) == ["read committed", "off", "50ms"]
    assert await db.read(shown) == ["repeatable read", "on", "50ms"]


async def test_a_command_may_take_as_long_as_it_takes(db: PostgresDatabase) -> None:
    def slow(connection: Connection) -> int:
        be_patient(connection)
        connection.execute(text("SELECT pg_sleep(0.7)"))
        return one(connection)

    assert await asyncio.to_thread(db.run_now, slow) == 1
    assert await asyncio.to_thread(db.read_now, slow) == 1


async def test_a_schema_is_made_once_whoever_asks(
    db: PostgresDatabase, postgres_state: DatabaseOptions
) -> None:
    for _ in range(2):
        await db.run(make_schema(postgres_state.schema))


async def test_news_come_when_another_node_commits_and_not_before(
    db: PostgresDatabase, postgres_state: DatabaseOptions
) -> None:
    other = PostgresDatabase(str(postgres_state.server), postgres_state.schema, QUICK)
    await other.news(LONG_S)  # it listens from now on
    waiting = asyncio.create_task(other.news(LONG_S))

    def changed_mind(connection: Connection) -> None:
        announce(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await db.run(changed_mind)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await db.run(announce)
    async with asyncio.timeout(30):
        await waiting
    other.close()


async def test_who_listens_listens_again_after_the_server_was_away(
    far: PostgresDatabase, tap: Tap, db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RECONNECT_S", 0.01)
    async with asyncio.timeout(20):
        await far.news(LONG_S)
        tap.cut()
        await far.news(LONG_S)  # news may have been missed, so coming back is news
        waiting = asyncio.create_task(far.news(LONG_S))
        await asyncio.sleep(0.05)
        await db.run(announce)
        await waiting


async def test_who_waits_for_connections_that_are_never_made_makes_one(
    postgres_state: DatabaseOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a stop: those who were connecting are cancelled, and one more has to read."""
    patient = Patience(connect_s=1.0, lock_s=1.0, write_s=LONG_S, read_s=LONG_S)
    database = PostgresDatabase(str(postgres_state.server), postgres_state.schema, patient)
    connect, hangs = asyncpg.connect, [True] * READERS

    async def stuck(*args: Any, **named: Any) -> Any:
        if hangs:
            hangs.pop()
            await asyncio.Event().wait()
        return await connect(*args, **named)

    monkeypatch.setattr(asyncpg, "connect", stuck)
    first = [asyncio.create_task(database.read(one)) for _ in range(READERS)]
    async with asyncio.timeout(20):
        while hangs:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        late = asyncio.create_task(database.read(one))
        await asyncio.sleep(0.1)
        for each in first:
            each.cancel()
        assert await late == 1
    await asyncio.gather(*first, return_exceptions=True)
    await asyncio.to_thread(database.close)
