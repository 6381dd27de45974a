"""What can be asked of the records, and what an answer is made of. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from dragoman.records.faces import DAY_S, HOUR_S
from dragoman.records.metrics import Totals, nothing, sums_of

Granularity = Literal["minute", "hour", "day", "week", "month"]
Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in"]
Scalar = str | float | None

MOST_PUSHED = 500


class Filter(Struct, frozen=True, kw_only=True):
    """What a dimension must be. `unset` lets through what has no value, too."""

    field: str
    operator: Operator
    values: tuple[str | float, ...]
    unset: bool = False

    def holds(self, value: Scalar) -> bool:
        """Say whether a value is let through."""
        if value is None:
            return self.unset
        return _COMPARED[self.operator](value, self.values)


class Question(Struct, frozen=True, kw_only=True):
    """What is asked: of one account, or of all where it is None. Times are Unix seconds."""

    account: str | None
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    granularity: Granularity | None = None
    start: float
    end: float
    filters: tuple[Filter, ...] = ()


class Line(Struct, frozen=True):
    """A row of the answer: when (Unix time, None without granularity), of what, how much.

    Its totals have what the metrics of the question need, and the sum of requests.
    """

    at: int | None
    values: tuple[Scalar, ...]
    totals: Totals


class Answer(Struct, frozen=True):
    """The lines, in no order, and what the caller should know."""

    lines: list[Line]
    warnings: tuple[str, ...] = ()


def bucket_start(at: float, granularity: Granularity) -> int:
    """Return when the minute, hour, day, week (from Sunday) or month began, in UTC."""
    spans = {"minute": 60, "hour": HOUR_S, "day": DAY_S}
    if granularity in spans:
        return int(at // spans[granularity] * spans[granularity])
    day = datetime.fromtimestamp(at, UTC).date()
    if granularity == "week":
        day -= timedelta(days=(day.weekday() + 1) % 7)
    else:
        day = day.replace(day=1)
    return int(_midnight(day))


def split_model(model: str) -> tuple[str, str]:
    """Return the id of a model without its variant, and the variant."""
    base, _, variant = model.partition(":")
    return base, variant or "standard"


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


_Key = tuple[int | None, tuple[Scalar, ...]]


class Lines:
    """Lines as they grow."""

    def __init__(self, asked: Question) -> None:
        self._asked = asked
        self._known = sums_of(asked.metrics)
        self._totals: dict[_Key, Totals] = {}

    def totals(self, at: float, values: Mapping[str, Scalar]) -> Totals | None:
        """Return what to add to, None for what is filtered out."""
        asked = self._asked
        if not all(each.holds(values[each.field]) for each in asked.filters):
            return None
        start = None if asked.granularity is None else bucket_start(at, asked.granularity)
        key = (start, tuple(values[name] for name in asked.dimensions))
        totals = self._totals.get(key)
        if totals is None:
            totals = self._totals[key] = nothing(self._known)
        return totals

    def all(self) -> list[Line]:
        """Return the lines, in no order."""
        return [Line(at, values, totals) for (at, values), totals in self._totals.items()]


def can_push(each: Filter) -> bool:
    """Say whether the database can see to a filter: one of few texts, and nothing without one."""
    fits = each.operator in {"eq", "in"} and not each.unset and len(each.values) <= MOST_PUSHED
    return fits and all(isinstance(value, str) for value in each.values)


def shown(name: str, text: str) -> Scalar:
    """Return the value of a dimension as answers have it, of what its column holds."""
    if not text:
        return None
    if name in {"model", "variant"}:
        return split_model(text)[name == "variant"]
    return text


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Scalar, tuple[Any, ...]], bool]:
    def holds(value: Scalar, wanted: tuple[Any, ...]) -> bool:
        (bound,) = wanted
        if isinstance(bound, int | float):
            try:
                return compare(float(value or 0), bound)
            except ValueError:
                return False
        return compare(str(value), bound)

    return holds


def _among(value: Scalar, wanted: tuple[Any, ...]) -> bool:
    return any(str(value) == (f"{each:g}" if isinstance(each, float) else each) for each in wanted)


_COMPARED: Mapping[Operator, Callable[[Scalar, tuple[Any, ...]], bool]] = {
    "eq": _among,
    "in": _among,
    "neq": lambda value, wanted: not _among(value, wanted),
    "not_in": lambda value, wanted: not _among(value, wanted),
    "gt": _ordered(lambda a, b: a > b),
    "gte": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "lte": _ordered(lambda a, b: a <= b),
}
