"""Counts of speeds of many series in few bytes, and what such pages come to. Pure.

A page holds how often which bucket of one speed was reached in one hour or day: the ids of
its series in rising order, and for each of them the counts of all buckets from its first to
its last. These lie side by side, the lowest byte first; so they are one whole number, of which
each bucket has a part. To add two such numbers is to add all their buckets at once, and
Python does that for two thousand of them in a millisecond. The highest byte of each count is
left empty, for what is carried when many are added.
"""

from collections.abc import Container, Iterator, Mapping
from struct import Struct as Form

Counts = Mapping[int, int]
"""How often each bucket (0 to 255) was reached."""

WIDTHS = (2, 4, 8)
"""How many bytes a count may have."""
MOST = 1 << 8 * 7
"""Counts are below that: it leaves the highest of eight bytes empty."""
TOGETHER = 256
"""So many numbers can be added before a count needs more than the byte that is left empty."""
LANE = 8
"""The bytes of a count in the end: as many as in the database."""

_HEAD = Form("<IB")
"""How many series there are, and how many bytes each count has."""


def page(found: Mapping[int, Counts]) -> bytes:
    """Return the page of some counts by series: at least one, each with a bucket that was reached.

    Counts are below MOST, and none is negative.
    """
    ids = sorted(found)
    most = max(max(each.values()) for each in found.values())
    width = next(each for each in WIDTHS if most < 1 << 8 * (each - 1))
    firsts, ends, parts, end = [], [], [], 0
    for series in ids:
        counts = found[series]
        first, last = min(counts), max(counts)
        parts += [counts.get(each, 0).to_bytes(width, "little") for each in range(first, last + 1)]
        end += (last - first + 1) * width
        firsts.append(first)
        ends.append(end)
    head = _HEAD.pack(len(ids), width) + _table(len(ids)).pack(*ids, *firsts, *ends)
    return head + b"".join(parts)


def _table(series: int) -> Form:
    """Return the form of what follows the head: ids, first buckets, and where their counts end."""
    return Form(f"<{series}q{series}B{series}I")


class Added:
    """What pages come to, added one by one: the counts of those series that are wanted.

    As long as ids rise from page to page, none comes twice. So rounds of rising ids are counted,
    of which a page that was made right after another begins none.
    """

    def __init__(self, wanted: Container[int]) -> None:
        self._wanted = wanted
        self._narrow: dict[int, dict[int, int]] = {width: {} for width in WIDTHS}
        self._wide: dict[int, int] = {}
        self._last: int | None = None
        self._rounds = 1

    def add(self, counts: bytes) -> None:
        """Add a page."""
        series, width = _HEAD.unpack_from(counts)
        table = _table(series)
        values = table.unpack_from(counts, _HEAD.size)
        ids, firsts, ends = values[:series], values[series : 2 * series], values[2 * series :]
        self._begin(ids[0], ids[-1])
        sums, wanted, bits = self._narrow[width], self._wanted, width * 8
        data, at = counts[_HEAD.size + table.size :], 0
        for id_, first, end in zip(ids, firsts, ends, strict=True):
            if id_ in wanted:
                number = int.from_bytes(data[at:end], "little") << first * bits
                sums[id_] = sums.get(id_, 0) + number
            at = end

    def all(self) -> Iterator[tuple[int, dict[int, int]]]:
        """Yield each series that was found, and its counts of the buckets that were reached."""
        self._widen()
        for id_, total in self._wide.items():
            yield id_, _counts(total)

    def _begin(self, first: int, last: int) -> None:
        """Note which series come; make room when one of them may have come too often."""
        if self._last is not None and first <= self._last:
            self._rounds += 1
        self._last = last
        if self._rounds > TOGETHER:
            self._widen()

    def _widen(self) -> None:
        for width, sums in self._narrow.items():
            for id_, total in sums.items():
                self._wide[id_] = self._wide.get(id_, 0) + _widened(total, width)
            sums.clear()
        self._rounds = 1


def _widened(total: int, width: int) -> int:
    """Return a number whose counts have so many bytes as one whose counts have eight."""
    lanes = -(-total.bit_length() // (width * 8))
    narrow, wide = total.to_bytes(lanes * width, "little"), bytearray(lanes * LANE)
    for byte in range(width):
        wide[byte::LANE] = narrow[byte::width]
    return int.from_bytes(wide, "little")


def _counts(total: int) -> dict[int, int]:
    lanes = -(-total.bit_length() // (LANE * 8))
    found = Form(f"<{lanes}Q").unpack(total.to_bytes(lanes * LANE, "little"))
    return {bucket: count for bucket, count in enumerate(found) if count}
