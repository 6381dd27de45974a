"""GCRA: what a bucket admits, how long it lets wait, and what no clock can do to it."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.access.rates import MINUTE_NS, MOST, Rate, corrected, left, per_minute, taken

SECOND_NS = 10**9

rates = st.builds(Rate, st.integers(1, 10**6), st.integers(1, 50))
visits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 50)), max_size=60)


def test_sixty_a_minute_may_come_at_once_and_then_one_a_second() -> None:
    rate, tat, now = per_minute(60), 0, 5 * SECOND_NS
    for _ in range(60):
        tat, wait = taken(tat, now, 1, rate)
        assert wait == 0
    assert left(tat, now, rate) == 0
    assert taken(tat, now, 1, rate)[1] == SECOND_NS
    assert taken(tat, now + SECOND_NS, 1, rate)[1] == 0


@pytest.mark.parametrize("limit", [1, 7, 60, 999_999, MOST])
def test_a_minute_never_brings_more_than_the_limit(limit: int) -> None:
    rate = per_minute(limit)
    assert MINUTE_NS // rate.unit_ns <= limit
    assert rate.burst == limit


@given(rates, visits)
def test_no_window_admits_more_than_a_bucket_and_what_came_back(
    rate: Rate, steps: list[tuple[int, int]]
) -> None:
    times = accumulate(pause for pause, _ in steps)
    tat, admitted = 0, []
    for now, (_, units) in zip(times, steps, strict=True):
        after, wait = taken(tat, now, units, rate)
        if wait == 0:
            tat = after
            admitted.append((now, units))
    for i, (begin, _) in enumerate(admitted):
        units = 0
        for now, more in admitted[i:]:
            units += more
            assert units * rate.unit_ns <= rate.size_ns + now - begin


@given(rates, st.integers(0, 10**12), st.integers(0, 10**9), st.data())
def test_who_waits_as_long_as_told_is_admitted_and_not_a_moment_sooner(
    rate: Rate, now: int, tat: int, data: st.DataObject
) -> None:
    tat = now + min(tat, rate.size_ns)
    units = data.draw(st.integers(1, rate.burst))
    _, wait = taken(tat, now, units, rate)
    assert taken(tat, now + wait, units, rate)[1] == 0
    if wait:
        assert taken(tat, now + wait - 1, units, rate)[1] == 1


@given(rates, st.integers(), st.integers())
def test_a_clock_that_jumps_locks_nobody_out_for_longer_than_one_unit_takes(
    rate: Rate, tat: int, now: int
) -> None:
    after, wait = taken(tat, now, 1, rate)
    assert 0 <= wait <= rate.unit_ns
    assert now < after <= now + rate.size_ns + rate.unit_ns
    assert 0 <= left(tat, now, rate) <= rate.burst


@given(rates, st.integers(0, 10**9), st.integers(1, 50), st.integers(0, 50))
def test_to_correct_is_to_have_taken_the_right_number(
    rate: Rate, now: int, guessed: int, used: int
) -> None:
    after, _ = taken(now, now, guessed, rate)
    assert corrected(after, now, used - guessed, rate) == now + used * rate.unit_ns
