"""Quantiles from buckets are off by no more than they may be, however they were merged."""

import math

from hypothesis import given
from hypothesis import strategies as st

from dragoman.records.speeds import ERROR, LAST, bucket, quantile

VALUES = st.lists(st.floats(1.01, 1e9), min_size=1, max_size=60)


def counts_of(values: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    return counts


@given(VALUES, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_near_the_true_one(values: list[float], part: float) -> None:
    true = sorted(values)[math.floor(part * (len(values) - 1))]
    found = quantile(counts_of(values), part)
    assert found is not None
    assert abs(found - true) <= true * (ERROR + 1e-9)


@given(VALUES, VALUES)
def test_counts_of_two_parts_add_up_to_those_of_the_whole(
    one: list[float], other: list[float]
) -> None:
    merged = counts_of(one)
    for number, count in counts_of(other).items():
        merged[number] = merged.get(number, 0) + count
    assert merged == counts_of(one + other)


def test_no_time_and_all_time_have_a_bucket() -> None:
    assert [bucket(0), bucket(-5), bucket(1), bucket(2**400)] == [0, 0, 0, LAST]
    assert quantile({}, 0.5) is None
    assert quantile({0: 3}, 0.5) == 1.0
