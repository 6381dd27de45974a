"""Two nodes that keep one limit together, in Redis, and go on without it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.access import rates, shared
from dragoman.access.options import AccessOptions, RedisOptions
from dragoman.access.rates import Rates
from dragoman.config import Options
from dragoman.office.premises import open_premises
from dragoman.store.options import DatabaseOptions
from tests.app.node import Node
from tests.conftest import Needs
from tests.redis_server import RedisServer


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Redis waited for, and buckets refill in an hour, however slow the machine is."""
    monkeypatch.setattr(shared, "TIMEOUT_S", 20.0)
    monkeypatch.setattr(rates, "MINUTE_NS", 60 * rates.MINUTE_NS)


@pytest.fixture
def server(needs: Needs) -> Iterator[RedisServer]:
    started = RedisServer(needs("redis-server"))
    try:
        started.start()
        yield started
    finally:
        started.remove()


async def test_a_limit_holds_over_two_nodes_and_redis_may_go(
    tmp_path: Path, state: DatabaseOptions, server: RedisServer
) -> None:
    options = Options(
        access=AccessOptions(account_limits=Rates(rpm=6)),
        redis=RedisOptions(url=server.url),
        database=state,
    )
    home = open_premises(tmp_path / "data", state)
    try:
        one, other = Node(home, options), Node(home, options)
        async with one.running(), other.running():
            statuses = [(await (one, other)[n % 2].chat()).status for n in range(8)]
            assert statuses == [200] * 6 + [429] * 2, "both nodes' keys are of one account"
            server.stop()
            assert [(await one.chat()).status for _ in range(3)] == [200] * 3
    finally:
        home.close()


async def test_without_redis_a_node_that_is_not_alone_keeps_to_its_part(
    tmp_path: Path, postgres_state: DatabaseOptions
) -> None:
    options = Options(access=AccessOptions(account_limits=Rates(rpm=6)), database=postgres_state)
    first = open_premises(tmp_path / "a", postgres_state)
    (tmp_path / "b").mkdir(mode=0o700)
    (tmp_path / "b" / "pepper").write_bytes((tmp_path / "a" / "pepper").read_bytes())
    (tmp_path / "b" / "pepper").chmod(0o600)
    second = open_premises(tmp_path / "b", postgres_state)
    try:
        one, other = Node(first, options), Node(second, options)
        async with one.running(), other.running():
            for node in (other, one):
                presence = node.background.crew.counter.presence
                assert presence is not None
                await presence.look()
            statuses = [(await one.chat()).status for _ in range(5)]
            assert statuses == [200] * 3 + [429] * 2
    finally:
        first.close()
        second.close()
