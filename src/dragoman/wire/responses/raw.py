"""Looks into values that are still bytes, without copying them."""

import struct
from collections.abc import Iterator

from msgspec import Raw, Struct

from dragoman.wire.hub import Members

NULL = Raw(b"null")
EMPTY = Raw(b"[]")

_first = struct.Struct("c").unpack_from


def opening(value: Raw) -> bytes:
    """Return the first byte of a value, which tells its kind; nothing where there is no value."""
    first: bytes = _first(value)[0] if value else b""
    return first


def is_string(value: Raw) -> bool:
    """Whether a value is a string."""
    return opening(value) == b'"'


def is_object(value: Raw) -> bool:
    """Whether a value is an object."""
    return opening(value) == b"{"


def is_list(value: Raw) -> bool:
    """Whether a value is an array."""
    return opening(value) == b"["


def says(value: Raw) -> bool:
    """Whether a value is there and not null."""
    return bool(value) and value != NULL


def strangers(row: Members, shape: type[Struct], path: str) -> Iterator[str]:
    """Yield where an object at `path` says something that its shape does not declare."""
    for name, value in row.items():
        if name not in shape.__struct_fields__ and says(value) and value != EMPTY:
            yield f"{path}.{name}"


def on_one_line(json: bytes) -> bytes:
    """Return JSON without the line ends it may have between tokens: they would end an event."""
    if json.find(b"\n") < 0 and json.find(b"\r") < 0:
        return json
    return json.replace(b"\n", b" ").replace(b"\r", b" ")


def joined(strings: list[bytes]) -> bytes:
    """Return JSON strings as one; none are an empty one."""
    if len(strings) == 1:
        return strings[0]
    return b'"%b"' % b"".join([each[1:-1] for each in strings])
