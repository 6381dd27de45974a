"""What makes a row of a catalog file sound: sizes, names, prices and dates that can be true.

Each function yields what is wrong with one row, as the path within it and a reason.
Whether rows agree with each other is told in `check`. Pure.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from dragoman.catalog.discover import LAST_SECOND, MOST_TOKENS
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.lines import Path, Step
from dragoman.catalog.own import FREE, is_model_id, read_price, read_upcoming
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.renamed import DATE
from dragoman.catalog.shipped import EndpointRow, ModelRow
from dragoman.catalog.types import Price
from dragoman.core.money import PicoUsd, per_million

Fault = tuple[Path, str]
"""Where in the row, and what is wrong there."""

LONGEST_NAME = 200
LONGEST_TEXT = 20_000

TAG = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}")

DEAREST_TOKEN = PicoUsd(10**10)
"""One cent, $10,000 for a million: sixteen times the dearest token ever sold."""
DEAREST_UNIT = PicoUsd(10 * 10**12)
"""Ten dollars, for an image or a request."""

PER_TOKEN = (
    "prompt", "completion", "cache_read", "cache_read_marked", "cache_write", "cache_write_1h",
    "reasoning", "audio", "audio_output", "image_output",
)  # fmt: skip
PER_UNIT = ("image", "request", "search")


class RenameRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a retired id leads to, since when (YYYY-MM or YYYY-MM-DD), and why."""

    to: str
    dated: str
    reason: str


def model_faults(row: ModelRow) -> Iterator[Fault]:
    """Yield what is wrong with a model, its endpoints apart."""
    if not is_model_id(row.id) or ":" in row.id or row.id.startswith("~"):
        yield ("id",), f"{row.id!r} is not a model's id, author/name without a variant"
    yield from _text("name", row.name, LONGEST_NAME)
    if "\x00" in row.description or len(row.description) > LONGEST_TEXT:
        yield ("description",), f"holds a NUL, or more than {LONGEST_TEXT:,} characters"
    for member in ("knowledge", "hugging_face_id", "family"):
        if (value := getattr(row, member)) is not None:
            yield from _text(member, value, LONGEST_NAME)
    for number, effort in enumerate(row.efforts):
        if not effort.isidentifier():
            yield ("efforts", number), f"{effort!r} is no effort"
    if not 0 <= row.created <= LAST_SECOND:
        yield ("created",), f"{row.created:.6g} is not a Unix time in seconds of a year up to 9999"
    if not row.endpoints:
        yield ("endpoints",), "is empty: nobody serves the model"


def endpoint_faults(row: EndpointRow) -> Iterator[Fault]:
    """Yield what is wrong with an endpoint, whoever its provider is."""
    yield from _text("upstream", row.upstream, LONGEST_NAME)
    if row.variant and not TAG.fullmatch(row.variant):
        yield ("variant",), f"{row.variant!r} is not lower-case letters, digits, '.', '_', '-', '/'"
    yield from _sizes(row)
    if row.region is not None:
        yield from _text("region", row.region, LONGEST_NAME)
    for member in ("inputs", "outputs"):
        if not getattr(row, member):
            yield (member,), "is empty"
    for number, name in enumerate(row.supports):
        if name not in PARAMETERS:
            yield ("supports", number), f"{name!r} is no parameter"
    if row.free and row.price is not None:
        yield ("price",), "is told of an endpoint that is free"
    yield from _prices(row)


def rename_faults(name: str, row: RenameRow) -> Iterator[Fault]:
    """Yield what is wrong with the name of a model, wherever it leads."""
    for path, id_ in (((), name), (("to",), row.to)):
        if not is_model_id(id_) or id_.endswith(FREE):
            yield path, f"{id_!r} is not a model's id, author/name"
    if not DATE.fullmatch(row.dated):
        yield ("dated",), f"{row.dated!r} is not YYYY-MM or YYYY-MM-DD"
    yield from _text("reason", row.reason, LONGEST_NAME)


def _text(member: str, text: str, longest: int) -> Iterator[Fault]:
    if not text.strip() or text != text.strip():
        yield (member,), "is empty, or begins or ends with blanks"
    elif not text.isprintable():
        yield (member,), "holds characters that cannot be printed"
    elif len(text) > longest:
        yield (member,), f"is longer than {longest} characters"


def _sizes(row: EndpointRow) -> Iterator[Fault]:
    for member in ("context", "max_output"):
        size = getattr(row, member)
        if size is not None and not 0 < size <= MOST_TOKENS:
            yield (member,), f"{size:.6g} is not a number of tokens from 1 to {MOST_TOKENS:,}"
    if row.context and row.max_output and row.max_output > row.context > 0:
        yield ("max_output",), f"{row.max_output:,} is more than the context of {row.context:,}"


def _prices(row: EndpointRow) -> Iterator[Fault]:
    try:
        price = read_price(row.price, "price")
        later = read_upcoming(row.upcoming, "upcoming")
    except CatalogError as error:
        steps = (int(step) if step.isdecimal() else step for step in error.place.split("."))
        yield tuple(steps), str(error).removeprefix(f"{error.place}: ")
        return
    if price is not None:
        yield from _absurd(price, "price")
    for number, dated in enumerate(later):
        if dated.price is not None:
            yield from _absurd(dated.price, "upcoming", number, "price")


def _absurd(price: Price, *path: Step) -> Iterator[Fault]:
    """Yield the amounts that nobody ever asked."""
    for units, most in ((PER_TOKEN, DEAREST_TOKEN), (PER_UNIT, DEAREST_UNIT)):
        for unit in units:
            amount: PicoUsd | None = getattr(price, unit)
            if amount is not None and amount > most:
                yield (*path, unit), _too_dear(unit, amount)
    for number, tier in enumerate(price.tiers):
        for unit in tier.__struct_fields__[1:]:
            amount = getattr(tier, unit)
            if amount is not None and amount > DEAREST_TOKEN:
                yield (*path, "tiers", number, unit), _too_dear(unit, amount)


def _too_dear(unit: str, amount: PicoUsd) -> str:
    if unit in PER_UNIT:
        return f"{per_million(amount) / 1_000_000:,.2f} USD apiece is absurd"
    return f"{per_million(amount):,.0f} USD per million is absurd: prices are per token"
