"""Verdicts: what is scaled, which way a limit points, and what two revisions differ by."""

import pytest
from msgspec import convert, structs

from bench.client import percentile
from bench.compare import Difference, difference
from bench.instructions import counted, table
from bench.limits import (
    ADDED_P99,
    LITELLM_RATIO,
    PER_REQUEST,
    START,
    Limit,
    exit_code,
    judged,
    slowness,
)  # fmt: skip
from bench.memory import slope
from bench.siege.hostile import Attack, addresses, opening
from bench.siege.overload import ROUNDS, Overload, Round, merged
from bench.siege.run import held
from bench.siege.scenarios import scenarios, streams
from bench.siege.settings import BODY, HEAD, LINGER_S, due_s, known, settings
from bench.siege.volley import Impact
from dragoman.upstream.options import UpstreamOptions


@pytest.mark.parametrize(
    ("limit", "measured", "factor", "scaled", "passed"),
    [
        (PER_REQUEST, 120.0, 1.0, 120.0, True),
        (PER_REQUEST, 121.0, 1.0, 121.0, False),
        (PER_REQUEST, 240.0, 2.0, 120.0, True),
        (PER_REQUEST, 110.0, 0.5, 220.0, False),
        (START, 3.0, 2.0, 1.5, True),
        (ADDED_P99, 8.0, 2.0, 8.0, False),
        (LITELLM_RATIO, 60.0, 2.0, 60.0, True),
        (LITELLM_RATIO, 59.0, 0.5, 59.0, False),
    ],
)
def test_costs_are_scaled_and_ratios_and_latencies_are_not(
    limit: Limit, measured: float, factor: float, scaled: float, *, passed: bool
) -> None:
    verdict = judged(limit, measured, factor)
    assert (verdict.scaled, verdict.passed) == (scaled, passed)


@pytest.mark.parametrize(("bare_us", "factor"), [(25.0, 1.0), (50.0, 2.0), (None, 1.0)])
def test_a_machine_is_as_slow_as_the_yardstick_is_dear(
    bare_us: float | None, factor: float
) -> None:
    assert slowness(bare_us) == factor


def test_one_limit_that_is_missed_fails_the_run() -> None:
    good, bad = judged(PER_REQUEST, 1, 1), judged(PER_REQUEST, 1000, 1)
    assert (exit_code([good, good]), exit_code([good, bad])) == (0, 1)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)],
)
def test_a_percentile_is_a_time_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_without_any_answer_no_limit_of_time_is_met() -> None:
    assert not judged(ADDED_P99, percentile([], 0.99), 1.0).passed


def impact(*times_ms: float, **changes: int) -> Impact:
    refused = changes.get("refused", 0)
    return Impact(
        times_ms=list(times_ms),
        refused_ms=[0.5] * refused,
        in_time=changes.get("in_time", len(times_ms)),
        statuses={200: len(times_ms), 503: refused},
        advised=changes.get("advised", 0),
        lost=changes.get("lost", 0),
        seconds=1.0,
        lags_ms=[0.1],
        cpu_s=0.1,
    )


CALM = impact(*[1.0] * 100)


def test_impacts_of_several_processes_add_up() -> None:
    both = merged([impact(1.0, refused=2, advised=1), impact(2.0, 3.0, refused=1, lost=4)])
    assert (both.goodput, len(both.refused_ms), both.advised, both.lost) == (3, 3, 1, 4)
    assert both.statuses == {200: 3, 503: 3}


def round_of(during: Impact) -> Round:
    return Round(calm=CALM, peak=CALM, curve=((2.0, CALM), (3.0, during)), had=1.0)


def told_of(during: Impact) -> Overload:
    return Overload(rounds=(round_of(during),) * ROUNDS, after=CALM)


def verdict_of(told: Overload) -> dict[str, bool]:
    return {each.limit.what.partition(": ")[2]: each.passed for each in told.verdicts()}


def test_an_overload_that_is_shed_well_passes() -> None:
    told = told_of(impact(*[1.9] * 90, refused=200, advised=200))
    assert all(verdict_of(told).values())
    assert "goodput : peak in each round 0.90, 0.90, 0.90; " in told.sentence()
    assert "3x: 90 served/s, p50 1.9 and p99 1.9 ms, 200 refused (200 with" in told.sentence()


GOOD = impact(*[1.9] * 90, refused=200, advised=200)


def test_a_round_in_which_the_machine_had_others_to_serve_decides_nothing() -> None:
    odd = round_of(impact(*[9.0] * 20, refused=200, advised=200))
    told = Overload(rounds=(round_of(GOOD), odd, round_of(GOOD)), after=CALM)
    assert all(verdict_of(told).values())
    assert "3x: 90 served/s" in told.sentence()
    told = structs.replace(told, rounds=(odd, round_of(GOOD), odd))
    assert not all(verdict_of(told).values())


def test_a_request_that_is_lost_in_any_round_counts() -> None:
    lost = round_of(impact(*[1.9] * 90, refused=200, advised=200, lost=1))
    told = verdict_of(Overload(rounds=(round_of(GOOD), lost, round_of(GOOD)), after=CALM))
    assert [what for what, passed in told.items() if not passed] == ["neither answered nor refused"]


