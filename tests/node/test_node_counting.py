"""Rate limits of a worker: the keeper's word counts; while it is silent, a share does."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.limiter import Denied, Draw, Item, LocalLimiter, Quota, Slot
from dragoman.access.rates import per_minute
from dragoman.core.errors import Unavailable
from dragoman.node import counting
from dragoman.node.counting import SharedLimiter, share

ONE = Slot("key:a:concurrency", 1)
PACE = Draw("key:a:rpm", per_minute(60))
WORKERS = 4
T = TypeVar("T")


class Keeper:
    """A keeper's limiter, which may be silent or slow."""

    def __init__(self) -> None:
        self.limiter = LocalLimiter(lambda: 0)
        self.before: Callable[[], Awaitable[None]] | None = None

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        if self.before is not None:
            await self.before()
        return await self.limiter.take(demand)

    async def used(self, quota: Quota) -> int:
        if self.before is not None:
            await self.before()
        return await self.limiter.used(quota)

    def correct(self, draw: Draw, units: int) -> None:
        self.limiter.correct(draw, units)

    def leave(self, slot: Slot) -> None:
        self.limiter.leave(slot)


class House:
    def __init__(self) -> None:
        self.keeper = Keeper()
        self.workers = [self.worker() for _ in range(WORKERS)]

    def worker(self) -> SharedLimiter:
        own = LocalLimiter(lambda: 0)
        return SharedLimiter(self.keeper, own, WORKERS)  # type: ignore[arg-type]  # what it asks

    def silence(self) -> None:
        async def silent() -> None:
            raise Unavailable("gone")

        self.keeper.before = silent


async def test_one_at_a_time_is_one_at_a_time_over_all_workers() -> None:
    house = House()
    assert [await each.take((ONE,)) for each in house.workers] == [None] + [Denied(ONE)] * 3
    house.workers[0].leave(ONE)
    assert await house.workers[3].take((ONE,)) is None


async def test_the_item_denied_is_the_very_one_of_the_demand() -> None:
    worker = House().workers[0]
    await worker.take((ONE,))
    mine = Slot(ONE.bucket, ONE.most)
    denied = await worker.take((PACE, mine))
    assert denied is not None
    assert denied.item is mine


async def test_while_the_keeper_is_silent_each_worker_gives_its_share_and_takes_it_back() -> None:
    house = House()
    house.silence()
    for worker in house.workers:
        given = [await worker.take((PACE,)) is None for _ in range(20)]
        assert sum(given) == 15
        assert await worker.take((ONE,)) is None
        denied = await worker.take((ONE,))
        assert denied is not None
        assert denied.item is ONE
        worker.leave(ONE)
        assert await worker.take((ONE,)) is None
    house.keeper.before = None
    for worker in house.workers:
        worker.leave(ONE)  # to its own count, of which the keeper knows nothing
    assert await house.workers[0].take((ONE,)) is None


class Crowd(Counter[T]):
    """Places of so many that nobody should look at each of them, as `-=` of a Counter does."""

    def _keep_positive(self) -> NoReturn:
        raise AssertionError("looked at every place")


async def test_to_give_a_place_back_costs_the_same_however_many_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    house.silence()
    worker = house.workers[0]
    monkeypatch.setattr(worker, "_held", Crowd[str]())
    assert await worker.take((ONE,)) is None
    worker.leave(ONE)
    assert await worker.take((ONE,)) is None


async def test_a_place_that_is_given_too_late_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "WAIT_S", 0.01)
    house, late = House(), asyncio.Event()
    house.keeper.before = lambda: _until(late)
    assert await house.workers[0].take((ONE,)) is None
    late.set()
    house.keeper.before = None
    await asyncio.sleep(0.01)
    assert await house.workers[1].take((ONE,)) is None


async def test_a_keeper_that_owes_an_answer_is_not_waited_for_by_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "WAIT_S", 0.01)
    house, late = House(), asyncio.Event()
    asked = 0

    async def stand_still() -> None:
        nonlocal asked
        asked += 1
        await late.wait()

    house.keeper.before = stand_still
    worker = house.workers[0]
    given = [await worker.take((PACE,)) is None for _ in range(20)]
    assert (asked, sum(given)) == (1, 15)
    late.set()
    await asyncio.sleep(0.01)
    assert await worker.take((PACE,)) is None
    assert asked == 2


async def test_a_place_that_nobody_waits_for_any_more_is_given_back() -> None:
    house, late = House(), asyncio.Event()
    house.keeper.before = lambda: _until(late)
    asked = asyncio.create_task(house.workers[0].take((ONE,)))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    late.set()
    house.keeper.before = None
    await asyncio.sleep(0.01)
    assert await house.workers[1].take((ONE,)) is None


async def test_what_was_used_is_asked_of_the_keeper_or_told_from_memory() -> None:
    house, quota = House(), Quota("free:a:day-1", 5)
    worker = house.workers[0]
    await worker.take((quota,))
    assert await worker.used(quota) == 1
    house.silence()
    assert await worker.used(quota) == 0


@given(st.integers(1, 1000), st.integers(1, 64))
def test_shares_add_up_to_the_limit_and_less_than_one_more_for_each(most: int, n: int) -> None:
    part = share(Slot("b", most), n)
    assert isinstance(part, Slot)
    assert most <= part.most * n < most + n


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_a_share_of_a_rate_refills_as_much_slower(limit: int, n: int) -> None:
    part = share(Draw("b", per_minute(limit)), n)
    assert isinstance(part, Draw)
    assert part.rate.unit_ns == per_minute(limit).unit_ns * n
    assert 1 <= part.rate.burst <= -(-limit // n)


async def _until(event: asyncio.Event) -> None:
    await event.wait()
