"""Splits `application/vnd.amazon.eventstream`, the binary frames in which AWS streams.

A frame is its length and that of its headers, a checksum of these, headers, payload, and a
checksum of all that. What is in a frame is handed on as JSON: `{"contentBlockDelta":{…}}` for an
event, `{"exception":"throttlingException","error":{…}}` for an error.

Source: smithy.io, "Amazon Event Stream Specification".
"""

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

import msgspec

FRAME_BYTES = 8 * 1024 * 1024
"""So long may a frame be. Images come whole in one."""
HEADER_BYTES = 64 * 1024
MOST_KINDS = 32
"""So many different headers are remembered with what they say: a stream has seven."""

_PRELUDE = Struct(">III")
_CHECKSUM = Struct(">I")
_LENGTH = Struct(">H")
_LEAST = _PRELUDE.size + _CHECKSUM.size
_STRING = 7
_WITH_LENGTH = frozenset({6, _STRING})
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""How many bytes a header's value has, by its type; that of type 6 and 7 says so itself."""
_BRACE = ord("{")

_encode = msgspec.json.Encoder().encode


class FrameParser:
    """Reads one stream. After it has raised it must not be fed again."""

    __slots__ = ("_begun", "_buffer", "_known", "_limit", "_plain", "_wrong")

    def __init__(self, limit_bytes: int = FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._limit = limit_bytes
        self._known: dict[bytes, bytes] = {}
        self._begun = False
        self._plain = False
        self._wrong: ValueError | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing has come of the next frame."""
        return not self._buffer and self._wrong is None

    def feed(self, data: bytes) -> list[bytes]:
        """Return what is in the frames that are complete now, as JSON.

        Raises ValueError when a frame is over the limit, or is not what its checksums say.
        """
        if not self._begun and data:
            # JSON where frames should be: an error in a success, which `rest` then shows.
            self._begun, self._plain = True, data[0] == _BRACE
        buffer = self._buffer
        buffer += data
        if self._plain:
            if len(buffer) > self._limit:
                raise ValueError(f"an answer without frames is longer than {self._limit} bytes")
            return []
        if self._wrong is not None:
            raise self._wrong
        found: list[bytes] = []
        try:
            self._split(found)
        except ValueError as error:
            if not found:
                raise
            self._wrong = error  # what came before it is good
        return found

    def _split(self, found: list[bytes]) -> None:
        """Add what is in the frames that are complete, and forget these."""
        buffer, place = self._buffer, 0
        while len(buffer) - place >= _PRELUDE.size:
            end = place + self._length(buffer, place)
            if end > len(buffer):
                break
            found.append(self._read(bytes(buffer[place:end])))
            place = end
        del buffer[:place]

    def rest(self) -> bytes:
        """Return what has come since the last whole frame."""
        return bytes(self._buffer)

    def flush(self) -> bytes | None:
        """Forget what has come of a frame that was cut: none is ever whole before its end.

        Raises ValueError where a frame was wrong that came after others.
        """
        self._buffer.clear()
        if self._wrong is not None:
            raise self._wrong
        return None

    def _length(self, buffer: bytearray, place: int) -> int:
        """Return the length of the frame that begins at `place`."""
        total, headers, checksum = _PRELUDE.unpack_from(buffer, place)
        if crc32(buffer[place : place + 8]) != checksum:
            raise ValueError("the checksum of a frame's lengths is wrong")
        if total > self._limit:
            raise ValueError(f"a frame is longer than {self._limit} bytes")
        if headers > HEADER_BYTES or _LEAST + headers > total:
            raise ValueError("a frame is shorter than what it holds")
        return int(total)

    def _read(self, frame: bytes) -> bytes:
        body, (checksum,) = frame[: -_CHECKSUM.size], _CHECKSUM.unpack_from(frame, len(frame) - 4)
        if crc32(body) != checksum:
            raise ValueError("the checksum of a frame is wrong")
        end = _PRELUDE.size + _PRELUDE.unpack_from(frame)[1]
        headers = frame[_PRELUDE.size : end]
        before = self._known.get(headers)
        if before is None:
            before = _before(headers)
            if len(self._known) < MOST_KINDS:
                self._known[headers] = before
        return b"%b%b}" % (before, body[end:] or b"{}")


def _before(headers: bytes) -> bytes:
    """Return the JSON that stands before the payload of a frame with such headers."""
    found = dict(_headers(headers))
    kind = found.get(":message-type", "event")
    if kind == "event":
        return b"{%b:" % _encode(found.get(":event-type", ""))
    if kind == "exception":
        return b'{"exception":%b,"error":' % _encode(found.get(":exception-type", "exception"))
    code, said = found.get(":error-code", "error"), found.get(":error-message", "")
    return b'{"exception":%b,"message":%b,"error":' % (_encode(code), _encode(said))


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers that are texts. Raises ValueError for what is none."""
    place = 0
    while place < len(data):
        begin = place + 1
        end = begin + data[place]
        if end >= len(data):
            raise ValueError("a frame's header is cut")
        name, kind = data[begin:end].decode(), data[end]
        place = end + 1
        if kind in _WITH_LENGTH:
            if place + _LENGTH.size > len(data):
                raise ValueError("a frame's header is cut")
            (size,) = _LENGTH.unpack_from(data, place)
            place += _LENGTH.size
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError("a frame's header has a type that there is not")
        if place + size > len(data):
            raise ValueError("a frame's header is cut")
        if kind == _STRING:
            yield name, data[place : place + size].decode()
        place += size
