"""Credentials that are JSON objects of strings, as people write them. Pure.

What is wrong with one is told by the names of its members alone: their values are secrets. The
same is asked of one when it is used and, for accounts' own, already when it is written.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

PRINTED: Final = re.compile(r"[!-~]+")
"""What all parts of credentials are: ASCII, without spaces."""

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str | None).decode


class Unusable(Exception):
    """A credential that cannot be used. Says why, and nothing of what is in it."""


def members(text: str | bytes, needed: tuple[str, ...], other: tuple[str, ...]) -> dict[str, str]:
    """Return these members of an object: those that are needed and not empty, others if given.

    All else of it is left. Raises Unusable.
    """
    try:
        found = _members(text)
    except (ValueError, RecursionError):
        raise Unusable("it is no JSON object") from None
    values: dict[str, str] = {}
    for name in (*needed, *other):
        try:
            value = _text(found[name]) if name in found else None
        except (ValueError, RecursionError):
            raise Unusable(f"its {name} is no string") from None
        if value is not None:
            values[name] = value
    missing = [name for name in needed if not values.get(name)]
    if missing:
        raise Unusable(f"it lacks {', '.join(missing)}")
    return values


def check(values: dict[str, str], rules: dict[str, re.Pattern[str]]) -> None:
    """Raise Unusable for the first member that is given and not as its rule has it."""
    for name, rule in rules.items():
        value = values.get(name)
        if value and not rule.fullmatch(value):
            raise Unusable(f"its {name} is none")
