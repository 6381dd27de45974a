"""Server-sent events: bytes to events, and payloads to bytes.

The reader follows the WHATWG HTML standard, "Interpreting an event stream",
less `id` and `retry`, which mean nothing when a stream is never resumed, and less
`event`: who names events says the same in their data. It does no I/O and does not
care how the network cut the bytes. What the data of an event means is the business of
the dialects. On bytes, `in` is quick with a number, slow with more bytes; those, `find` finds.
"""

DONE = b"data: [DONE]\n\n"
"""The last event of a chat stream."""

PROCESSING = b": OPENROUTER PROCESSING\n\n"
"""The keep-alive that OpenRouter's clients know (OpenRouter docs, streaming)."""

EVENT_BYTES = 1024 * 1024
BOM = b"\xef\xbb\xbf"

BEFORE = b"data: "
"""What stands before the data of an event of one line, as nearly all have it."""
AFTER = b"\n\n"
_BETWEEN = AFTER + BEFORE
_AROUND = len(BEFORE) + len(AFTER)
_LF, _CR = b"\n\r"


class SseParser:
    """Reads one stream. After it has raised it must not be fed again."""

    __slots__ = ("_begun", "_buffer", "_limit", "_skip_lf")

    def __init__(self, limit_bytes: int = EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._limit = limit_bytes
        self._begun = False
        self._skip_lf = False

    @property
    def idle(self) -> bool:
        """Whether nothing has come of the next event, nor anything that it depends on."""
        return self._begun and not self._buffer and not self._skip_lf

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that are complete now, its lines joined by LF.

        Raises ValueError when an event is over the limit.
        """
        if not self._begun:
            data = self._begin(data)
        if self._skip_lf or _CR in data:
            data = self._only_lf(data)
        buffer = self._buffer
        if buffer:
            # The blank line may begin with the last byte of what came before.
            begin = len(buffer) - 1
            buffer += data
            if buffer.find(b"\n\n", begin) < 0:
                self._check(buffer)
                return []
            data = bytes(buffer)
            buffer.clear()
        if len(data) <= self._limit and (payloads := _plain(data)):
            return payloads
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            buffer += rest
        if len(data) > self._limit:
            self._check(max([*blocks, rest], key=len))
        return [event for block in blocks if (event := _interpret(block)) is not None]

    def rest(self) -> bytes:
        """Return what has come since the last blank line, its line ends as LF."""
        return bytes(self._buffer)

    def flush(self) -> bytes | None:
        """Return the data of the event that the stream ended in, and forget it; None for no event.

        For want of a blank line the standard discards it. Some providers leave out the last
        one, so the caller decides whether the event is whole.
        """
        block = self.rest()
        self._buffer.clear()
        return _interpret(block)

    def _begin(self, data: bytes) -> bytes:
        """Return the stream's first bytes less a byte order mark, nothing while that is open."""
        data = self.rest() + data
        if len(data) < len(BOM) and BOM.startswith(data):
            self._buffer[:] = data
            return b""
        self._buffer.clear()
        self._begun = True
        return data.removeprefix(BOM)

    def _only_lf(self, data: bytes) -> bytes:
        """Return `data` with CR and CRLF as LF, also where CRLF was cut in two."""
        if not data:
            return data
        if self._skip_lf:
            data = data.removeprefix(b"\n")
        self._skip_lf = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check(self, block: bytes | bytearray) -> None:
        # A line end that may yet turn out to be half of the blank line is not counted.
        if len(block) - block.endswith(b"\n") > self._limit:
            raise ValueError(f"an event is longer than {self._limit} bytes")


def data_event(payload: bytes) -> bytes:
    """Return an unnamed event with `payload`, whatever line ends it has, as its data."""
    if payload.find(b"\n") >= 0 or payload.find(b"\r") >= 0:
        lines = payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        payload = lines.replace(b"\n", b"\ndata: ")
    return b"data: " + payload + b"\n\n"


def comment(text: str) -> bytes:
    """Return a comment, which clients skip, on one line."""
    return b": " + " ".join(text.splitlines()).encode() + b"\n\n"


def _plain(data: bytes) -> list[bytes]:
    """Return what events hold that are whole and one line `data: …` each; empty if others are."""
    inner = data.removeprefix(BEFORE).removesuffix(AFTER)
    if len(inner) + _AROUND != len(data):
        return []
    payloads = inner.split(_BETWEEN)
    return [] if _LF in b"".join(payloads) else payloads


def _interpret(block: bytes) -> bytes | None:
    """Return the data of one event, None if it has none."""
    if block.startswith(BEFORE) and _LF not in block:
        return block[len(BEFORE) :]
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
    return b"\n".join(data) if data else None
