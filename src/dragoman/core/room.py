"""Counts and memories of many, of which a change costs no more than of a few."""

from itertools import islice
from typing import Any, Final, TypeVar

K = TypeVar("K")

SHARE: Final = 128


def one_less(held: dict[K, int], key: K) -> bool:
    """Take one off a count, and say whether there was any. What is 0 is forgotten."""
    count = held.pop(key, 0)
    if count > 1:
        held[key] = count - 1
    return count > 0


def make_room(known: dict[str, Any], most: int) -> None:
    """Forget what was added first if there are `most`: a 128th of all, one at least.

    Not one for each that comes: to find the first of a dict leads past all that were first
    and are gone, tens of thousands of them in a large one.
    """
    if len(known) >= most:
        for oldest in list(islice(known, max(1, most // SHARE))):
            del known[oldest]
