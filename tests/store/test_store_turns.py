"""Long lists on a busy event loop."""

import asyncio
import weakref

import pytest

from dragoman.store import turns
from dragoman.store.turns import (
    AT_ONCE,
    BUSY_S,
    FREED_AT_ONCE,
    REST_S,
    WORK_S,
    Pace,
    in_parts,
    let_go,
)
from tests.access.fakes import HandClock


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every part take as long as a slice may."""
    monkeypatch.setattr(turns, "WORK_S", 0.0)


class Others:
    """What else runs on the loop, and how often it had its turn."""

    def __init__(self) -> None:
        self.turns = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        self._task.cancel()


class Thing:
    """What can be watched while it goes."""


@pytest.mark.parametrize(
    ("turn_s", "rested"),
    [(0.9 * BUSY_S, []), (0.25 * REST_S, [0.75 * REST_S] * 2), (1.1 * REST_S, [])],
    ids=["nobody came", "others came", "they had their time"],
)
async def test_who_worked_for_long_leaves_others_their_time(
    monkeypatch: pytest.MonkeyPatch, turn_s: float, rested: list[float]
) -> None:
    clock = HandClock()
    rests: list[float] = []

    async def others() -> None:
        while True:
            clock.now += turn_s
            await asyncio.sleep(0)

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        clock.now += seconds

    monkeypatch.setattr(turns, "rest", rest)
    busy = asyncio.create_task(others())
    pace = Pace(clock)
    for _ in range(5):
        clock.now += 0.6 * WORK_S
        await pace.keep()
    busy.cancel()
    assert rests == pytest.approx(rested), "after the second part and the fourth, if at all"


@pytest.mark.usefixtures("slow")
async def test_a_long_list_leaves_others_their_turns() -> None:
    others = Others()
    parts = [part async for part in in_parts(range(5 * AT_ONCE + 1))]
    others.stop()
    assert [each for part in parts for each in part] == [*range(5 * AT_ONCE + 1)]
    assert (len(parts), max(map(len, parts))) == (6, AT_ONCE)
    assert others.turns >= 5


@pytest.mark.usefixtures("slow")
async def test_what_is_let_go_of_goes_a_few_at_a_time() -> None:
    things = [Thing() for _ in range(3 * FREED_AT_ONCE + 1)]
    gone: list[int] = []
    others = Others()
    watched = [weakref.ref(thing, lambda _: gone.append(others.turns)) for thing in things]
    await let_go(things)
    others.stop()
    assert things == []
    assert len(gone) == len(watched)
    assert max(map(gone.count, gone)) == FREED_AT_ONCE
