"""A generation as a worker writes it into its journal: the row to be stored, and figures of it.

The row is made where the generation is, so that the keeper, who gets those of all workers,
need not build a generation to take it apart again. Pure.

Members are told by their place, so new ones are added at the end, with a default; the same
goes for the columns of a row.
"""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.records.fit import MOST, clean, fitting
from dragoman.records.rows import COLUMNS, to_row
from dragoman.records.types import NOT_SENT, Generation

Scalar = str | int | float | bool | None

Served = tuple[str, str, str, str]
"""A model, a provider, its name and an endpoint."""


class Line(Struct, frozen=True, array_like=True, gc=False):
    """A row in the order of `COLUMNS`, and the numbers of its JSON that are added up.

    `asked` is who was asked last, where nobody answered, if anybody was. All numbers can be stored.
    """

    row: tuple[Scalar, ...]
    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    attempts: int = 0
    asked: Served | None = None


WIDTH = len(COLUMNS)

_BLANK: tuple[Any, ...] = to_row(
    Generation(
        id="",
        created_at=0.0,
        key_hash="",
        requested="",
        model=None,
        provider=None,
        provider_name=None,
        endpoint=None,
    )
)


def line(made: Generation) -> Line:
    """Return the line of a generation."""
    usage, attempts, asked, last = made.usage, made.attempts, None, None
    prompt, completion = usage.prompt, usage.completion
    reasoning, cached = usage.reasoning, usage.cached
    if not 0 <= prompt | completion | reasoning | cached <= MOST:  # whose bits are all ones
        prompt, completion = fitting(prompt), fitting(completion)
        reasoning, cached = fitting(reasoning), fitting(cached)
    if made.endpoint is None and attempts:
        last = next((one for one in reversed(attempts) if one.code != NOT_SENT), None)
    if last is not None:
        model, name = clean(last.model), clean(last.provider_name)
        asked = (model, clean(last.provider), name, clean(last.endpoint))
    return Line(to_row(made), prompt, completion, reasoning, cached, len(attempts), asked)


def complete(found: Line) -> Line:
    """Return a line with the columns that its release did not have.

    Raises msgspec.DecodeError for one of a later release.
    """
    missing = WIDTH - len(found.row)
    if missing == 0:
        return found
    if missing < 0:
        raise msgspec.DecodeError("A later release wrote it, with more columns.")
    return msgspec.structs.replace(found, row=found.row + _BLANK[-missing:])
