"""The share of requests that an endpoint answered, over three spans of time."""

import pytest

from dragoman.upstream.uptime import Uptime

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def percents(uptime: Uptime, now: float) -> list[float | None]:
    return [uptime.percent(now, span_s) for span_s in (5 * MINUTE, HOUR / 2, DAY)]


def counted(answers: int, faults: int, now: float = 0.0) -> Uptime:
    uptime = Uptime()
    for _ in range(answers):
        uptime.count(now, ok=True)
    for _ in range(faults):
        uptime.count(now, ok=False)
    return uptime


@pytest.mark.parametrize(
    ("answers", "faults", "percent"),
    [(0, 0, None), (2, 0, None), (3, 0, 100.0), (0, 3, 0.0), (2, 1, 66.667), (999, 1, 99.9)],
)
def test_a_share_of_what_was_seen_if_that_is_enough(
    answers: int, faults: int, percent: float | None
) -> None:
    assert percents(counted(answers, faults), 0.0) == [percent, percent, percent]


def test_each_span_forgets_in_its_time() -> None:
    uptime = counted(0, 4)
    assert percents(uptime, 4 * MINUTE) == [0.0, 0.0, 0.0]
    assert percents(uptime, 5 * MINUTE) == [None, 0.0, 0.0]
    assert percents(uptime, 29 * MINUTE) == [None, 0.0, 0.0]
    assert percents(uptime, 30 * MINUTE) == [None, None, 0.0]
    assert percents(uptime, DAY - HOUR / 2) == [None, None, 0.0]
    assert percents(uptime, DAY) == [None, None, None]


def test_a_slot_that_is_used_again_begins_anew() -> None:
    uptime = counted(0, 4)
    for _ in range(4):
        uptime.count(DAY, ok=True)
    assert percents(uptime, DAY) == [100.0, 100.0, 100.0]


def test_the_longer_span_sees_more() -> None:
    uptime = counted(0, 6)
    for _ in range(6):
        uptime.count(20 * MINUTE, ok=True)
    assert percents(uptime, 20 * MINUTE) == [100.0, 50.0, 50.0]


@pytest.mark.parametrize(("slot_s", "slots"), [(MINUTE, 30), (HOUR / 2, 48)])
@pytest.mark.parametrize("into_slot_s", [0.0, 59.0])
def test_every_slot_of_a_span_counts_and_the_one_before_does_not(
    slot_s: float, slots: int, into_slot_s: float
) -> None:
    uptime, span_s = counted(0, 1, into_slot_s), slot_s * slots
    for number in range(1, slots):
        uptime.count(number * slot_s + into_slot_s, ok=True)
    now = (slots - 1) * slot_s + into_slot_s
    assert uptime.percent(now, span_s) == pytest.approx(100 * (slots - 1) / slots, abs=0.001)
    assert uptime.percent(now + slot_s, span_s) == 100.0


def test_a_minute_ends_where_the_next_begins() -> None:
    uptime = counted(0, 3, 59.9)
    for _ in range(3):
        uptime.count(MINUTE, ok=True)
    assert percents(uptime, 5 * MINUTE) == [100.0, 50.0, 50.0]
