"""What providers say they counted and charged: their usage and cost exports, as rows.

A row is a sum for a model and a UTC day. Sources of the shapes: OpenAI's administration API
(`GET /organization/usage/completions` and `/organization/costs`, buckets of a page),
Anthropic's (`/v1/organizations/usage_report/messages` and `/cost_report`, whose amounts are
decimal cents), and any table as CSV, whose columns are named by the caller. A JSON file may
hold one page, an array of pages, or a page per line. A bucket without results is a day on
which the provider counted nothing, and a row without figures. What was compared with which
documents stands in docs/reconcile.md. Pure.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from dragoman.core.errors import InvalidRequest

Shape = Literal["openai", "anthropic", "csv"]
Tree = Mapping[str, Any]

FIELDS: Final = ("day", "model", "prompt", "completion", "cached", "requests", "usd")
"""What a column of a CSV file can be mapped to; `day` and `model` must be."""

CONSOLE_PROMPT: Final = "+".join(
    f"usage_input_tokens_{part}"
    for part in ("no_cache", "cache_write_5m", "cache_write_1h", "cache_read")
)
"""What makes up the prompt in a table of Anthropic's console."""

ALIASES: Final = {
    "day": ("day", "date", "usage_date", "usage_date_utc", "start_time_iso", "start_time"),
    "model": ("model", "model_version", "model_name", "snapshot_id", "line_item"),
    "prompt": (
        "prompt", "prompt_tokens", "input_tokens", "tokens_prompt",
        CONSOLE_PROMPT,
    ),
    "completion": (
        "completion", "completion_tokens", "output_tokens", "usage_output_tokens",
        "tokens_completion",
    ),
    "cached": ("cached", "cached_tokens", "input_cached_tokens", "usage_input_tokens_cache_read"),
    "requests": ("requests", "num_model_requests", "num_requests"),
    "usd": ("usd", "cost", "cost_usd", "amount", "amount_value", "total_cost"),
}  # fmt: skip
"""The names that columns are known by without a map, best first. With a `+` they are added up."""

CONSOLE_NAME: Final = re.compile(r"Claude [\w. ]+")
"""How Anthropic's console names models in its table of costs: `Claude Haiku 4.5`."""

FIRST_MS: Final = 400_000_000_000
"""Unix times from here on are milliseconds: no bucket begins in the year 14645."""

DAY: Final = re.compile(r"20\d{6}")
"""A day without hyphens. As a Unix time it would be one of the year 1970."""

THOUSANDS: Final = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
"""How commas are read within a number; elsewhere one may be a decimal point, as in `0,05`."""

MOST_DIGITS: Final = 18
"""How many digits a figure may have before its point. No bill has as many."""

BEYOND: Final = None
"""The name under which a table's reader has the cells that are beyond the columns."""


class Row(Struct, frozen=True, kw_only=True):
    """What a provider says of a model on a day. None: it does not say.

    `prompt` includes what was read from or written to a cache. `model` is None for a sum
    over models. Without any figure the row says that the day is covered, and empty.
    """

    day: date
    model: str | None
    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    requests: int | None = None
    usd: Decimal | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it has no figure that can be compared."""
        return (self.prompt, self.completion, self.requests, self.usd) == (None,) * 4


def read(text: bytes, shape: Shape, names: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the rows of an export. `names` maps fields to columns of a CSV file.

    OpenAI's dashboards export CSV, too, which is known by its first character. Raises
    InvalidRequest with the line or the place of what cannot be read.
    """
    if shape == "csv" or text.lstrip()[:1] not in (b"{", b"["):
        return tuple(_of_table(text, names))
    reader = _of_openai if shape == "openai" else _of_anthropic
    rows = [row for page in _pages(text) for row in _of_page(page, reader)]
    if not rows:
        raise InvalidRequest(f"The file holds no results of {shape}'s usage or cost reports.")
    return tuple(rows)


def goes_on(text: bytes) -> bool:
    """Say whether a page of an export says that more follows, and that is not in the file."""
    if text.lstrip()[:1] not in (b"{", b"["):
        return False
    pages = tuple(_pages(text))
    for page, following in zip(pages, (*pages[1:], {}), strict=True):
        last, first = _begins(page)[-1:], _begins(following)[:1]
        # An earlier beginning is that of another report.
        if page.get("has_more") is True and not (first and last < first):
            return True
    return False


