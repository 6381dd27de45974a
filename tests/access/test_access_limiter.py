"""Limiters do what a plain model of buckets, places and quotas does: in memory, and in Redis."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from fractions import Fraction
from typing import Any, Protocol, TypeVar

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dragoman.access import shared
from dragoman.access.limiter import (
    Denied,
    DividedLimiter,
    Draw,
    Item,
    Limiter,
    LocalLimiter,
    Quota,
    Slot,
    divided,
)
from dragoman.access.rates import Rate
from dragoman.access.shared import RedisLimiter
from tests.conftest import Needs
from tests.redis_server import RedisServer

T = TypeVar("T")

UNIT_NS = 3600 * 10**9
"""Long, so that the time that really passes with Redis does not count."""
RATES = (Rate(10 * UNIT_NS, 3), Rate(7 * UNIT_NS, 1), Rate(UNIT_NS, 20))

draws = st.builds(
    lambda n, units: Draw(f"draw {n}", RATES[n], units), st.integers(0, 2), st.integers(1, 4)
)
slots = st.integers(0, 1).map(lambda n: Slot(f"slot {n}", n + 1))
quotas = st.integers(0, 1).map(lambda n: Quota(f"quota {n}", n + 2))
demands = st.lists(draws | slots | quotas, max_size=4, unique_by=lambda item: item.bucket)


class Place(Protocol):
    """A limiter, and what of time a test can do to it."""

    limiter: Limiter

    def done(self, work: Coroutine[Any, Any, T]) -> T: ...
    def pass_time(self, ns: int) -> None: ...
    def settle(self) -> None: ...
    def held(self, slot: Slot) -> int: ...
    def close(self) -> None: ...


class Here:
    """The limiter in memory. Taking never suspends."""

    def __init__(self) -> None:
        self.now = 1000
        self.local = LocalLimiter(lambda: self.now)
        self.limiter: Limiter = self.local

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise AssertionError("it suspended")

    def pass_time(self, ns: int) -> None:
        self.now += ns

    def settle(self) -> None:
        """Nothing is ever owed."""

    def held(self, slot: Slot) -> int:
        return self.local._held.get(slot.bucket, 0)

    def close(self) -> None:
        """Nothing is open."""


class There:
    """The limiter in Redis. Time passes in that what it remembers becomes older."""

    def __init__(self, server: RedisServer) -> None:
        self.loop = asyncio.new_event_loop()
        self.redis = redis.Redis(unix_socket_path=str(server.socket))
        self.redis.flushall()
        self.local = LocalLimiter(lambda: 0)
        self.shared = RedisLimiter(server.url, "test", self.local)
        self.limiter: Limiter = self.shared

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        async def patiently() -> T:
            async with asyncio.timeout(30):
                return await work

        self.settle()
        result = self.loop.run_until_complete(patiently())
        assert self.shared._failures == 0, "Redis answered, and not the limiter that stands in"
        return result

    def pass_time(self, ns: int) -> None:
        self.settle()
        for key in self.redis.scan_iter("{test}:draw *"):
            self.redis.decrby(key, ns // 1000)

    def settle(self) -> None:
        self.loop.run_until_complete(self.shared._send_owed())

    def held(self, slot: Slot) -> int:
        self.settle()
        return int(self.redis.zcard(f"{{test}}:{slot.bucket}"))

    def close(self) -> None:
        self.loop.run_until_complete(self.shared.aclose())
        self.loop.close()
        self.redis.close()


class Buckets:
    """The model: levels as exact fractions of a unit, which grow with time."""

    def __init__(self) -> None:
        self.levels: dict[str, tuple[Fraction, Rate]] = {}
        self.counts = Counter[str]()

    def level(self, draw: Draw) -> Fraction:
        level, rate = self.levels.get(draw.bucket, (Fraction(draw.rate.burst), draw.rate))
        return min(max(level, Fraction(0)), Fraction(rate.burst))

    def has(self, item: Item) -> bool:
        if isinstance(item, Draw):
            return self.level(item) >= item.units
        return self.counts[item.bucket] < item.most

    def take(self, item: Item) -> None:
        if isinstance(item, Draw):
            self.levels[item.bucket] = (self.level(item) - item.units, item.rate)
        else:
            self.counts[item.bucket] += 1

    def wait(self, ns: int) -> None:
        for bucket, (level, rate) in self.levels.items():
            self.levels[bucket] = (level + Fraction(ns, rate.unit_ns), rate)

    def correct(self, draw: Draw, units: int) -> None:
        level, rate = self.levels[draw.bucket]
        self.levels[draw.bucket] = (min(level, Fraction(rate.burst)) + draw.units - units, rate)


class LimiterMachine(RuleBasedStateMachine):
    """Takes, waits, corrects and leaves at random, in both."""

    taken = Bundle("taken")

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.model = Buckets()
        self.held = Counter[Slot]()

    def teardown(self) -> None:
        self.place.close()

    @rule(target=taken, demand=demands)
    def take(self, demand: list[Any]) -> tuple[Item, ...]:
        denied = self.place.done(self.place.limiter.take(tuple(demand)))
        lacking = [item for item in demand if not self.model.has(item)]
        if lacking:
            assert denied is not None
            assert denied.item is lacking[0]
            self._check_wait(denied)
            return ()
        assert denied is None
        for item in demand:
            self.model.take(item)
            if isinstance(item, Slot):
                self.held[item] += 1
        return tuple(demand)

    def _check_wait(self, denied: Denied) -> None:
        if isinstance(denied.item, Draw):
            level = self.model.level(denied.item)
            wait_ns = (denied.item.units - level) * denied.item.rate.unit_ns
            assert denied.left == level // 1
            assert 0 <= wait_ns - denied.wait_ns < 60 * 10**9, "time passes beside Redis"

    @rule(hours=st.integers(0, 40))
    def wait(self, hours: int) -> None:
        self.place.pass_time(hours * UNIT_NS)
        self.model.wait(hours * UNIT_NS)

    @rule(items=taken, units=st.integers(0, 6))
    def end(self, items: tuple[Item, ...], units: int) -> None:
        for item in items:
            if isinstance(item, Draw):
                self.place.limiter.correct(item, units)
                self.model.correct(item, units)
            elif isinstance(item, Slot) and self.held[item]:
                self.held[item] -= 1
                self.place.limiter.leave(item)
                self.model.counts[item.bucket] -= 1

    @invariant()
    def counts_agree(self) -> None:
        for n in range(2):
            quota, slot = Quota(f"quota {n}", n + 2), Slot(f"slot {n}", n + 1)
            used = self.place.done(self.place.limiter.used(quota))
            assert used == self.model.counts[quota.bucket] <= quota.most
            assert self.place.held(slot) == self.model.counts[slot.bucket] <= slot.most


def machine(make: Callable[[], Place]) -> type[LimiterMachine]:
    """Return the machine for limiters of one make."""

    class Machine(LimiterMachine):
        def __init__(self) -> None:
            super().__init__(make())

    return Machine


@pytest.fixture(scope="module")
def server(needs: Needs) -> Iterator[RedisServer]:
    started = RedisServer(needs("redis-server"))
    try:
        started.start()
        yield started
    finally:
        started.remove()


def test_the_limiter_in_memory_does_what_the_model_does() -> None:
    steps = settings(max_examples=150, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine(Here), settings=steps)


def test_the_limiter_in_redis_does_what_the_model_does(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "TIMEOUT_S", 20.0)  # however slow the machine is
    steps = settings(max_examples=40, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(machine(lambda: There(server)), settings=steps)


async def test_what_is_remembered_is_bounded_and_the_least_used_goes_first() -> None:
    limiter = LocalLimiter(lambda: 0, most=2)
    a, b, c = (Draw(name, Rate(1, 1)) for name in "abc")
    assert await limiter.take((a, b)) is None
    assert await limiter.take((c,)) is None
    assert await limiter.take((b,)) is not None
    assert await limiter.take((a,)) is None, "forgotten, and so full"
    limiter.correct(b, 0)
    limiter.correct(Draw("never seen", Rate(1, 1)), 5)
    assert len(limiter._tats) == 2


@pytest.mark.parametrize(
    ("item", "nodes", "part"),
    [
        (Slot("s", 7), 1, Slot("s", 7)),
        (Slot("s", 7), 2, Slot("s", 3)),
        (Quota("q", 3), 9, Quota("q", 1)),
        (Draw("d", Rate(10, 6), 2), 3, Draw("d", Rate(30, 2), 2)),
        (Draw("d", Rate(10, 6), 5), 3, Draw("d", Rate(30, 2), 2)),
        (Draw("d", Rate(10, 1), 1), 4, Draw("d", Rate(40, 1), 1)),
    ],
)
def test_a_node_gets_its_part_and_never_less_than_one(item: Item, nodes: int, part: Item) -> None:
    assert divided(item, nodes) == part


async def test_a_limit_is_divided_by_the_nodes_there_are_and_told_whole() -> None:
    nodes = 2
    limiter = DividedLimiter(LocalLimiter(lambda: 0), lambda: nodes)
    slot, draw = Slot("s", 2), Draw("d", Rate(10, 4), 4)
    assert await limiter.take((slot, draw)) is None
    denied = await limiter.take((slot,))
    assert denied is not None
    assert denied.item is slot
    denied = await limiter.take((Slot("t", 2), draw))
    assert denied is not None
    assert denied.item is draw, "and not what there was room for"
    limiter.correct(draw, 0)
    limiter.leave(slot)
    assert await limiter.take((slot, draw)) is None
    nodes = 1
    assert await limiter.take((slot,)) is None, "the other node is gone"
    quota = Quota("q", 5)
    assert await limiter.take((quota,)) is None
    assert await limiter.used(quota) == 1
