"""Two ends of a Unix socket: calls, notes, errors, silence, and an end that goes and comes back."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
from msgspec import Struct

from dragoman.core.errors import Internal, Overloaded, Unavailable
from dragoman.link.contract import Contract, patient
from dragoman.link.line import MOST_CALLS
from dragoman.link.place import connected, listening
from dragoman.link.reach import Caller, Reach, Station


class Sum(Struct, frozen=True):
    of: tuple[int, ...]
    total: int


class Clerk(Protocol):
    async def add(self, numbers: tuple[int, ...], more: int = 0) -> Sum: ...
    async def nothing(self) -> None: ...
    async def hang(self) -> str: ...
    @patient(5.0)
    async def wait(self, seconds: float) -> str: ...
    async def fail(self, how: str) -> str: ...
    async def large(self, size: int) -> bytes: ...
    def note(self, text: str) -> None: ...


class Guest(Protocol):
    async def name(self) -> str: ...


CLERK, GUEST = Contract(Clerk), Contract(Guest)
FAILURES = {
    "unavailable": Unavailable("The database is asleep."),
    "overloaded": Overloaded("Too much."),
    "defect": ValueError("a secret"),
}


class RealClerk:
    def __init__(self, caller: Caller[Guest]) -> None:
        self.caller = caller
        self.notes: list[str] = []
        self.stopped = 0

    async def add(self, numbers: tuple[int, ...], more: int = 0) -> Sum:
        return Sum(numbers, sum(numbers) + more)

    async def nothing(self) -> None:
        pass

    async def hang(self) -> str:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.stopped += 1
        raise AssertionError

    async def wait(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return f"{seconds:g} and {await self.caller.far.name()}"

    async def fail(self, how: str) -> str:
        raise FAILURES[how]

    async def large(self, size: int) -> bytes:
        return bytes(size)

    def note(self, text: str) -> None:
        self.notes.append(text)


class RealGuest:
    async def name(self) -> str:
        return "Ada"


class Office:
    """A station that can be closed and opened again, and who came to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clerks: list[RealClerk] = []
        self.left: list[Caller[Guest]] = []
        self._task: asyncio.Task[None] | None = None

    def _welcome(self, caller: Caller[Guest]) -> RealClerk:
        self.clerks.append(RealClerk(caller))
        return self.clerks[-1]

    async def open(self) -> Station[Guest]:
        station = Station(CLERK, GUEST, self._welcome)
        station.on_goodbye(self.left.append)
        self._task = asyncio.create_task(station.run(self.path))
        await asyncio.sleep(0)
        return station

    async def close(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@asynccontextmanager
async def both(path: Path) -> AsyncIterator[tuple[Office, Reach[Clerk]]]:
    office, reach = Office(path), Reach(path, CLERK, GUEST, RealGuest())
    await office.open()
    running = asyncio.create_task(reach.run())
    assert await reach.up(10)
    try:
        yield office, reach
    finally:
        running.cancel()
        await office.close()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


async def test_calls_are_answered_with_values_of_their_types(path: Path) -> None:
    async with both(path) as (_, reach):
        assert await reach.far.add((1, 2, 3)) == Sum((1, 2, 3), 6)
        assert await reach.far.add((1,), more=5) == Sum((1,), 6)
        await reach.far.nothing()


async def test_calls_overtake_each_other_and_go_both_ways(path: Path) -> None:
    async with both(path) as (_, reach):
        slow = asyncio.create_task(reach.far.wait(0.05))
        sums = await asyncio.gather(*(reach.far.add((n,)) for n in range(200)))
        assert [each.total for each in sums] == list(range(200))
        assert not slow.done()
        assert await slow == "0.05 and Ada"


async def test_notes_arrive_in_order_before_later_calls(path: Path) -> None:
    async with both(path) as (office, reach):
        for text in "abc":
            reach.far.note(text)
        await reach.far.nothing()
        assert office.clerks[0].notes == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("unavailable", Unavailable, "The database is asleep"),
        ("overloaded", Overloaded, "Too much"),
        ("defect", Internal, "fail failed: ValueError"),
    ],
)
async def test_a_failure_crosses_as_what_it_is_and_without_its_secrets(
    path: Path, how: str, kind: type[Exception], words: str
) -> None:
    async with both(path) as (_, reach):
        with pytest.raises(kind, match=words) as raised:
            await reach.far.fail(how)
        assert "secret" not in str(raised.value)
        assert (await reach.far.add((1,))).total == 1


async def test_no_answer_in_time_is_unavailable_and_hurts_no_other_call(path: Path) -> None:
    async with both(path) as (_, reach):
        with pytest.raises(Unavailable, match="does not answer"):
            await reach.far.hang()
        assert (await reach.far.add((1,))).total == 1


async def test_too_many_calls_at_once_are_refused(path: Path) -> None:
    async with both(path) as (office, reach):
        hanging = [asyncio.create_task(reach.far.hang()) for _ in range(MOST_CALLS)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await reach.far.nothing()
        ends = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(end, Unavailable) for end in ends)
        async with asyncio.timeout(20):
            while office.clerks[0].stopped < MOST_CALLS:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert office.clerks[0].stopped == MOST_CALLS
        assert (await reach.far.add((1,))).total == 1


async def test_a_large_result_comes_whole_and_one_that_is_too_large_is_refused(path: Path) -> None:
    async with both(path) as (_, reach):
        assert len(await reach.far.large(3_000_000)) == 3_000_000
        with pytest.raises(Internal, match="too many"):
            await reach.far.large(17_000_000)


async def test_who_is_gone_is_unavailable_at_once_and_found_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with both(path) as (office, reach):
        hanging = asyncio.create_task(reach.far.hang())
        await reach.far.nothing()
        await office.close()
        with pytest.raises(Unavailable, match="not there"):
            await hanging
        assert not reach.is_up
        with pytest.raises(Unavailable, match="not there"):
            await reach.far.nothing()
        reach.far.note("lost")
        await office.open()
        assert await reach.up(10)
        assert (await reach.far.add((2,))).total == 2
        assert office.clerks[-1].notes == []
        said = [record.message for record in caplog.records]
        assert said == [f"link.{way} path=socket" for way in ("down", "up")]


async def test_what_a_caller_asked_for_is_stopped_when_it_leaves(path: Path) -> None:
    async with both(path) as (office, reach):
        hanging = asyncio.create_task(reach.far.hang())
        await reach.far.nothing()
    with pytest.raises(Unavailable):
        await hanging
    await asyncio.sleep(0)
    assert office.clerks[0].stopped == 1
    assert len(office.left) == 1


async def test_a_stranger_who_speaks_nonsense_is_cut_off(path: Path) -> None:
    async with both(path) as (_, reach):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert (await reach.far.add((1,))).total == 1


async def test_a_socket_is_its_owners_alone_and_may_have_a_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    path = folder / "socket"
    async with both(path) as (_, reach):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await reach.far.add((1,))).total == 1


def test_a_socket_that_was_left_behind_is_replaced(path: Path) -> None:
    listening(path).close()
    with pytest.raises(ConnectionRefusedError):
        connected(path)
    with listening(path), connected(path) as there:
        assert there.fileno() >= 0


def test_a_contract_says_how_long_to_wait_and_what_is_a_note() -> None:
    methods: dict[str, Any] = dict(CLERK.methods)
    assert methods["wait"].patience_s == 5.0
    assert methods["add"].patience_s == 0.25
    assert not methods["note"].answered
