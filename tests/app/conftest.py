"""Fixtures of the application's tests: a data directory, opened, and a node with own hosts."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from dragoman.access import pulse
from dragoman.office.premises import Premises, open_premises
from dragoman.store.options import DatabaseOptions
from tests.app.own import Desk
from tests.e2e.scripted import ScriptedUpstream


@pytest.fixture
def state(furnished: DatabaseOptions) -> DatabaseOptions:
    return furnished


@pytest.fixture
def premises(tmp_path: Path, state: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", state)
    yield opened
    opened.close()


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


Opens = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def opens(
    premises: Premises, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Opens]:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is
    async with AsyncExitStack() as stack:

        async def opened(**changes: Any) -> Desk:
            desk = Desk(premises, upstream, **changes)
            await desk.background.plane.load()
            await desk.background.counting.begin()
            stack.push_async_callback(desk.background.serving.client.aclose)
            return desk

        yield opened


@pytest.fixture
async def desk(opens: Opens) -> Desk:
    return await opens()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let look-ups take their time: how busy the machine is, is nothing that is tested here."""
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)
