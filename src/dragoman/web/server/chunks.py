"""A body in chunks (RFC 9112, section 7.1), put together piece by piece, by the letter.

Chunk extensions and trailers are read past. Both are limited, and so is the number
of tiny chunks: all three are ways to make a server work for nothing.
"""

from enum import Enum

from dragoman.core.errors import Unreadable
from dragoman.web.server.head import FIELD, read_pair

LONGEST_LINE = 256
MOST_DIGITS = 15
MOST_TRAILERS = 8192
MOST_OVERHEAD = 16 * 1024
FREE_CHUNKS = 10_000
SMALLEST_MEAN = 16
_HEX = b"0123456789abcdefABCDEF"


class _State(Enum):
    SIZE = 0
    DATA = 1
    AFTER = 2
    TRAILERS = 3
    DONE = 4


class Chunks:
    """Undoes the chunking of one body. Once `done`, `rest` is what came behind it."""

    __slots__ = ("_chunks", "_held", "_left", "_overhead", "_size", "_state", "_trailers")

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._held = b""
        self._left = 0
        self._size = 0
        self._chunks = 0
        self._overhead = 0
        self._trailers = 0

    @property
    def done(self) -> bool:
        """Whether the body has come to its end."""
        return self._state is _State.DONE

    @property
    def rest(self) -> bytes:
        """What came behind the body; to be asked once it is done."""
        return self._held

    def feed(self, data: bytes) -> bytes:
        """Return what `data` adds to the body. Raises Unreadable."""
        buffer = self._held + data if self._held else data
        pieces: list[bytes] = []
        at = 0
        while self._state is not _State.DONE:
            if self._state is _State.DATA:
                piece = buffer[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = _State.AFTER
            else:
                end = buffer.find(b"\r\n", at)
                if end < 0:
                    self._check_begun(buffer[at:])
                    break
                self._line(buffer[at:end])
                at = end + 2
        self._held = buffer[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _line(self, line: bytes) -> None:
        if self._state is _State.SIZE:
            self._read_size(line)
        elif self._state is _State.AFTER:
            if line:
                raise Unreadable("A chunk of the body is longer than it says.")
            self._state = _State.SIZE
        elif line:
            self._trailers += len(line) + 2
            if self._trailers > MOST_TRAILERS:
                raise Unreadable(f"The trailers are longer than {MOST_TRAILERS} bytes.", 431)
            read_pair(line)
        else:
            self._state = _State.DONE

    def _read_size(self, line: bytes) -> None:
        digits, _, extension = line.partition(b";")
        if (
            not digits
            or len(digits) > MOST_DIGITS
            or len(line) > LONGEST_LINE
            or digits.translate(None, _HEX)
            or extension.translate(None, FIELD)
        ):
            raise Unreadable("The size of a chunk is not a number.")
        self._left = size = int(digits, 16)
        self._state = _State.DATA if size else _State.TRAILERS
        self._size += size
        self._chunks += 1
        self._overhead += max(len(extension) - size, 0)
        if self._overhead > MOST_OVERHEAD or (
            self._chunks > FREE_CHUNKS and self._size < self._chunks * SMALLEST_MEAN
        ):
            raise Unreadable("The body is more chunks than content.")

    def _check_begun(self, begun: bytes) -> None:
        """Raise Unreadable when what has come of a line cannot become a good one."""
        most = MOST_TRAILERS if self._state is _State.TRAILERS else LONGEST_LINE
        if b"\n" in begun or len(begun) > most:
            raise Unreadable("A line within the chunked body does not end in CR LF.")
        if self._state is _State.AFTER and begun not in {b"", b"\r"}:
            raise Unreadable("A chunk of the body is longer than it says.")
