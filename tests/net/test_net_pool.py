"""Turns and kept connections, with values in place of sockets."""

import asyncio

import pytest

from dragoman.net.pool import Counts, Lane
from dragoman.net.types import NetError


class Fake:
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        self.closing = False
        self.swept: list[tuple[float, float]] = []

    def cut(self) -> None:
        self.closing = True

    def sweep(self, now: float, keepalive_s: float) -> None:
        self.swept.append((now, keepalive_s))


def full_lane(limit: int = 1) -> Lane[Fake]:
    lane = Lane[Fake](limit)
    while lane.enter():
        pass
    return lane


async def test_there_are_as_many_turns_as_the_limit_says() -> None:
    lane = Lane[Fake](2)
    assert [lane.enter() for _ in range(3)] == [True, True, False]
    lane.leave()
    assert lane.enter()


async def test_a_turn_goes_to_who_waits_longest() -> None:
    lane = full_lane(2)
    first, second = (asyncio.create_task(lane.wait(1.0)) for _ in range(2))
    await asyncio.sleep(0)
    assert lane.counts == Counts(busy=2, waiting=2)
    lane.leave()
    await first
    assert not second.done()
    assert not lane.enter(), "a newcomer overtook the queue"
    lane.leave()
    await second
    assert lane.counts == Counts(busy=2)


async def test_no_more_calls_wait_than_there_are_turns() -> None:
    lane = full_lane(1)
    waiting = asyncio.create_task(lane.wait(1.0))
    await asyncio.sleep(0)
    with pytest.raises(NetError, match="wait already") as refusal:
        await lane.wait(1.0)
    assert refusal.value.phase == "pool"
    lane.leave()
    await waiting


async def test_the_sweep_ends_the_waits_that_are_overdue_and_no_others() -> None:
    lane = full_lane(3)
    overdue, patient, gone = (asyncio.create_task(lane.wait(at)) for at in (5.0, 5.1, 5.0))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    lane.sweep(5.0, 1.0)
    with pytest.raises(NetError, match="in time") as late:
        await overdue
    assert late.value.timed_out
    lane.leave()
    await patient
    assert lane.counts == Counts(busy=3)


async def test_a_call_cancelled_while_it_waits_is_passed_over() -> None:
    lane = full_lane(2)
    leaving, staying = (asyncio.create_task(lane.wait(1.0)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    lane.leave()
    await staying
    assert lane.counts == Counts(busy=2)


async def test_a_call_cancelled_after_it_was_handed_a_turn_hands_it_on() -> None:
    lane = full_lane(1)
    waiting = asyncio.create_task(lane.wait(1.0))
    await asyncio.sleep(0)
    lane.leave()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert lane.counts == Counts()


async def test_a_call_cancelled_after_the_sweep_failed_it_hands_on_nothing() -> None:
    lane = full_lane(1)
    waiting = asyncio.create_task(lane.wait(1.0))
    await asyncio.sleep(0)
    lane.sweep(2.0, 1.0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert lane.counts == Counts(busy=1)


async def test_the_connection_kept_last_is_taken_first_and_closing_ones_never() -> None:
    lane = Lane[Fake](4)
    connections = [Fake(), Fake(), Fake()]
    for connection in connections:
        lane.opened(connection)
        lane.keep(connection)
    connections[2].closing = True
    assert lane.take() is connections[1]
    assert lane.take() is connections[0]
    assert lane.take() is None


async def test_a_lost_connection_is_neither_kept_nor_counted() -> None:
    lane = Lane[Fake](1)
    kept, busy = Fake(), Fake()
    lane.opened(kept)
    lane.opened(busy)
    lane.keep(kept)
    assert lane.counts == Counts(kept=1, open=2)
    assert not lane.vacant
    lane.lost(kept)
    lane.lost(busy)
    assert lane.counts == Counts()
    assert lane.vacant


async def test_the_sweep_reaches_every_open_connection() -> None:
    lane = Lane[Fake](1)
    connection = Fake()
    lane.opened(connection)
    lane.sweep(7.0, 55.0)
    assert connection.swept == [(7.0, 55.0)]


async def test_closing_cuts_connections_fails_waits_and_is_over_when_all_are_lost() -> None:
    lane = full_lane(2)
    waiting, cancelled = (asyncio.create_task(lane.wait(1.0)) for _ in range(2))
    connection = Fake()
    lane.opened(connection)
    await asyncio.sleep(0)
    cancelled.cancel()
    lane.close()
    with pytest.raises(NetError, match="closed"):
        await waiting
    assert connection.closing
    emptied = asyncio.create_task(lane.emptied())
    await asyncio.sleep(0)
    assert not emptied.done()
    lane.lost(connection)
    await emptied


def test_counts_add_up() -> None:
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)
