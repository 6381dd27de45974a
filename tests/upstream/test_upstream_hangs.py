"""Endpoints that are silent to several: when that is a hang, and who goes on elsewhere."""

import asyncio
from itertools import cycle, islice
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.byok import Byok
from dragoman.upstream.failover import LEAST_S
from dragoman.upstream.hangs import SEVERAL, Hang, Hangs, Silence, Waiter
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.patience import Patience, Timekeeper
from tests.upstream.hosts import HANGS, Pass, Script, plays, says, streamed
from tests.upstream.scenery import credential, step
from tests.upstream.test_upstream_failover import Stage

A, B = step("a"), step("b")
USUAL_S = 30.0
"""The patience with a stream. Where nothing is known a quarter of it is borne."""


def unknown(hangs: Hangs, now: float) -> list[str]:
    return [hang.endpoint for hang in hangs.look(now, lambda _: None)]


def silences(hangs: Hangs, count: int, *keys: str, now: float = 100.0) -> list[Silence]:
    """Begin to wait for an endpoint, so often, for one key after the other."""
    found = [
        Silence("e", Patience(Timekeeper(), USUAL_S), USUAL_S, now, Waiter(who))
        for who in islice(cycle(keys or ("",)), count)
    ]
    for each in found:
        hangs.begin(each)
    return found


async def test_several_that_have_waited_for_too_long_tell_of_a_hang() -> None:
    hangs = Hangs()
    silences(hangs, SEVERAL)
    assert unknown(hangs, 107.4) == []
    assert unknown(hangs, 107.5) == ["e"]


async def test_fewer_do_not() -> None:
    hangs = Hangs()
    *_, last = silences(hangs, SEVERAL)
    hangs.over(last, None)
    assert unknown(hangs, 130.0) == []


@pytest.mark.parametrize(
    ("usual_s", "borne_s"), [(0.5, 4.0), (3.0, 9.0), (19.0, 57.0), (25.0, 60.0)]
)
async def test_where_it_is_known_what_is_usual_three_times_that_is_borne(
    usual_s: float, borne_s: float
) -> None:
    hangs = Hangs()
    silences(hangs, SEVERAL)
    assert hangs.look(100.0 + borne_s - 0.1, lambda _: usual_s) == []
    assert hangs.look(100.0 + borne_s, lambda _: usual_s) == [Hang("e", "")]


async def test_where_others_have_begun_meanwhile_nothing_hangs() -> None:
    hangs = Hangs()
    *_, lucky = silences(hangs, SEVERAL + 1)
    hangs.over(lucky, 110.0)
    assert unknown(hangs, 113.7) == []
    assert unknown(hangs, 113.8) == ["e"]


async def test_who_failed_has_not_begun() -> None:
    hangs = Hangs()
    *_, failed = silences(hangs, SEVERAL + 1)
    hangs.over(failed, None)
    assert unknown(hangs, 107.5) == ["e"]


@pytest.mark.parametrize(
    ("answers", "at", "known"), [(50, 100.0, True), (49, 100.0, False), (50, -193.0, False)]
)
async def test_fifty_answers_of_five_minutes_tell_what_is_usual(
    answers: int, at: float, *, known: bool
) -> None:
    board = HealthBoard()
    for _ in range(answers):
        board.succeeded("e", at, 10.0, None)
    silences(board.hangs, SEVERAL)
    board.refresh(108.0)
    assert board.seen["e"].outage is not known
    board.refresh(130.0)
    assert board.seen["e"].outage


