"""What pages hold is what was counted, however it was cut into pages."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.records.packing import MOST, TOGETHER, Added, page

IDS = (-(2**63), -7, 0, 5, 2**63 - 1)
COUNTS = st.one_of(st.integers(1, 300), st.integers(1, MOST - 1))
FOUND = st.dictionaries(
    st.sampled_from(IDS),
    st.dictionaries(st.integers(0, 255), COUNTS, min_size=1, max_size=6),
    min_size=1,
)


def summed(*pages: Mapping[int, Mapping[int, int]]) -> dict[int, dict[int, int]]:
    """Return what pages come to, added up the plain way."""
    sums: dict[int, Counter[int]] = {}
    for found in pages:
        for series, counts in found.items():
            sums.setdefault(series, Counter()).update(counts)
    return {series: dict(counts) for series, counts in sums.items()}


@given(st.lists(FOUND, max_size=12), st.sets(st.sampled_from(IDS)))
def test_pages_come_to_the_sum_of_what_they_hold(
    found: list[dict[int, dict[int, int]]], wanted: set[int]
) -> None:
    added = Added(wanted)
    for each in found:
        added.add(page(each))
    expected = {series: sums for series, sums in summed(*found).items() if series in wanted}
    assert dict(added.all()) == expected
    assert dict(added.all()) == expected, "asking changes nothing"


@pytest.mark.parametrize("most", [255, 256, 2**24 - 1, 2**24, MOST - 1])
def test_any_number_of_the_fullest_pages_can_be_added(most: int) -> None:
    found = {3: {0: most, 1: most, 255: most}}
    added, pages = Added({3}), min(3 * TOGETHER + 1, 2**64 // most)
    for _ in range(pages):
        added.add(page(found))
    assert dict(added.all()) == {3: {0: pages * most, 1: pages * most, 255: pages * most}}


def test_pages_of_a_day_with_rising_series_count_as_one_round() -> None:
    added, pages = Added(range(2000)), [page({each: {40: 255}}) for each in range(2000)]
    for each in pages * 2:
        added.add(each)
    assert dict(added.all()) == {each: {40: 510} for each in range(2000)}


def test_a_page_of_a_usual_series_is_small() -> None:
    usual = {series: dict.fromkeys(range(40, 60), 100) for series in range(100)}
    assert len(page(usual)) / 100 < 60
