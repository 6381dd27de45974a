"""A generation as a row and back. Pure.

Whatever a generation holds can be stored: text that no database takes (NUL, lone
surrogates) is mended, and an absurd number is cut to one that can be added up.
One odd answer must not cost the records of its neighbours in the batch.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Text

from dragoman.records.tables import generation
from dragoman.records.types import Generation

NESTED = ("usage", "attempts", "notes", "tags")
TEXTS = tuple(str(each.name) for each in generation.columns if isinstance(each.type, Text))
NUMBERS = tuple(str(each.name) for each in generation.columns if isinstance(each.type, BigInteger))
MOST = 2**53 - 1
"""The largest integer that every reader of JSON holds, with room for a thousand in 64 bits."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_row(made: Generation) -> dict[str, Any]:
    """Return the values of the columns, by name."""
    row = msgspec.structs.asdict(made)
    for name in NESTED:
        row[name] = _json(row[name])
    for name in NUMBERS:
        if row[name] is not None:
            row[name] = fitting(row[name])
    if _is_odd("".join([row[name] or "" for name in TEXTS])):
        row |= {name: _mended(row[name]) for name in TEXTS if row[name] is not None}
    return row


def from_row(row: Mapping[str, Any]) -> Generation:
    """Return the generation that `to_row` was given."""
    values = {name: row[name] for name in Generation.__struct_fields__}
    values |= {name: _decode(values[name]) for name in NESTED}
    return msgspec.convert(values, Generation)


def fitting(number: int) -> int:
    """Return `number`, or the nearest that may be stored."""
    return max(-MOST, min(number, MOST))


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode(_deeply_mended(msgspec.to_builtins(value))).decode()


def _deeply_mended(value: Any) -> Any:
    match value:
        case str():
            return _mended(value)
        case list() | tuple():
            return [_deeply_mended(item) for item in value]
        case dict():
            return {_mended(name): _deeply_mended(item) for name, item in value.items()}
    return value


def _is_odd(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text


def _mended(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")
