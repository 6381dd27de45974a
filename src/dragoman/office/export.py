"""Generations as files: CSV, and JSON with a line each; read in pages, however many there are.

A page is a transaction of its own, so that an export of millions holds up nobody. Cells of
CSV that a spreadsheet would take for a formula are quoted (OWASP, "CSV Injection").
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from dragoman.core.money import usd
from dragoman.office.key_info import iso
from dragoman.records.reader import Reader, Wanted
from dragoman.records.types import Generation

Form = Literal["csv", "json"]

PAGE: Final = 1000
AT_ONCE: Final = 100
"""How many rows are written in one turn of the event loop: less than a millisecond."""
COLUMNS: Final = (
    "id", "created_at", "account", "api_key_hash", "requested", "model", "provider",
    "provider_name", "endpoint", "upstream_id", "streamed", "cancelled", "status", "error_type",
    "finish_reason", "tokens_prompt", "tokens_completion", "tokens_reasoning", "tokens_cached",
    "cost_usd", "price_known", "latency_ms", "generation_ms", "attempts", "session_id", "user",
    "app", "referer", "tags", "fee_ppm", "is_byok", "byok_cost_usd",
)  # fmt: skip
FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_encode = msgspec.json.Encoder().encode


def record(made: Generation) -> tuple[Any, ...]:
    """Return a generation as a flat row, in the order of COLUMNS. Sums are USD.

    `byok_cost_usd` is what the provider bills the account itself, by the price list.
    """
    usage = made.usage
    return (
        made.id, iso(made.created_at), made.account, made.key_hash, made.requested, made.model,
        made.provider, made.provider_name, made.endpoint, made.upstream_id, made.streamed,
        made.cancelled, made.status, made.error_type, made.finish_reason, usage.prompt,
        usage.completion, usage.reasoning, usage.cached, usd(made.cost_nanos), made.price_known,
        made.latency_ms, made.generation_ms, len(made.attempts), made.session_id, made.user,
        made.title, made.referer, _encode(made.tags).decode(), made.fee_ppm, made.is_byok,
        usd(made.byok_nanos),
    )  # fmt: skip


async def pages(reader: Reader, wanted: Wanted) -> AsyncIterator[tuple[Generation, ...]]:
    """Yield the generations that match, the oldest first, a page at a time."""
    last = (wanted.since or 0.0, "")
    while page := await reader.after(wanted, last, PAGE):
        yield page
        last = (page[-1].created_at, page[-1].id)


async def exported(reader: Reader, wanted: Wanted, form: Form) -> AsyncIterator[bytes]:
    """Yield a file, piece by piece."""
    if form == "csv":
        yield _csv([COLUMNS])
    async for page in pages(reader, wanted):
        for begin in range(0, len(page), AT_ONCE):
            yield _written(page[begin : begin + AT_ONCE], form)
            await asyncio.sleep(0)


def _written(some: Sequence[Generation], form: Form) -> bytes:
    rows = [record(made) for made in some]
    if form == "csv":
        return _csv([[cell(value) for value in row] for row in rows])
    return b"".join(_encode(as_object(row)) + b"\n" for row in rows)


def as_object(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row by the names of its columns, with tags as an object."""
    found = dict(zip(COLUMNS, row, strict=True))
    return found | {"tags": msgspec.json.decode(found["tags"])}


def cell(value: Any) -> Any:
    """Return a value as a cell of CSV; a lone `-` stands for nothing, and is no formula."""
    if isinstance(value, str) and value.startswith(FORMULAS) and value != "-":
        return f"'{value}"
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
