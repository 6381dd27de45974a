"""How long things took, as counts in buckets: small, and two of them add up to a third. Pure.

A value is counted in a bucket whose bounds grow by the same factor each, so that a
quantile read from the counts is off by at most `ERROR` of itself, whatever was merged
with whatever. Source: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and
fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12 (2019).
"""

import math
from collections.abc import Mapping
from enum import IntEnum

GROWTH = 1.1
ERROR = (GROWTH - 1) / (GROWTH + 1)
"""How far a quantile may be off, as a part of itself: 4.8 %."""

LAST = 255
"""The last bucket: above 30 billion, which is a year in milliseconds."""

_PER_LN = 1 / math.log(GROWTH)


class Speed(IntEnum):
    """What is measured: milliseconds to the first content, from then on, and tokens a second."""

    LATENCY = 0
    GENERATION = 1
    THROUGHPUT = 2


def bucket(value: float) -> int:
    """Return the bucket of a value: the first for all up to 1, as for what is no time at all."""
    if value <= 1:
        return 0
    return min(LAST, math.ceil(math.log(value) * _PER_LN))


def quantile(counts: Mapping[int, int], part: float) -> float | None:
    """Return the value below which `part` (0 to 1) of all lie, None when nothing was counted."""
    total = sum(counts.values())
    rank = part * (total - 1)
    seen = 0
    for each in sorted(counts):
        seen += counts[each]
        if seen > rank:
            return middle(each)
    return None


def middle(number: int) -> float:
    """Return the value that is off by no more than ERROR for anything in a bucket."""
    if number == 0:
        return 1.0
    return float(2 * GROWTH**number / (GROWTH + 1))
