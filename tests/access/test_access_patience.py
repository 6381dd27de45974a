"""A first request waits for a ledger that is slow, and not for one that is gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access import gate as gates
from dragoman.access import pulse as pulses
from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.access.pulse import (
    HASTY_S,
    MOST_S,
    SILENCE_S,
    Pulse,
    abandoned,
    answered,
    asked,
    deadline,
    failed,
)
from dragoman.access.types import Admission, Caller, Changes
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from tests.access.fakes import PEPPER, FakeKeeper

QUIET, HASTY = 0.5, 0.05
"""What silence and haste are in these tests, in seconds."""


@pytest.mark.parametrize(
    ("pulse", "began", "expected"),
    [
        (Pulse(), 100.0, 100 + SILENCE_S),
        (Pulse(waiting=1, quiet_since=100.0), 100.0, 100 + SILENCE_S),
        (Pulse(waiting=9, quiet_since=104.0), 100.0, 104 + SILENCE_S),
        (Pulse(waiting=9, quiet_since=109.9), 100.0, 100 + MOST_S),
        (Pulse(waiting=9, quiet_since=98.1), 100.0, 100 + HASTY_S),
        (Pulse(waiting=0, quiet_since=10.0), 100.0, 100 + HASTY_S),
        (Pulse(waiting=9, failed_at=99.0), 100.0, 100 + HASTY_S),
        (Pulse(waiting=9, failed_at=101.0), 100.0, 101 + HASTY_S),
    ],
)
def test_a_lookup_waits_until(pulse: Pulse, began: float, expected: float) -> None:
    assert deadline(pulse, began) == pytest.approx(expected)


def test_what_the_ledger_owes_to_who_gave_up_it_still_owes() -> None:
    pulse = abandoned(asked(Pulse(), 1.0), 2.0)
    assert pulse == Pulse(waiting=0, quiet_since=1.0)
    assert asked(pulse, 9.0).quiet_since == 1.0
    assert answered(asked(pulse, 9.0), 9.5) == Pulse()


def test_an_error_counts_until_there_is_an_answer() -> None:
    pulse = failed(asked(asked(Pulse(), 1.0), 1.5), 2.0)
    assert pulse == Pulse(waiting=1, quiet_since=2.0, failed_at=2.0)
    assert answered(pulse, 3.0) == Pulse()


@given(st.lists(st.sampled_from([asked, answered, failed, abandoned])), st.floats(0, 9))
def test_nobody_is_given_up_in_haste_or_waits_for_ever(
    steps: list[Callable[[Pulse, float], Pulse]], back_s: float
) -> None:
    pulse = Pulse()
    for now, step in enumerate(steps):
        if step is asked or pulse.waiting:
            pulse = step(pulse, float(now))
    began = max(0.0, len(steps) - back_s)
    assert deadline(pulse, began) >= began + HASTY_S
    latest = max([began, pulse.failed_at or 0.0])
    assert deadline(pulse, began) <= latest + MOST_S


class ScriptedKeeper(FakeKeeper):
    """A keeper that answers one after the other, each in its time, if it answers at all."""

    def __init__(self, each_s: float = 0.0) -> None:
        super().__init__()
        self.each_s = each_s
        self.polled = asyncio.Event()
        self._turn = asyncio.Lock()

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        async with self._turn:
            await asyncio.sleep(self.each_s)
        return await super().key(hash_, verifier)

    async def changes(self, since: int, after: str = "") -> Changes:
        found = await super().changes(since, after)
        self.polled.set()
        return found


@pytest.fixture
def gate(keeper: ScriptedKeeper, monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(pulses, "SILENCE_S", QUIET)
    monkeypatch.setattr(pulses, "HASTY_S", HASTY)
    monkeypatch.setattr(gates, "POLL_TIMEOUT_S", QUIET)
    monkeypatch.setattr(gates, "POLL_S", 0.01)
    return Gate(keeper, PEPPER, Clock(), AccessOptions())


@pytest.fixture
async def keeper() -> ScriptedKeeper:
    return ScriptedKeeper()


async def admit(gate: Gate, key: str) -> Caller:
    return await gate.admit(f"Bearer {key}", None)


async def refused_after(gate: Gate, key: str) -> float:
    """Return after how long a key was told 503."""
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await admit(gate, key)
    assert caught.value.retry_after_s == 1
    return time.monotonic() - began


@asynccontextmanager
async def watched(gate: Gate) -> AsyncIterator[None]:
    task = asyncio.create_task(gate.watch())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_rush_waits_for_a_slow_ledger_longer_than_for_a_silent_one(
    gate: Gate, keeper: ScriptedKeeper
) -> None:
    keeper.each_s = 0.02
    keys = [keeper.mint() for _ in range(gates.LOOKUPS_AT_ONCE + gates.LOOKUPS_WAITING)]
    began = time.monotonic()
    callers = await asyncio.gather(*(admit(gate, key) for key in keys))
    assert len(callers) == len(keys)
    assert time.monotonic() - began > 2 * QUIET


async def test_a_ledger_that_freezes_is_given_up_once_and_then_at_once(
    gate: Gate, keeper: ScriptedKeeper
) -> None:
    await admit(gate, keeper.mint())
    keeper.answers.clear()
    keys = [keeper.mint() for _ in range(30)]
    took = await asyncio.gather(*(refused_after(gate, key) for key in keys))
    assert min(took) >= QUIET * 0.9, "who came first waited for what might be slow"
    assert max(took) < 4 * QUIET, "and nobody for those before"
    assert await refused_after(gate, keys[0]) < QUIET
    keeper.answers.set()
    await admit(gate, keys[0])


async def test_an_error_is_believed_until_there_is_an_answer(
    gate: Gate, keeper: ScriptedKeeper
) -> None:
    known, other = keeper.mint(), keeper.mint()
    keeper.silent = True
    assert await refused_after(gate, other) < QUIET
    keeper.silent = False
    keeper.answers.clear()
    assert await refused_after(gate, other) < QUIET
    keeper.answers.set()
    await admit(gate, known)
    keeper.answers.clear()
    assert await refused_after(gate, other) >= QUIET * 0.9


async def test_any_answer_ends_the_silence(gate: Gate, keeper: ScriptedKeeper) -> None:
    keeper.answers.clear()
    await refused_after(gate, keeper.mint())
    keeper.answers.set()
    keeper.each_s = 3 * HASTY
    assert await refused_after(gate, keeper.mint()) < QUIET
    async with watched(gate):
        await keeper.polled.wait()
        await admit(gate, keeper.mint())


async def test_polls_alone_tell_that_the_ledger_is_gone(gate: Gate, keeper: ScriptedKeeper) -> None:
    async with watched(gate):
        await admit(gate, keeper.mint())
        keeper.answers.clear()
        await asyncio.sleep(1.5 * QUIET)
        assert await refused_after(gate, keeper.mint()) < QUIET
