"""Alerts on what is spent: which thresholds were reached, and which of them are news. Pure.

A rule watches an account or a key. Its thresholds are percent of the limit (of a prepaid
account: of the credit it was given), or sums spent in a window. A threshold is told of once a
window, however spending and limit move. The window of credit, and of a limit for good, never
ends: there a threshold is armed again once the limit was raised so far that it is not
reached any more.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from dragoman.ledger.purses import Interval

Measure = Literal["percent", "usd"]
PERCENT = 100


class Rule(Struct, frozen=True, kw_only=True):
    """A row of the table of rules. Without `key_hash` it watches the whole account.

    `thresholds` rise: percent of the limit, or nano-USD spent in `window` (of a rule by percent
    it is that of the limit, whatever is here). `version` counts its signing secrets, the
    present one since `rotated_at`. Times are Unix seconds.
    """

    id: str
    account: str
    key_hash: str | None = None
    name: str
    measure: Measure
    thresholds: tuple[int, ...]
    window: Interval = "total"
    webhooks: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    disabled: bool = False
    version: int = 1
    rotated_at: float | None = None
    created_at: float
    updated_at: float | None = None

    @property
    def settled_at(self) -> float:
        """Since when it is as it is."""
        return self.created_at if self.updated_at is None else self.updated_at


class Figures(Struct, frozen=True, kw_only=True):
    """What was spent in a window, and what may be; nano-USD. `start` is Unix time, 0: for good."""

    window: Interval
    start: int
    spent: int
    limit: int | None = None


class Verdict(Struct, frozen=True):
    """Which thresholds to tell of, rising, and which to arm again."""

    reached: tuple[int, ...] = ()
    armed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reached or self.armed)


def is_reached(measure: Measure, threshold: int, figures: Figures) -> bool:
    """Say whether so much was spent. A limit that is not there, or is 0, has no percents."""
    if measure == "usd":
        return figures.spent >= threshold
    limit = figures.limit
    return limit is not None and limit > 0 and figures.spent * PERCENT >= threshold * limit


def judge(
    measure: Measure,
    thresholds: Iterable[int],
    figures: Figures,
    told: Mapping[int, int | None],
) -> Verdict:
    """Return what is news. `told` is what was told of in this window: threshold -> limit then."""
    reached, armed = [], []
    for threshold in sorted(thresholds):
        there = is_reached(measure, threshold, figures)
        if threshold not in told:
            if there:
                reached.append(threshold)
        elif not there and _raised(figures, told[threshold]):
            armed.append(threshold)
    return Verdict(tuple(reached), tuple(armed))


def _raised(figures: Figures, before: int | None) -> bool:
    """Say whether the limit of a window that never ends is higher than it was."""
    if figures.start != 0 or figures.limit is None or before is None:
        return False
    return figures.limit > before
