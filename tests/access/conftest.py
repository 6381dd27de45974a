"""Fixtures of the gate's tests: a gate before a keeper in memory."""

import pytest

from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.core.clock import Clock
from tests.access.fakes import PEPPER, FakeKeeper, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def keeper() -> FakeKeeper:
    return FakeKeeper()


@pytest.fixture
def gate(keeper: FakeKeeper, clock: HandClock) -> Gate:
    return Gate(keeper, PEPPER, Clock(wall=clock, monotonic=clock), AccessOptions())
