"""Windows, what is free, refusals and the size of leases, in tables."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ledger import purses
from dragoman.ledger.purses import INTERVALS, Balance, Interval, Purse, Reason

DOLLAR = 1_000_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("interval", "now", "start", "end"),
    [
        ("daily", "2026-11-21T00:00:00", "2026-11-21", "2026-11-22"),
        ("daily", "2026-11-21T23:59:59", "2026-11-21", "2026-11-22"),
        ("weekly", "2026-11-21T12:00:00", "2026-11-16", "2026-11-23"),
        ("weekly", "2026-11-16T00:00:00", "2026-11-16", "2026-11-23"),
        ("weekly", "2026-11-15T23:59:59", "2026-11-09", "2026-11-16"),
        ("weekly", "2027-01-01T00:00:00", "2026-12-28", "2027-01-04"),
        ("monthly", "2026-11-30T23:59:59", "2026-11-01", "2026-12-01"),
        ("monthly", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("monthly", "2028-02-29T08:00:00", "2028-02-01", "2028-03-01"),
    ],
)
def test_windows_begin_at_midnight_on_monday_and_on_the_first(
    interval: Interval, now: str, start: str, end: str
) -> None:
    assert purses.window_start(interval, at(now)) == at(start)
    assert purses.window_end(interval, at(now)) == at(end)


def test_a_total_has_one_window_that_never_ends() -> None:
    assert purses.window_start("total", 1e9) == 0
    assert purses.window_end("total", 1e9) is None


@given(st.sampled_from(INTERVALS[1:]), st.integers(0, 4_000_000_000))
def test_windows_follow_each_other_without_a_gap(interval: Interval, now: int) -> None:
    start, end = purses.window_start(interval, now), purses.window_end(interval, now)
    assert end is not None
    assert start <= now < end
    assert purses.window_start(interval, end) == end
    assert purses.window_end(interval, start) == end
    assert purses.window_start(interval, end - 1) == start


@given(st.text(min_size=1), st.sampled_from(INTERVALS), st.integers(0, 2**40))
def test_a_purse_is_found_in_its_id(scope: str, interval: Interval, start: int) -> None:
    purse = Purse(scope, interval, start)
    assert purses.parse(purse.id) == purse


@pytest.mark.parametrize("id_", ["", "a|b", "key:k|hourly|0", "|daily|0", "key:k|daily|noon"])
def test_what_is_no_id_of_a_purse_is_said_to_be_none(id_: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        purses.parse(id_)


def test_scopes_name_whose_purse_it_is() -> None:
    assert purses.key_scope("ab") == "key:ab"
    assert purses.purse_of_account("acct_a").id == "account:acct_a|total|0"


@pytest.mark.parametrize(
    ("limit", "spent", "leased", "hold", "expected"),
    [
        (None, 10**18, 0, 10**18, None),
        (100, 0, 0, 100, None),
        (100, 0, 0, 101, Reason.EXHAUSTED),
        (100, 40, 30, 30, None),
        (100, 40, 30, 31, Reason.IN_FLIGHT),
        (100, 40, 30, 60, Reason.IN_FLIGHT),
        (100, 40, 30, 61, Reason.EXHAUSTED),
        (50, 40, 30, 1, Reason.IN_FLIGHT),
        (30, 40, 0, 1, Reason.EXHAUSTED),
        (30, 40, 0, 0, Reason.EXHAUSTED),
        (0, 0, 0, 0, None),
    ],
)
def test_refusals(
    limit: int | None, spent: int, leased: int, hold: int, expected: Reason | None
) -> None:
    assert purses.refusal(Balance(limit, spent, leased), hold) == expected


@pytest.mark.parametrize(
    ("free", "hold", "size"),
    [
        (1000 * DOLLAR, 5, DOLLAR),
        (50 * DOLLAR, 5, DOLLAR // 2),
        (50 * DOLLAR, DOLLAR, DOLLAR),
        (10, 10, 10),
        (10, 3, 3),
        (None, 7, 7),
        (500, 0, 5),
    ],
)
def test_the_size_of_a_lease(free: int | None, hold: int, size: int) -> None:
    assert purses.lease_size(Balance(free), hold) == size


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_lease_covers_the_hold_and_is_never_more_than_what_is_free(free: int, hold: int) -> None:
    if purses.refusal(Balance(free), hold) is None:
        assert hold <= purses.lease_size(Balance(free), hold) <= free


def test_each_user_of_each_key_has_a_purse_and_those_without_a_name_have_one() -> None:
    users = purses.purse(purses.users_scope("f" * 64), "monthly", at("2026-11-21")).id
    ids = [purses.purse_of_user(users, user) for user in ("a", "b", "a|b", "anonymous", None)]
    assert len(set(ids)) == len(ids)
    assert purses.purse_of_user(users, "") == purses.purse_of_user(users, None)
    for id_ in ids:
        purse = purses.parse(id_)
        assert (purse.id, purse.interval) == (id_, "monthly")
        assert purse.window_start == at("2026-11-01")
        assert purses.key_of_user(id_) == "f" * 64
    other = purses.purse(purses.users_scope("e" * 64), "monthly", at("2026-11-21")).id
    assert purses.purse_of_user(other, "a") != ids[0]


def test_a_name_as_long_as_can_be_makes_an_id_as_short_as_any() -> None:
    users = purses.purse(purses.users_scope("f" * 64), "total", 0.0).id
    lengths = {len(purses.purse_of_user(users, "\N{SNOWMAN}" * n)) for n in (1, 10, 100_000)}
    assert len(lengths) == 1


@pytest.mark.parametrize("id_", ["key:f|total|0", "account:user:x|total|0", "byok:a|monthly|0"])
def test_no_other_purse_is_a_users(id_: str) -> None:
    assert purses.key_of_user(id_) is None
