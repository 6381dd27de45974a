"""The analytics API: what may be asked, how a body is read, and how an answer is written.

Source: OpenRouter's OpenAPI document, `/analytics/meta` and `/analytics/query`, and its
analytics skill for what that leaves open: counts are strings, weeks begin on Sunday, a
label stands in the answer where a filter takes an id. How sums are found is decided
in `dragoman.records.analysis`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dragoman.catalog.names import nearest
from dragoman.core.errors import InvalidRequest
from dragoman.office.reading import read
from dragoman.records.metrics import DIMENSIONS, METRICS, Value
from dragoman.records.questions import Answer, Filter, Granularity, Line, Operator, Question

WEEK_S = 7 * 86_400
MOST_ROWS = 10_000
LONGEST_S = 366 * 86_400 * 10
SETS = frozenset({"in", "not_in"})
GRANULARITIES: tuple[Granularity, ...] = ("minute", "hour", "day", "week", "month")
OPERATORS: tuple[Operator, ...] = ("eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in")

Names = Mapping[str, str]
"""The name of each key that is still known, by its hash."""


class TimeRange(Struct, frozen=True, forbid_unknown_fields=True):
    """From when, inclusive, to when, exclusive: ISO 8601."""

    start: datetime
    end: datetime


class FilterBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A filter. An array is for the operators `in` and `not_in`."""

    field: str
    operator: Operator
    value: str | float | list[str | float]
    include_unset: bool = False


class OrderBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rows are ordered by: a metric, a dimension, or `date`."""

    field: str
    direction: Literal["asc", "desc"]


class QueryBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /analytics/query`."""

    metrics: Annotated[list[str], Meta(min_length=1, max_length=50)]
    dimensions: Annotated[list[str], Meta(max_length=2)] = []
    granularity: Granularity | None = None
    time_range: TimeRange | None = None
    filters: Annotated[list[FilterBody], Meta(max_length=20)] = []
    order_by: OrderBody | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 1000
    group_limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] | None = None
    classifier_dimensions: Any = None
    classifier_filters: Any = None


def read_query(body: bytes) -> QueryBody:
    """Return the body of a query. Raises InvalidRequest naming what is wrong, and what would do."""
    try:
        query = read(body, QueryBody)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    for name in query.metrics:
        _known("metrics", name, METRICS)
    for name in (*query.dimensions, *(each.field for each in query.filters)):
        _known("dimensions" if name in query.dimensions else "filters", name, DIMENSIONS)
    for each in query.filters:
        _check_filter(each)
    if query.classifier_dimensions is not None or query.classifier_filters is not None:
        raise InvalidRequest("classifier_dimensions, classifier_filters: there are no classifiers")
    if query.order_by is not None:
        _check_order(query, query.order_by)
    return query


def question(query: QueryBody, account: str | None, now: float) -> Question:
    """Return what a query asks of an account, of all if None. Raises InvalidRequest."""
    start, end = now - WEEK_S, now
    if query.time_range is not None:
        start, end = (_seconds(each) for each in (query.time_range.start, query.time_range.end))
        if start >= end:
            raise InvalidRequest("time_range: start must be before end")
        if end - start > LONGEST_S:
            raise InvalidRequest("time_range: ten years are the most that can be asked for")
    order = query.order_by
    metrics = dict.fromkeys(query.metrics)
    if order is not None and order.field in METRICS:
        metrics[order.field] = None
    return Question(
        account=account,
        metrics=tuple(metrics),
        dimensions=tuple(dict.fromkeys(query.dimensions)),
        granularity=query.granularity,
        start=start,
        end=end,
        filters=tuple(
            Filter(
                field=each.field,
                operator=each.operator,
                values=tuple(each.value) if isinstance(each.value, list) else (each.value,),
                unset=each.include_unset and each.operator in SETS,
            )
            for each in query.filters
        ),
    )


def query_body(query: QueryBody, answer: Answer, names: Names, took_ms: float) -> dict[str, Any]:
    """Return the whole body of the answer."""
    lines = in_order(query, answer.lines)
    if query.dimensions and query.group_limit is not None:
        lines = _per_group(lines, query.group_limit)
    most = query.limit
    if query.granularity and query.dimensions and query.group_limit is None:
        most = MOST_ROWS  # so that no bucket of time is cut
    rows = [_row(query, line, names) for line in lines[:most]]
    metadata = {
        "query_time_ms": round(took_ms, 3),
        "row_count": len(rows),
        "truncated": len(lines) < len(answer.lines) or len(rows) < len(lines),
    }
    data: dict[str, Any] = {"data": rows, "metadata": metadata}
    warnings = (*answer.warnings, *_unresolved(query, names))
    if warnings:
        data["warnings"] = warnings
    return {"data": data}


