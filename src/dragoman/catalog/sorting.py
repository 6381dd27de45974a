"""The orders of `GET /models`: OpenRouter's values of `sort`.

Rows without the figure that is asked for come last, whatever the direction, and rows
with equal figures stay as they were: newest first. Popularity and benchmarks are figures
that no row has here, so those orders leave the list as it is.
"""

from collections.abc import Callable, Iterable, Mapping

from dragoman.catalog.filters import Sort
from dragoman.catalog.listing import Listed, Measure
from dragoman.catalog.pricing import blended
from dragoman.catalog.rows import Spread

MEASURED = frozenset({"throughput-high-to-low", "latency-low-to-high"})
"""The orders that ask what was seen of endpoints."""


def in_order(rows: Iterable[Listed], sort: Sort | None, measure: Measure) -> tuple[Listed, ...]:
    """Return the rows in the order that `sort` names; None: as they are."""
    figure = _FIGURES.get(sort or "newest")
    if figure is None:
        return tuple(rows)

    def rank(listed: Listed) -> tuple[bool, float]:
        value = figure(listed, measure)
        return value is None, value or 0.0

    return tuple(sorted(rows, key=rank))


def _cheap(listed: Listed, _: Measure) -> float | None:
    price = listed.lead.price
    return None if price is None else blended(price)


def _dear(listed: Listed, measure: Measure) -> float | None:
    value = _cheap(listed, measure)
    return None if value is None else -value


def _roomy(listed: Listed, _: Measure) -> float | None:
    context = listed.row.context_length
    return None if context is None else -context


def _fast(listed: Listed, measure: Measure) -> float | None:
    medians = _medians(measure(each.id).throughput for each in listed.endpoints)
    return -max(medians) if medians else None


def _prompt(listed: Listed, measure: Measure) -> float | None:
    return min(_medians(measure(each.id).latency_ms for each in listed.endpoints), default=None)


def _medians(spreads: Iterable[Spread | None]) -> list[float]:
    return [spread.p50 for spread in spreads if spread is not None]


_FIGURES: Mapping[str, Callable[[Listed, Measure], float | None]] = {
    "pricing-low-to-high": _cheap,
    "pricing-high-to-low": _dear,
    "context-high-to-low": _roomy,
    "throughput-high-to-low": _fast,
    "latency-low-to-high": _prompt,
}
"""Sort -> the figure by which rows rise."""