@pytest.mark.parametrize("keys", [("first",), ("first", "second")])
async def test_a_hang_is_seen_for_half_a_minute_by_those_it_concerns_and_told_once(
    keys: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    board, for_all = HealthBoard(), len(keys) > 1
    for begun in (100.0, 200.0):
        waiting = silences(board.hangs, SEVERAL, *keys, now=begun)
        caplog.clear()
        for now in (begun + 8, begun + 9):
            board.refresh(now)
            assert board.seen_by("first")["e"].outage
            assert board.seen_by("third")["e"].outage is for_all
            assert board.measured("e", now).in_outage is for_all
        assert [each.message for each in caplog.records] == ["upstream.hangs"]
        for each in waiting:
            board.hangs.over(each, None)
        board.refresh(begun + 38)
        assert board.seen_by("first")["e"].outage
        board.refresh(begun + 40)
        assert board.seen_by("first") is board.seen
        assert not board.seen["e"].outage


async def test_the_least_patient_decides_how_long_ago_another_began() -> None:
    hangs = Hangs()
    *_, lucky = silences(hangs, SEVERAL + 1)
    patient = Silence("e", Patience(Timekeeper(), 4 * USUAL_S), 4 * USUAL_S, 80.0)
    hangs.begin(patient)
    hangs.over(lucky, 106.3)
    assert unknown(hangs, 110.0) == []
    assert unknown(hangs, 110.1) == ["e"]


async def test_who_hears_something_is_not_silent() -> None:
    hangs = Hangs()
    first, *_ = silences(hangs, SEVERAL)
    first.heard_at = 106.0
    assert unknown(hangs, 113.0) == []
    assert unknown(hangs, 113.5) == ["e"]


class Crowd:
    """Streams that ask hosts a and b at once, of which a hangs."""

    def __init__(self, **scripts: Any) -> None:
        self.stage = Stage(**{"a": HANGS, "b": streamed("x")} | scripts)
        self.journeys: list[Any] = []
        self.asked: list[asyncio.Task[str]] = []

    async def ask(self, *steps: Any, who: str = "") -> None:
        journey = self.stage.journey(*steps)
        journey.who = who
        self.journeys.append(journey)
        self.asked.append(asyncio.create_task(self.stage.open(journey)))
        await self.rest()

    async def rest(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def after(self, seconds: float) -> None:
        self.stage.clock.now += seconds
        self.stage.health.refresh(self.stage.clock.now)
        await self.rest()

    async def part(self) -> None:
        for each in self.asked:
            each.cancel()
        await asyncio.wait(self.asked)


async def test_who_waits_for_a_host_that_hangs_goes_on_elsewhere() -> None:
    crowd = Crowd()
    for _ in range(SEVERAL):
        await crowd.ask(A, B)
    await crowd.after(7.0)
    assert not crowd.stage.seen(A).outage
    assert not any(each.done() for each in crowd.asked)
    await crowd.after(1.0)
    assert await asyncio.gather(*crowd.asked) == ["b"] * SEVERAL
    faults = [journey.tries[0].fault for journey in crowd.journeys]
    assert [(each.code, each.error_type) for each in faults] == [("hung", "timeout")] * SEVERAL
    assert crowd.stage.seen(A).outage
    assert not crowd.stage.seen(B).outage


async def test_who_has_nowhere_to_go_waits_on_and_who_has_just_asked_does() -> None:
    crowd = Crowd()
    for _ in range(SEVERAL):
        await crowd.ask(A)
    await crowd.after(7.0)
    await crowd.ask(A, B)
    await crowd.after(1.0)
    assert crowd.stage.seen(A).outage
    assert not any(each.done() for each in crowd.asked)
    await crowd.after(1.0)
    assert [each.done() for each in crowd.asked] == [False] * SEVERAL + [True]
    await crowd.part()


async def test_who_could_only_go_where_the_request_was_called_faulty_waits_on() -> None:
    crowd, other = Crowd(b=Script(status=400)), step("a", "acme/mini")
    for _ in range(SEVERAL):
        await crowd.ask(B, other, step("c"))
    await crowd.after(8.0)
    assert crowd.stage.seen(other).outage
    assert not any(each.done() for each in crowd.asked)
    await crowd.part()


@pytest.mark.parametrize("left_s", [1.9, 2.0])
async def test_who_has_no_time_for_another_attempt_waits_on_and_so_does_who_is_not_waited_for(
    left_s: float,
) -> None:
    crowd = Crowd()
    for _ in range(SEVERAL):
        await crowd.ask(A, B)
    late, left, other = crowd.journeys
    late.deadline = crowd.stage.clock.now + 8.0 + left_s
    left.alone = True
    await crowd.after(8.0)
    assert crowd.stage.seen(A).outage
    assert [each.done() for each in crowd.asked] == [left_s >= LEAST_S, False, True]
    assert other.tries[0].fault.code == "hung"
    await crowd.part()


async def test_what_own_credentials_wait_for_is_no_sign_of_a_hang() -> None:
    crowd = Crowd()
    own = replace(A, byok=Byok(credential=credential("a", 9), origin="http://a"))
    for _ in range(SEVERAL):
        await crowd.ask(own, B)
    await crowd.after(20.0)
    assert not crowd.stage.seen(A).outage
    assert not any(each.done() for each in crowd.asked)
    await crowd.part()


async def test_what_hangs_for_one_key_alone_is_no_reason_for_others_to_avoid_it() -> None:
    crowd = Crowd()
    for _ in range(SEVERAL):
        await crowd.ask(A, B, who="first")
    await crowd.after(6.0)
    await crowd.ask(A, B, who="second")
    await crowd.after(2.0)
    health, a = crowd.stage.health, A.endpoint.id
    assert [each.done() for each in crowd.asked] == [True] * SEVERAL + [False]
    assert health.seen_by("first")[a].outage
    assert not health.seen_by("second")[a].outage
    await crowd.part()
    await crowd.after(31.0)
    assert not health.seen_by("first")[a].outage


async def test_what_hangs_for_several_keys_hangs_for_all() -> None:
    crowd = Crowd()
    for number in range(SEVERAL):
        await crowd.ask(A, B, who=f"key-{number}")
    await crowd.after(8.0)
    assert crowd.stage.seen(A).outage
    await crowd.part()


async def test_a_host_that_hung_is_tried_again_after_half_a_minute() -> None:
    crowd = Crowd()
    for _ in range(SEVERAL):
        await crowd.ask(A)
    await crowd.after(8.0)
    await crowd.part()
    assert crowd.stage.seen(A).outage
    crowd.stage.clock.now += 30.0
    assert not crowd.stage.seen(A).outage


async def test_what_says_that_it_is_at_work_does_not_hang() -> None:
    crowd = Crowd(a=plays(b": at work\n\n", asyncio.Event()))
    for _ in range(SEVERAL):
        await crowd.ask(A, B)
        crowd.stage.clock.now += 3.0
    await crowd.after(1.0)
    assert not any(each.done() for each in crowd.asked)
    await crowd.part()


async def test_what_began_is_watched_no_longer() -> None:
    crowd = Crowd(a=Script(head=(Pass(1.0),), acts=(says("x"), "hang")))
    for _ in range(SEVERAL):
        await crowd.ask(A, B)
    assert await asyncio.gather(*crowd.asked) == ["a"] * SEVERAL
    await crowd.after(600.0)
    assert not crowd.stage.seen(A).outage
