"""What a process remembers of an endpoint, and for how long."""

import msgspec
import pytest
from msgspec.structs import replace

from dragoman.catalog.rows import Measured, Spread
from dragoman.routing.types import Percentiles, Seen
from dragoman.upstream import health
from dragoman.upstream.health import HealthBoard, Tally, TellingBoard

E = "acme|acme/turbo"


def seen(board: HealthBoard, now: float) -> tuple[bool, bool]:
    board.refresh(now)
    return board.seen[E].outage, board.seen[E].cooling


def test_three_faults_that_are_half_of_all_are_an_outage_for_thirty_seconds() -> None:
    board = HealthBoard()
    for second in range(3):
        board.succeeded(E, second, 0.1, 50)
        board.failed(E, second)
    assert seen(board, 3) == (True, False)
    assert seen(board, 29) == (True, False)
    assert seen(board, 33) == (False, False)


def test_two_faults_are_no_outage_and_three_among_many_neither() -> None:
    board = HealthBoard()
    board.failed(E, 0)
    board.failed(E, 0)
    assert seen(board, 0) == (False, False)
    for _ in range(4):
        board.succeeded(E, 0, 0.1, None)
    board.failed(E, 0)
    assert seen(board, 0) == (False, False)


def test_many_endpoints_are_refreshed_one_at_a_time_and_none_is_forgotten() -> None:
    board = HealthBoard()
    names = [f"acme|acme/{number}" for number in range(4)]
    for name in names:
        for _ in range(3):
            board.succeeded(name, 0, 0.1, 50)
    made = []
    for _ in board.refreshing(0):
        board.succeeded(names[0], 0, 0.1, 50)  # as happens meanwhile
        made.append(len(board.seen))
    assert made == [1, 2, 3, 4]
    assert [*board.refreshing(0)] == [None]


def test_trouble_is_seen_at_once_and_percentiles_are_made_when_they_are_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = HealthBoard()
    for _ in range(3):
        board.succeeded(E, 0, 0.1, 50)
    board.refresh(0)
    before = board.seen[E]
    with monkeypatch.context() as patch:
        patch.delattr(health, "_latency_s")
        for _ in range(10):
            board.failed(E, 1)
        board.cool(E, 1, 5)
        board.heard({E: Tally(answers=1, speeds=[(0.5, 50.0)] * 3)}, 1)
    assert board.seen[E] == replace(before, outage=True, cooling=True)
    board.refresh(1)
    latency = board.seen[E].latency_s
    assert latency is not None
    assert (latency.p50, latency.p99) == (0.5, 0.5)


def test_cooling_ends_by_itself() -> None:
    board = HealthBoard()
    board.cool(E, 100, 7)
    assert seen(board, 106.9) == (False, True)
    assert seen(board, 107.1) == (False, False)


def test_a_shorter_cooling_does_not_cut_a_longer_one() -> None:
    board = HealthBoard()
    board.cool(E, 0, 60)
    board.cool(E, 1, 1)
    assert seen(board, 30) == (False, True)


@pytest.mark.parametrize(("hint", "wait"), [(0.2, 1), (7, 7), (1e9, 60)])
def test_a_hint_is_respected_within_reason(hint: float, wait: float) -> None:
    assert HealthBoard().backoff_s(E, 0, hint) == wait


def test_without_a_hint_the_wait_doubles_to_thirty_seconds_and_a_success_resets_it() -> None:
    board = HealthBoard()
    now = 0.0
    for wait_s in (1, 2, 4, 8, 16, 30, 30):
        assert board.backoff_s(E, now, None) == wait_s
        now += wait_s
    board.succeeded(E, now, 0.1, None)
    assert board.backoff_s(E, now, None) == 1


def test_requests_that_are_limited_together_are_so_once() -> None:
    board = HealthBoard()
    assert [board.backoff_s(E, now, None) for now in (0, 0, 0.9, 1, 1, 2.9, 3)] == [
        1, 1, 1, 2, 2, 2, 4,
    ]  # fmt: skip
    board.succeeded(E, 3, 0.1, None)
    assert board.backoff_s(E, 3, None) == 1


def test_percentiles_need_three_samples_and_forget_after_five_minutes() -> None:
    board = HealthBoard()
    board.succeeded(E, 0, 0.1, 10)
    board.succeeded(E, 0, 0.2, 20)
    board.refresh(0)
    assert board.seen[E].latency_s is None
    board.succeeded(E, 200, 0.3, 30)
    board.refresh(200)
    latency = board.seen[E].latency_s
    assert latency is not None
    assert (latency.p50, latency.p99) == (0.2, 0.3)
    board.succeeded(E, 301, 0.3, 30)
    board.refresh(301)
    assert board.seen[E].latency_s is None


