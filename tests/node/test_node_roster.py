"""The keeper and its workers over a real line and real databases."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.access.limiter import Denied, LocalLimiter, Slot
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.ids import key_hash
from dragoman.ledger.leases import ensure
from dragoman.ledger.purses import purse_of_account
from dragoman.link.reach import Reach
from dragoman.node import roster
from dragoman.node.asking import AskingKeeper
from dragoman.node.contract import KEEPER, WORKER, Member, ToKeeper
from dragoman.node.roster import Means, Roster
from dragoman.office import keys
from dragoman.office.premises import Premises, open_premises
from dragoman.office.watch import Troubles
from dragoman.store.options import DatabaseOptions
from dragoman.upstream.health import HealthBoard, Tally, TellingBoard
from tests.node.test_node_counting import Crowd

ONE = Slot("key:a:concurrency", 1)
MEMBER = Member(name="worker-1", pid=1, since=0.0, catalog="c")


class Worker:
    """What a worker does for the keeper: it counts how often it was asked to."""

    def __init__(self, *, silent: bool = False) -> None:
        self.flushes = 0
        self.silent = silent

    async def flush(self) -> None:
        self.flushes += 1
        if self.silent:
            raise Unavailable("not now")


class House:
    def __init__(self, premises: Premises, path: Path) -> None:
        self.path = path
        self.premises = premises
        self.health = HealthBoard()
        self.limiter = LocalLimiter(lambda: 0)
        self.troubles = Troubles()
        means = Means(
            premises=premises,
            limiter=self.limiter,
            health=self.health,
            clock=Clock(),
            troubles=self.troubles,
        )
        self.roster = Roster(path, means)

    @asynccontextmanager
    async def worker(self, doer: Worker | None = None) -> AsyncIterator[ToKeeper]:
        """Let a worker come, and leave at the end."""
        reach = Reach(self.path, KEEPER, WORKER, doer or Worker())
        running = asyncio.create_task(reach.run())
        assert await reach.up(10)
        yield reach.far
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.02)


@pytest.fixture
def premises(tmp_path: Path, furnished: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", furnished)
    yield opened
    opened.close()


@pytest.fixture
async def house(premises: Premises, tmp_path: Path) -> AsyncIterator[House]:
    house = House(premises, tmp_path / "socket")
    running = asyncio.create_task(house.roster.run())
    await asyncio.sleep(0)
    yield house
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_worker_finds_keys_and_hears_of_changes(house: House) -> None:
    pepper = house.premises.pepper
    make = keys.create("laptop", prefix="sk-dm-v1-", pepper=pepper, now=time.time())
    text, _ = await house.premises.ledger.run(make)
    hash_ = key_hash(text)
    async with house.worker() as far:
        keeper = AskingKeeper(far)
        found = await keeper.key(hash_, pepper.sign(text))
        assert found is not None
        assert found.key.name == "laptop"
        assert await keeper.key(hash_, "a guess") is None
        before = await keeper.changes(0)
        assert before.keys == (hash_,)
        await keeper.news(0.01)
        assert (await keeper.changes(before.epoch)).keys == ()


async def test_a_keeper_that_is_gone_is_unavailable_and_its_news_are_waited_for() -> None:
    reach = Reach(Path("nowhere"), KEEPER, WORKER, Worker())
    keeper = AskingKeeper(reach.far)
    with pytest.raises(Unavailable):
        await keeper.key("h", "v")
    with pytest.raises(Unavailable):
        await keeper.changes(0)
    began = time.monotonic()
    await keeper.news(0.05)
    assert time.monotonic() - began >= 0.04


async def test_money_is_leased_by_the_same_ledger(house: House) -> None:
    async with house.worker() as far:
        bank = AskingKeeper(far)
        await far.open_journal("run-1")
        purse = purse_of_account("a")
        await house.premises.ledger.run(lambda connection: ensure(connection, purse, 5000))
        taken = await bank.take("run-1", {purse.id: 1000})
        assert taken.granted[purse.id] >= 1000
        await bank.give_back("run-1", {purse.id: 500})
        await bank.renew("run-1")
        epoch, _ = await bank.purse_changes(0)
        assert await bank.purse_changes(epoch) == (epoch, ())
    with pytest.raises(Unavailable):
        await bank.renew("run-1")


async def test_places_of_a_worker_that_is_gone_are_free(house: House) -> None:
    async with house.worker() as one, house.worker() as other:
        assert await one.take((ONE,)) is None
        assert await other.take((ONE,)) == Denied(ONE)
        other.leave(ONE)  # what it was never given
        assert await other.take((ONE,)) == Denied(ONE)
    async with house.worker() as third:
        assert await third.take((ONE,)) is None
        third.leave(ONE)
        assert await third.take((ONE,)) is None


async def test_the_keeper_takes_a_place_back_without_a_look_at_all_others(house: House) -> None:
    async with house.worker() as one, house.worker() as other:
        assert await one.take((ONE,)) is None
        for clerk in house.roster._clerks.values():
            clerk._held = Crowd(clerk._held)
        one.leave(ONE)
        await one.changes(0)  # what is told before it is done before it
        assert await other.take((ONE,)) is None


async def test_what_workers_say_of_themselves_and_of_endpoints_is_put_together(
    house: House,
) -> None:
    boards = [TellingBoard(), TellingBoard()]
    for board in boards:
        for n in range(3):
            board.succeeded("e", float(n), 0.5, 10.0)
    boards[0].failed("e", 3.0)
    async with house.worker() as one, house.worker() as other:
        waiting = asyncio.create_task(house.roster.listening(2))
        await one.report(replace(MEMBER, listening=True), boards[0].told())
        await asyncio.sleep(0)
        assert not waiting.done()
        await other.report(replace(MEMBER, name="worker-0", listening=True), boards[1].told())
        await waiting
        assert [member.name for member in house.roster.staff()] == ["worker-0", "worker-1"]
        seen = house.health.measured("e", time.monotonic())
        assert seen.uptime_5m == round(100 * 6 / 7, 3)
        assert seen.latency_ms is not None
        assert seen.latency_ms.p50 == 500.0
    assert house.roster.is_empty


async def test_what_a_worker_saw_of_many_endpoints_is_taken_in_a_few_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.node.roster.HEARD_AT_ONCE", 2)
    heard: list[list[str]] = []
    monkeypatch.setattr(house.health, "heard", lambda some, _: heard.append([*some]))
    async with house.worker() as one:
        await one.report(MEMBER, {each: Tally(answers=1) for each in "abcde"})
    assert heard == [["a", "b"], ["c", "d"], ["e"]]


async def test_workers_hear_what_is_wrong_with_the_node(house: House) -> None:
    async with house.worker() as one:
        assert await one.report(MEMBER, {}) == ()
        house.troubles.said = ("a journal cannot be booked",)
        assert await one.report(MEMBER, {}) == ("a journal cannot be booked",)


async def test_a_flush_reaches_all_and_minds_none_that_is_silent(house: House) -> None:
    good, silent = Worker(), Worker(silent=True)
    async with house.worker(good), house.worker(silent):
        await house.roster.flush()
    assert (good.flushes, silent.flushes) == (1, 1)


async def test_a_worker_that_says_nothing_is_told_of_by_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.worker() as frozen, house.worker() as other:
        await frozen.report(MEMBER, {})
        assert await other.report(replace(MEMBER, name="worker-2", pid=2), {}) == ()
        monkeypatch.setattr(roster, "SILENT_S", -1.0)
        said = await other.report(replace(MEMBER, name="worker-2", pid=2), {})
        assert any("worker-1 (process 1) says nothing" in each for each in said)
