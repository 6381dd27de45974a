"""Margins: how much more than by its price list is set aside for endpoints that billed beyond it.

Each process has its own, by what it saw. A margin fades, so that a host that mended its bills
costs nobody's room for long. Nothing here waits, reads or writes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MILLION: Final = 1_000_000
MOST_PPM: Final = 4 * MILLION
"""No bound is made larger than four times by a margin."""
SPARE_PPM: Final = 50_000
"""How much more is set aside than would have been enough the last time."""
HALF_LIFE_S: Final = 3600.0
LEAST_PPM: Final = MILLION + 10_000
"""A margin of less than a hundredth is none."""

NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Margins:
    """By what the bounds of endpoints are multiplied, in millionths. Seconds are monotonic."""

    __slots__ = ("_raised",)

    def __init__(self) -> None:
        self._raised: dict[str, tuple[int, float]] = {}

    def present(self, now: float) -> Mapping[str, int]:
        """Return the margins that there are by now: endpoint -> millionths, above 1,000,000."""
        if not self._raised:
            return NONE
        found: dict[str, int] = {}
        for endpoint, (ppm, since) in list(self._raised.items()):
            left = MILLION + int((ppm - MILLION) * 0.5 ** ((now - since) / HALF_LIFE_S))
            if left >= LEAST_PPM:
                found[endpoint] = left
            else:
                del self._raised[endpoint]
        return found

    def overran(self, endpoint: str, bound: int, cost: int, now: float) -> None:
        """Learn what a request cost at an endpoint where its bound, margin included, was less."""
        before = self.present(now).get(endpoint, MILLION)
        needed = MOST_PPM if bound <= 0 else -(-before * cost // bound) + SPARE_PPM
        self._raised[endpoint] = (min(MOST_PPM, max(before, needed)), now)


def widened(pico: int, ppm: int) -> int:
    """Return a bound under a margin, rounded up."""
    return -(-pico * ppm // MILLION)
