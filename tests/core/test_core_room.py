"""Counts and memories of many."""

import pytest

from dragoman.core.room import make_room, one_less


@pytest.mark.parametrize(
    ("size", "most", "left"),
    [
        (0, 2, []),
        (1, 2, [0]),
        (2, 2, [1]),
        (255, 256, [*range(255)]),
        (256, 256, [*range(2, 256)]),
        (1280, 1280, [*range(10, 1280)]),
    ],
)
def test_the_oldest_go_and_many_at_once_of_many(size: int, most: int, left: list[int]) -> None:
    known = {str(number): number for number in range(size)}
    make_room(known, most)
    assert [*known.values()] == left


def test_a_count_goes_down_to_nothing_and_no_further() -> None:
    held = {"a": 2, "b": 1}
    assert [one_less(held, "a"), one_less(held, "b")] == [True, True]
    assert held == {"a": 1}
    assert [one_less(held, "a"), one_less(held, "a")] == [True, False]
    assert held == {}
