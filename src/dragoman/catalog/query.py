"""Read the values of a query string: lists, numbers, choices. What is empty was not given.

Each function raises InvalidRequest naming the parameter, the value, and what would do.
What the parameters mean is told by `filters`.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from msgspec import Struct

from dragoman.core.errors import InvalidRequest

T = TypeVar("T", bound=str)

LONGEST_SHOWN = 80
ABSENT = frozenset({"", "null"})
"""OpenRouter's schemas allow null where a query can only hold text."""


class Range(Struct, frozen=True):
    """From `least` to `most`, both included. None: no bound on that side."""

    least: Decimal | None = None
    most: Decimal | None = None

    def holds(self, value: Decimal | float | None) -> bool:
        """Say whether a value lies within. An unknown one lies only where nothing was asked."""
        if self.least is None and self.most is None:
            return True
        if value is None:
            return False
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )


def given(query: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that have a value. NUL is in none: not every database takes it."""
    for name, value in query.items():
        if "\0" in value:
            raise InvalidRequest(f"{name}: {_shown(value)} has a NUL character")
    return {name: value.strip() for name, value in query.items() if value.strip() not in ABSENT}


def split(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated list."""
    return tuple(part.strip() for part in query.get(name, "").split(",") if part.strip())


def known(name: str, values: Collection[str], vocabulary: Collection[str]) -> frozenset[str]:
    """Return `values` in lower case, all of which are in `vocabulary`."""
    lowered = {value.lower(): value for value in values}
    for value in sorted(lowered.keys() - set(vocabulary)):
        raise unknown(name, lowered[value], vocabulary)
    return frozenset(lowered)


def choice(query: Mapping[str, str], name: str, vocabulary: Collection[T]) -> T | None:
    """Return the one value of `vocabulary` that was given, in any case; None: none was."""
    value = query.get(name)
    if value is None:
        return None
    for each in vocabulary:
        if each == value.lower():
            return each
    raise unknown(name, value, vocabulary)


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """Return a yes or no, None when it was not given."""
    value = choice(query, name, ("true", "false"))
    return None if value is None else value == "true"


def amount(query: Mapping[str, str], name: str) -> Decimal | None:
    """Return a number of 0 or more, None when it was not given."""
    value = query.get(name)
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise InvalidRequest(f"{name}: {_shown(value)} is not a number of 0 or more")
    return number


def count(query: Mapping[str, str], name: str, *, least: int, most: int) -> int | None:
    """Return a whole number from `least` to `most`, None when it was not given."""
    value = query.get(name)
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most:
        return int(value)
    raise InvalidRequest(f"{name}: {_shown(value)} is not a whole number from {least} to {most}")


def unknown(name: str, value: str, vocabulary: Collection[str]) -> InvalidRequest:
    """Return the error for a value that is not in `vocabulary`."""
    return InvalidRequest(f"{name}: {_shown(value)} is not one of {', '.join(vocabulary)}")


def _shown(value: str) -> str:
    return repr(value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…")
