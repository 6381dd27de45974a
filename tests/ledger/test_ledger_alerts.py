"""When a threshold is news: once a window, in order, however spending and limits move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ledger.alerts import Figures, Measure, Verdict, judge

PERCENTS = st.sets(st.integers(1, 100), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("spend"), st.integers(0, 60)),
        st.tuples(st.just("refund"), st.integers(0, 30)),
        st.tuples(st.just("limit"), st.integers(0, 200)),
        st.tuples(st.just("turn"), st.just(0)),
    ),
    max_size=40,
)


class Bell:
    """Judges after each step, and keeps what was told as the database does."""

    def __init__(self, measure: Measure, thresholds: set[int], start: int) -> None:
        self.measure, self.thresholds, self.start = measure, thresholds, start
        self.spent, self.limit = 0, 100
        self.known: dict[int, dict[int, int | None]] = {}
        self.rung: list[tuple[int, int]] = []
        """(window, threshold) of all that was told, in order."""
        self.seen: dict[int, set[int]] = {}
        """By window the thresholds that were reached whenever somebody looked."""

    def step(self, kind: str, value: int) -> Verdict:
        if kind == "spend":
            self.spent += value
        elif kind == "refund":
            self.spent = max(0, self.spent - value)
        elif kind == "limit":
            self.limit = value
        elif self.start:
            self.start, self.spent = self.start + 1, 0
        return self.look()

    def look(self) -> Verdict:
        limit = self.limit if self.measure == "percent" else None
        figures = Figures(window="daily", start=self.start, spent=self.spent, limit=limit)
        told = self.known.setdefault(self.start, {})
        verdict = judge(self.measure, self.thresholds, figures, told)
        for threshold in verdict.armed:
            del told[threshold]
        for threshold in verdict.reached:
            told[threshold] = limit
            self.rung.append((self.start, threshold))
        self.seen.setdefault(self.start, set()).update(filter(self._is_reached, self.thresholds))
        return verdict

    def _is_reached(self, threshold: int) -> bool:
        if self.measure == "usd":
            return self.spent >= threshold
        return self.limit > 0 and self.spent / self.limit >= threshold / 100


@given(st.sampled_from(["percent", "usd"]), PERCENTS, STEPS)
def test_a_threshold_is_told_of_once_a_window_and_only_if_it_was_reached(
    measure: Measure, thresholds: set[int], steps: list[tuple[str, int]]
) -> None:
    bell = Bell(measure, thresholds, start=1)
    for kind, value in steps:
        verdict = bell.step(kind, value)
        assert list(verdict.reached) == sorted(verdict.reached)
        assert not bell.look(), "whoever looks again tells nothing"
    assert len(bell.rung) == len(set(bell.rung))
    for window, reached in bell.seen.items():
        assert {t for w, t in bell.rung if w == window} == reached


@given(PERCENTS, STEPS)
def test_without_an_end_of_the_window_a_raised_limit_alone_arms_a_threshold_again(
    thresholds: set[int], steps: list[tuple[str, int]]
) -> None:
    bell = Bell("percent", thresholds, start=0)
    limit_when_told: dict[int, int] = {}
    for kind, value in steps:
        verdict = bell.step(kind, value)
        for threshold in verdict.armed:
            assert bell.limit > limit_when_told.pop(threshold)
            assert bell.spent * 100 < threshold * bell.limit
        for threshold in verdict.reached:
            assert threshold not in limit_when_told
            limit_when_told[threshold] = bell.limit


def figures(spent: int, limit: int | None = 100, start: int = 0) -> Figures:
    return Figures(window="total", start=start, spent=spent, limit=limit)


@pytest.mark.parametrize(
    ("spent", "limit", "told", "expected"),
    [
        (79, 100, {}, Verdict()),
        (80, 100, {}, Verdict((80,))),
        (100, 100, {}, Verdict((80, 100))),
        (130, 100, {80: 100}, Verdict((100,))),
        (80, 100, {80: 100}, Verdict()),
        (80, 200, {80: 100}, Verdict((), (80,))),
        (80, 101, {80: 101}, Verdict()),
        (50, 90, {80: 100}, Verdict()),
        (50, 0, {}, Verdict()),
        (50, None, {}, Verdict()),
        (50, None, {80: 100}, Verdict()),
    ],
)
def test_percents_of_credit(
    spent: int, limit: int | None, told: dict[int, int | None], expected: Verdict
) -> None:
    assert judge("percent", (100, 80), figures(spent, limit), told) == expected


def test_a_raised_limit_does_not_arm_within_a_window_that_ends() -> None:
    assert not judge("percent", (80,), figures(80, 1000, start=86_400), {80: 100})


def test_sums_need_no_limit() -> None:
    assert judge("usd", (5, 10, 20), figures(12, None), {5: None}) == Verdict((10,))
