"""Nodes that count in Redis together, and what they do when it is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis

from dragoman.access import shared
from dragoman.access.limiter import Draw, LocalLimiter, Quota, Slot
from dragoman.access.rates import Rate, per_minute
from dragoman.access.shared import RedisLimiter
from tests.conftest import Needs
from tests.redis_server import RedisServer

HOUR_NS = 3600 * 10**9


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Redis waited for, however slow the machine is."""
    monkeypatch.setattr(shared, "TIMEOUT_S", 20.0)


@pytest.fixture
def server(needs: Needs) -> Iterator[RedisServer]:
    started = RedisServer(needs("redis-server"))
    try:
        started.start()
        yield started
    finally:
        started.remove()


@asynccontextmanager
async def node(server: RedisServer) -> AsyncIterator[RedisLimiter]:
    limiter = RedisLimiter(server.url, "test", LocalLimiter(lambda: 0))
    running = asyncio.create_task(limiter.run())
    try:
        yield limiter
    finally:
        running.cancel()
        await limiter.aclose()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_two_nodes_get_together_what_one_would(server: RedisServer) -> None:
    draw, slot = Draw("d", Rate(HOUR_NS, 10)), Slot("s", 8)
    async with node(server) as one, node(server) as other:
        taken = [await (one, other)[n % 2].take((draw, slot)) for n in range(12)]
        assert [each is None for each in taken] == [True] * 8 + [False] * 4
        assert taken[8] is not None
        assert taken[8].item is slot
        quota = Quota("q", 3)
        assert [await each.take((quota,)) for each in (one, other, one)] == [None] * 3
        assert await other.take((quota,)) is not None
        assert await one.used(quota) == await other.used(quota) == 3


async def test_a_place_is_given_back_and_had_by_another_node(server: RedisServer) -> None:
    slot = Slot("s", 1)
    async with node(server) as one, node(server) as other:
        assert await one.take((slot,)) is None
        assert await other.take((slot,)) is not None
        one.leave(slot)
        async with asyncio.timeout(30):
            while await other.take((slot,)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_was_taken_too_much_comes_back(server: RedisServer) -> None:
    draw = Draw("d:tpm", Rate(HOUR_NS, 100), 90)
    async with node(server) as one, node(server) as other:
        assert await one.take((draw,)) is None
        assert await other.take((draw,)) is not None
        one.correct(draw, 5)
        async with asyncio.timeout(30):
            while await other.take((draw,)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_place_of_a_node_that_died_is_free_after_a_while(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = Slot("s", 1)
    async with node(server) as dead:
        assert await dead.take((slot,)) is None
    async with node(server) as other:
        assert await other.take((slot,)) is not None
        monkeypatch.setattr(shared, "SILENT_US", 0)
        assert await other.take((slot,)) is None


async def test_a_place_that_is_held_long_is_kept_by_saying_so(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "BEAT_S", 0.05)
    slot = Slot("s", 1)
    line: Any = redis.Redis(unix_socket_path=str(server.socket))

    def heard_of() -> float:
        ((_, at),) = line.zrange("{test}:s", 0, -1, withscores=True)
        return float(at)

    async with node(server) as one:
        assert await one.take((slot,)) is None
        first = heard_of()
        await until(lambda: heard_of() > first)
    line.close()


async def test_places_that_are_held_do_not_crowd_out_those_that_are_given_back(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "MOST_OWED", 2)
    slots = [Slot(f"s{number}", 1) for number in range(6)]
    one = RedisLimiter(server.url, "test", LocalLimiter(lambda: 0))
    for slot in slots:
        assert await one.take((slot,)) is None
    for slot in slots[:2]:
        one.leave(slot)
    one._beat_all()
    one._beats.appendleft("s0")  # which was to be said before it was given back
    await one._send_owed()
    async with node(server) as other:
        free = [await other.take((slot,)) is None for slot in slots]
    assert free == [True, True, False, False, False, False]
    await one.aclose()


async def test_a_clock_that_was_set_back_locks_out_for_one_burst_only(server: RedisServer) -> None:
    draw = Draw("d", Rate(10**9, 3))
    line: Any = redis.Redis(unix_socket_path=str(server.socket))
    seconds, _ = line.time()
    line.set("{test}:d", (seconds + 3600) * 1_000_000)
    line.close()
    async with node(server) as one:
        denied = await one.take((draw,))
        assert denied is not None
        assert denied.wait_ns <= 10**9


async def test_nobody_is_told_that_redis_is_gone_and_it_is_used_once_it_is_back(
    server: RedisServer,
) -> None:
    slot, quota, draw = Slot("s", 2), Quota("q", 100), Draw("d:tpm", per_minute(1000), 400)
    async with node(server) as one:
        assert await one.take((slot,)) is None
        server.stop()
        for _ in range(shared.MOST_FAILURES):
            assert await one.take((quota,)) is None
        assert one.is_away
        assert await one.used(quota) == shared.MOST_FAILURES, "counted here"
        assert await one.take((draw, slot)) is None
        assert await one.take((slot,)) is None
        assert await one.take((slot,)) is not None, "the limit holds here"
        one.correct(draw, 0)
        assert await one.take((Draw("d:tpm", per_minute(1000), 1000),)) is None
        for _ in range(3):
            one.leave(slot)
        server.start()
        await until(lambda: not one.is_away)
        assert await one.used(quota) == 0, "Redis counts again"


async def test_a_place_that_redis_gave_unheard_is_given_back(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = Slot("s", 2)
    async with node(server) as one:
        assert await one.take((Quota("q", 1),)) is None, "Redis knows the script"
        monkeypatch.setattr(shared, "TIMEOUT_S", 0.05)
        with server.paused():
            for _ in range(2):
                assert await one.take((slot,)) is None, "had here"
        monkeypatch.setattr(shared, "TIMEOUT_S", 20.0)
        await until(lambda: not one.is_away)
        for _ in range(2):
            one.leave(slot)
        with redis.Redis(unix_socket_path=str(server.socket)) as line:
            await until(lambda: line.zcard("{test}:s") == 0)
        assert [await one.take((slot,)) is None for _ in range(3)] == [True, True, False]


async def test_a_place_of_a_request_that_was_cancelled_meanwhile_is_given_back(
    server: RedisServer,
) -> None:
    slot = Slot("s", 1)
    async with node(server) as one:
        assert await one.take((Quota("q", 1),)) is None, "Redis knows the script"
        with server.paused():
            asked = asyncio.create_task(one.take((slot,)))
            await asyncio.sleep(0.05)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        with redis.Redis(unix_socket_path=str(server.socket)) as line:
            await until(lambda: line.zcard("{test}:s") == 0)
        assert await one.take((slot,)) is None


async def test_an_empty_demand_asks_nobody(server: RedisServer) -> None:
    async with node(server) as one:
        server.stop()
        assert await one.take(()) is None
        assert not one._failures