def test_what_was_measured_is_forgotten_after_five_minutes_also_where_nobody_calls() -> None:
    board = HealthBoard()
    for at in (0, 1, 2):
        board.succeeded(E, at, 0.1, 10)
    for now in (2, 300):
        board.refresh(now)
        assert board.seen[E].latency_s is not None
        assert board.seen[E].throughput is not None
    board.refresh(301)
    assert board.seen[E] == Seen()


def test_of_many_answers_the_latest_five_hundred_are_measured() -> None:
    board = HealthBoard()
    for latency_s in (9.0, 0.1):
        for _ in range(500):
            board.succeeded(E, 0, latency_s, None)
    board.refresh(0)
    assert board.seen[E].latency_s == Percentiles(p50=0.1, p75=0.1, p90=0.1, p99=0.1)


def test_p90_of_throughput_is_what_ninety_percent_at_least_reached() -> None:
    board = HealthBoard()
    for speed in range(1, 101):
        board.succeeded(E, 0, 0.1, float(speed))
    board.refresh(0)
    throughput = board.seen[E].throughput
    assert throughput is not None
    assert throughput.p50 == 50
    assert throughput.p90 == 10


def test_people_are_shown_half_an_hour_and_plans_see_five_minutes() -> None:
    board = HealthBoard()
    for _ in range(4):
        board.succeeded(E, 0, 0.25, 80)
    board.refresh(1200)
    board.cool(E, 1200, 1)
    assert board.seen[E].latency_s is None
    shown = board.measured(E, 1200)
    assert shown.latency_ms is not None
    assert shown.throughput is not None
    assert shown.latency_ms == Spread(p50=250.0, p75=250.0, p90=250.0, p99=250.0)
    assert shown.throughput == Spread(p50=80.0, p75=80.0, p90=80.0, p99=80.0)
    assert (shown.uptime_5m, shown.uptime_30m, shown.uptime_1d) == (None, 100.0, 100.0)
    late = board.measured(E, 1801)
    assert (late.latency_ms, late.throughput, late.uptime_1d) == (None, None, 100.0)
    board.cool(E, 1801, 1)
    assert board.measured(E, 1801) == late


@pytest.mark.parametrize(
    ("now", "uptimes"),
    [
        (1210, (0.0, 50.0, 50.0)),
        (1700, (None, 50.0, 50.0)),
        (1860, (None, 0.0, 50.0)),
        (3600, (None, None, 50.0)),
        (90_000, (None, None, None)),
    ],
)
def test_uptime_is_shown_of_five_minutes_half_an_hour_and_a_day(
    now: float, uptimes: tuple[float | None, ...]
) -> None:
    board = HealthBoard()
    for _ in range(4):
        board.succeeded(E, 0, 0.25, 80)
    for _ in range(4):
        board.failed(E, 1200)
    shown = board.measured(E, now)
    assert (shown.uptime_5m, shown.uptime_30m, shown.uptime_1d) == uptimes


def test_an_outage_is_shown_and_an_endpoint_never_used_has_no_figures() -> None:
    board = HealthBoard()
    for _ in range(3):
        board.failed(E, 0)
    assert board.measured(E, 0).in_outage
    assert board.measured("other", 0) == Measured()


def test_what_another_process_saw_counts_like_ones_own() -> None:
    there, here, alone = TellingBoard(), HealthBoard(), HealthBoard()
    for board in (there, alone):
        for n in range(4):
            board.succeeded("e", 100.0, 0.1 * (n + 1), 50.0)
        for _ in range(6):
            board.failed("e", 100.0)
    tallies = msgspec.msgpack.decode(msgspec.msgpack.encode(there.told()), type=dict[str, Tally])
    here.heard(tallies, 100.0)
    for board in (here, alone):
        board.refresh(100.0)
    assert here.measured("e", 100.0) == alone.measured("e", 100.0)
    assert here.seen["e"] == alone.seen["e"]
    assert here.seen["e"].outage
    assert there.told() == {}


def test_a_busy_process_tells_every_count_and_some_speeds() -> None:
    board = TellingBoard()
    for _ in range(1000):
        board.succeeded("e", 100.0, 0.1, None)
    (tally,) = board.told().values()
    assert tally.answers == 1000
    assert len(tally.speeds) == TellingBoard.MOST_SPEEDS