def _begins(page: Tree) -> list[str]:
    """Return when the buckets of a page begin, as texts in their order."""
    buckets = page.get("data")
    return [
        str(bucket.get("start_time", bucket.get("starting_at")))
        for bucket in (buckets if isinstance(buckets, list) else ())
        if isinstance(bucket, dict)
    ]


def _pages(text: bytes) -> Iterator[Tree]:
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError:
        whole = _lines(text)
    except RecursionError:
        raise InvalidRequest("The file is nested too deeply.") from None
    for page in whole if isinstance(whole, list) else [whole]:
        if not isinstance(page, dict):
            raise InvalidRequest("The file holds something that is no page of a report.")
        yield page


def _lines(text: bytes) -> list[object]:
    pages = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                pages.append(msgspec.json.decode(line))
            except (msgspec.DecodeError, RecursionError) as error:
                raise InvalidRequest(f"Line {number} is no JSON: {error}") from None
    return pages


def _of_page(page: Tree, reader: Callable[[date, Tree], Row]) -> Iterator[Row]:
    buckets = page.get("data", [page])
    for bucket in buckets if isinstance(buckets, list) else ():
        if not isinstance(bucket, dict):
            continue
        begun = bucket.get("start_time", bucket.get("starting_at"))
        results = bucket.get("results", bucket.get("result"))
        if not isinstance(results, list):
            continue
        day = day_of(begun)
        rows = [reader(day, result) for result in results if isinstance(result, dict)]
        yield from rows or [Row(day=day, model=None)]


def _of_openai(day: date, result: Tree) -> Row:
    """`input_tokens` and `output_tokens` are totals: audio and images are within them."""
    amount = result.get("amount")
    if isinstance(amount, dict):
        currency = str(amount.get("currency", "usd")).lower()
        if currency != "usd":
            raise InvalidRequest(f"Costs are in {currency}, and only USD can be compared.")
        item = result.get("line_item")
        model = str(item).partition(",")[0].strip() if item else None
        return Row(day=day, model=model, usd=_usd(amount.get("value")))
    return Row(
        day=day,
        model=_name(result.get("model")),
        prompt=_sum(result, "input_tokens"),
        completion=_sum(result, "output_tokens"),
        cached=_sum(result, "input_cached_tokens"),
        requests=_sum(result, "num_model_requests"),
    )