def test_an_overload_that_is_not_over_when_fewer_come_fails() -> None:
    good = told_of(impact(*[1.9] * 90, refused=200, advised=200))
    told = verdict_of(structs.replace(good, after=impact(*[1.0] * 50, refused=50, advised=50)))
    assert [what for what, passed in told.items() if not passed] == ["refused at half load, after"]


@pytest.mark.parametrize(
    ("during", "missed"),
    [
        (impact(*[1.0] * 70, refused=9, advised=9), "goodput : peak"),
        (impact(*[2.1] * 90, refused=9, advised=9), "p99 accepted : p99 at half load"),
        (impact(*[1.0] * 90, refused=9, advised=8), "refusals with Retry-After"),
        (impact(*[1.0] * 90), "refusals with Retry-After"),
        (impact(*[1.0] * 90, refused=9, advised=9, lost=1), "neither answered nor refused"),
    ],
)
def test_an_overload_fails_for_one_reason(during: Impact, missed: str) -> None:
    told = verdict_of(told_of(during))
    assert [what for what, passed in told.items() if not passed] == [missed]


@pytest.mark.parametrize(
    ("base", "now", "verdict"),
    [
        ([100.0] * 3, [103.5, 104.0, 105.0], "DEARER"),
        ([100.0] * 3, [101.0, 102.0, 102.9], "same"),
        ([100.0] * 3, [90.0, 92.0, 91.0], "cheaper"),
        ([100.0] * 3, [104.0, 96.0, 105.0], "unclear"),
    ],
)
def test_a_regression_is_three_percent_that_the_pairs_agree_on(
    base: list[float], now: list[float], verdict: str
) -> None:
    found = difference("what", base, now)
    assert found.cells()[2] == verdict
    assert found.regressed == (verdict == "DEARER")


def test_a_pair_is_compared_with_itself() -> None:
    # The machine slowed down between the pairs, for both.
    found: Difference = difference("what", [100.0, 200.0], [101.0, 202.0])
    assert found.shares == pytest.approx([0.01, 0.01])


def test_instructions_are_read_from_what_valgrind_prints() -> None:
    assert counted("==1== \n==1== I   refs:      2,960,481,286\n") == 2_960_481_286
    with pytest.raises(ValueError, match="counted nothing"):
        counted("valgrind: no such tool")


def test_a_chunk_costs_what_a_stream_has_more_than_a_plain_answer() -> None:
    assert table({"plain": 1_000_000, "stream": 3_500_000}).endswith("50,000")


def test_the_slope_is_that_of_the_best_line() -> None:
    assert slope([0, 1, 2], [1.0, 3.0, 5.0]) == 2.0
    assert slope([1], [1.0]) == 0.0


@pytest.mark.parametrize(("files", "expected"), [(65_536, 10_000), (20_000, 9_500)])
def test_streams_are_as_many_as_the_machine_lets_a_process_hold(files: int, expected: int) -> None:
    assert streams(files) == expected
    assert scenarios(files)[0].count == expected


def test_hostile_clients_come_from_as_many_addresses_as_they_say() -> None:
    turns = addresses(2)
    assert [next(turns) for _ in range(3)] == ["127.0.1.1", "127.0.1.2", "127.0.1.1"]


@pytest.mark.parametrize(
    ("kind", "ends"), [("head", b"\r\nX-Slow: "), ("body", b"\r\n\r\n{"), ("silent", b"")]
)
def test_a_slow_client_begins_a_request_and_does_not_end_it(kind: str, ends: bytes) -> None:
    attack = Attack(
        kind=kind,  # type: ignore[arg-type]
        port=1, path="/v1", key="k", model="m", count=1,
    )  # fmt: skip
    sent = opening(attack)
    assert sent.endswith(ends)
    assert (b"Content-Length: " in sent) == (kind != "silent")


def test_a_hostile_connection_is_there_until_the_server_closes_it() -> None:
    row = " 0: 0100007F:{port} {remote}:C350 {state} 0:0 00:0 0 0 0 {inode} 1 0"
    rows = [
        row.format(port="0FA0", remote="0701007F", state="01", inode=77),  # counts
        row.format(port="0FA0", remote="0100007F", state="01", inode=77),  # honest
        row.format(port="0FA1", remote="0701007F", state="01", inode=77),  # of another port
        row.format(port="0FA0", remote="0701007F", state="01", inode=0),  # closed, not yet sent
        row.format(port="0FA0", remote="0701007F", state="06", inode=77),  # gone
    ]
    assert held("\n".join(["head", *rows]), 4000) == 1


def test_a_deadline_that_cannot_be_set_is_the_one_that_should_be_there() -> None:
    there = frozenset({BODY.setting})
    assert settings(there)["server"] == {BODY.setting: BODY.wanted_s}
    assert (due_s(BODY, there), due_s(HEAD, there)) == (BODY.wanted_s, HEAD.default_s)


def test_the_settings_of_the_siege_are_settings_of_the_gateway() -> None:
    assert known() >= set(settings(known())["server"])
    assert BODY.setting in known()
    assert convert(settings(known())["upstream"], UpstreamOptions).linger_s == LINGER_S