def in_order(query: QueryBody, lines: Sequence[Line]) -> list[Line]:
    """Return the lines as asked, else the latest first, else the most requests first."""
    order = query.order_by
    if order is None:
        order = OrderBody(field="date" if query.granularity else "request_count", direction="desc")
    steady = sorted(lines, key=lambda line: [str(value or "") for value in line.values])

    def key(line: Line) -> Any:
        if order.field == "date":
            return line.at or 0
        if order.field in query.dimensions:
            return str(line.values[query.dimensions.index(order.field)] or "")
        value = METRICS[order.field].of(line.totals)
        return float("-inf") if value is None else value

    return sorted(steady, key=key, reverse=order.direction == "desc")


def shown(name: str, value: Value) -> Value | str:
    """Return the value of a metric as the API has it: counts as text."""
    return str(value) if METRICS[name].format == "number" and value is not None else value


def meta_body() -> dict[str, Any]:
    """Return the body of `GET /analytics/meta`."""
    metrics = [
        {
            "name": name,
            "display_label": metric.label,
            "display_format": metric.format,
            "is_rate": metric.is_rate,
        }
        for name, metric in METRICS.items()
    ]
    dimensions = [{"name": n, "display_label": each.label} for n, each in DIMENSIONS.items()]
    operators = [
        {"name": name, "value_type": "array" if name in SETS else "scalar"} for name in OPERATORS
    ]
    granularities = [{"name": name, "display_label": name.title()} for name in GRANULARITIES]
    return {
        "data": {
            "metrics": metrics,
            "dimensions": dimensions,
            "operators": operators,
            "granularities": granularities,
        }
    }


def _row(query: QueryBody, line: Line, names: Names) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if line.at is not None:
        moment = datetime.fromtimestamp(line.at, UTC)
        row[f"date__{query.granularity}"] = f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
    for name, value in zip(dict.fromkeys(query.dimensions), line.values, strict=True):
        row[name] = names.get(str(value), value) if name == "api_key_id" else value
    for name in query.metrics:
        row[name] = shown(name, METRICS[name].of(line.totals))
    return row


def _per_group(lines: Sequence[Line], most: int) -> list[Line]:
    seen: dict[tuple[object, ...], int] = {}
    kept = []
    for line in lines:
        seen[line.values] = seen.get(line.values, 0) + 1
        if seen[line.values] <= most:
            kept.append(line)
    return kept


def _unresolved(query: QueryBody, names: Names) -> tuple[str, ...]:
    wanted = [
        value
        for each in query.filters
        if each.field == "api_key_id"
        for value in (each.value if isinstance(each.value, list) else [each.value])
    ]
    return tuple(f"api_key_id: there is no key {v!s:.80}" for v in wanted if str(v) not in names)


def _known(field: str, name: str, vocabulary: Mapping[str, object]) -> None:
    if name not in vocabulary:
        guess = nearest(name, tuple(vocabulary))
        hint = f"; did you mean {', '.join(guess)}?" if guess else ""
        raise InvalidRequest(f"{field}: {name[:80]!r} is not known{hint} See GET /analytics/meta")


def _check_filter(each: FilterBody) -> None:
    if isinstance(each.value, list) != (each.operator in SETS):
        wanted = "an array" if each.operator in SETS else "a single value"
        raise InvalidRequest(f"filters: {each.field}: the operator {each.operator} wants {wanted}")
    if "\0" in "".join(map(str, each.value if isinstance(each.value, list) else [each.value])):
        raise InvalidRequest(f"filters: {each.field}: the value has a NUL character")
    if isinstance(each.value, list) and not each.value:
        raise InvalidRequest(f"filters: {each.field}: the array is empty")


def _check_order(query: QueryBody, order: OrderBody) -> None:
    can = {*query.metrics, "request_count", *query.dimensions}
    if query.granularity:
        can.add("date")
    if order.field not in can:
        raise InvalidRequest(
            f"order_by: {order.field[:80]!r} is not one of {', '.join(sorted(can))}"
        )


def _seconds(moment: datetime) -> float:
    """Return Unix time; a time without a zone is UTC."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError) as error:
        raise InvalidRequest(f"time_range: {moment} is out of range") from error