def _of_anthropic(day: date, result: Tree) -> Row:
    if "amount" in result:
        currency = str(result.get("currency", "USD")).upper()
        if currency != "USD":
            raise InvalidRequest(f"Costs are in {currency}, and only USD can be compared.")
        return Row(
            day=day, model=_name(result.get("model")), usd=_usd(result["amount"]) / Decimal(100)
        )
    written = result.get("cache_creation")
    written = written if isinstance(written, dict) else {}
    cached = _sum(result, "cache_read_input_tokens")
    fresh = _sum(result, "uncached_input_tokens")
    kept = _sum(written, "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
    return Row(
        day=day,
        model=_name(result.get("model")),
        prompt=(fresh or 0) + (cached or 0) + (kept or 0),
        completion=_sum(result, "output_tokens"),
        cached=cached,
    )


def _of_table(text: bytes, names: Mapping[str, str]) -> Iterator[Row]:
    try:
        lines = io.StringIO(text.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The file is not UTF-8: {error}") from None
    table = csv.DictReader(lines)
    try:
        yield from _of_rows(table, _columns(table.fieldnames or (), names))
    except csv.Error as error:
        raise InvalidRequest(f"The line after {table.line_num} is no CSV: {error}") from None


def _of_rows(table: "csv.DictReader[str]", columns: Mapping[str, list[str]]) -> Iterator[Row]:
    for row in table:
        if any(row.get(BEYOND) or ()):
            raise InvalidRequest(f"Line {table.line_num} has more cells than there are columns.")
        cells = {
            field: [cell for name in parts if (cell := (row.get(name) or "").strip())]
            for field, parts in columns.items()
        }
        if not any(cells.values()):
            continue
        try:
            yield _of_cells(cells)
        except InvalidRequest as error:
            raise InvalidRequest(f"Line {table.line_num}: {error.message}") from None


def _columns(heads: Sequence[str], names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return field -> columns. Raises InvalidRequest for a field or a column that is not there."""
    known = {head.strip().lower(): head for head in heads}
    columns: dict[str, list[str]] = {}
    for field, wanted in names.items():
        if field not in FIELDS:
            raise InvalidRequest(f"{field} is no field: {', '.join(FIELDS)}")
        parts = [part.strip().lower() for part in wanted.split("+")]
        if not known.keys() >= set(parts):
            raise InvalidRequest(f"The file has no column {wanted}: {', '.join(known.values())}")
        columns[field] = [known[part] for part in parts]
    for field, usual in ALIASES.items():
        found = next((name for name in usual if known.keys() >= set(name.split("+"))), None)
        if field not in columns and found is not None:
            columns[field] = [known[part] for part in found.split("+")]
    missing = [field for field in ("day", "model") if field not in columns]
    if missing or not columns.keys() - {"day", "model"}:
        missing = missing or ["prompt, completion or usd"]
        raise InvalidRequest(
            f"No column is known to hold {' or '.join(missing)}. Name it: --map day=COLUMN. "
            f"The columns are {', '.join(known.values()) or 'none'}."
        )
    _check_single(heads, columns)
    return columns


def _check_single(heads: Iterable[str], columns: Mapping[str, list[str]]) -> None:
    """Raise InvalidRequest for a column that is read and is there twice."""
    there = Counter(head.strip().lower() for head in heads)
    for field, names in columns.items():
        for name in names:
            if there[name.strip().lower()] > 1:
                raise InvalidRequest(f"The file has two columns {name}. Which one is {field}?")


def _of_cells(cells: Mapping[str, list[str]]) -> Row:
    counts = {
        field: sum(_count(cell, field) for cell in cells[field])
        for field in ("prompt", "completion", "cached", "requests")
        if cells.get(field)
    }
    model = "".join(cells["model"]).partition(",")[0].strip()  # a line item says for what, too
    if CONSOLE_NAME.fullmatch(model):
        model = model.lower().replace(" ", "-").replace(".", "-")
    return Row(
        day=day_of("".join(cells["day"])),
        model=model or None,
        usd=sum(map(_usd, cells["usd"]), Decimal(0)) if cells.get("usd") else None,
        **counts,
    )


def day_of(value: object) -> date:
    """Return the UTC day of a Unix time or of an ISO 8601 text. Raises InvalidRequest."""
    try:
        if isinstance(value, str) and (DAY.fullmatch(value.strip()) or not value.strip().isdigit()):
            moment = datetime.fromisoformat(value.strip())
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return zoned.astimezone(UTC).date()
        seconds = int(str(value))
        seconds = seconds // 1000 if seconds >= FIRST_MS else seconds
        return datetime.fromtimestamp(seconds, UTC).date()
    except (ValueError, OverflowError, OSError):
        raise InvalidRequest(f"{str(value)[:40]!r} is no time") from None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _sum(tree: Tree, *names: str) -> int | None:
    found = [_count(tree[name], name) for name in names if tree.get(name) is not None]
    return sum(found) if found else None


def _count(value: object, name: str) -> int:
    number = _decimal(value, name)
    if number != number.to_integral_value():
        raise InvalidRequest(f"{name}: {value!r} is no whole number")
    return int(number)


def _usd(value: object) -> Decimal:
    text = value.replace("$", "") if isinstance(value, str) else value
    return _decimal(text, "cost")


def _decimal(value: object, name: str) -> Decimal:
    text = str(value).strip()
    try:
        number = Decimal(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
    except InvalidOperation:
        raise InvalidRequest(f"{name}: {str(value)[:40]!r} is no number") from None
    if isinstance(value, bool) or not number.is_finite() or number.adjusted() >= MOST_DIGITS:
        raise InvalidRequest(f"{name}: {str(value)[:40]!r} is no number")
    return number
