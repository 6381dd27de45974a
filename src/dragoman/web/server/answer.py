"""How an answer is written: status line, fields, framing (RFC 9112, sections 4 to 7)."""

from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from msgspec import Struct

Fields = Sequence[tuple[bytes, bytes]]

STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
WITHOUT_BODY: Final = frozenset({204, 304})
"""RFC 9110, section 6.4.1."""


class Framing(Struct, frozen=True):
    """How the end of a body is told: by `length`, by chunks, or, if neither, by closing."""

    chunked: bool = False
    length: int | None = None


NO_BODY: Final = Framing(length=0)
CHUNKED: Final = Framing(chunked=True)
UNTIL_CLOSED: Final = Framing()


def date_line(wall: float) -> bytes:
    """Return the `Date` field for a Unix time (RFC 9110, section 6.6.1)."""
    return b"date: %b\r\n" % formatdate(wall, usegmt=True).encode()


def lines(fields: Fields) -> bytes:
    """Return fields as lines, which the caller has to have looked at."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def head(status: int, fields: Fields, date: bytes) -> bytes:
    """Return the head of an answer. Raises ValueError when a field would break it apart."""
    block = lines(fields)
    if not block.count(b"\n") == block.count(b"\r") == len(fields):
        raise ValueError("a field of the answer has a line break in it")
    line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + date + block + b"\r\n"


def chunk(data: bytes) -> bytes:
    """Return data as one chunk (RFC 9112, section 7.1); it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(data), data)
