"""The blocks of a streamed message, of which at most one is open. Indexes have no gaps.

Source: Anthropic, "Streaming Messages".
"""

AFTER_TEXT = b"}}\n\n"
"""What follows the text of a delta."""


def event(kind: bytes, members: bytes) -> bytes:
    """Return an event. `members` are those of its data after the type: empty, or `,"name":…`."""
    return b'event: %b\ndata: {"type":"%b"%b}\n\n' % (kind, kind, members)


class OpenBlock:
    """What is open, and what comes next.

    `before_text` is what stands before the text of a delta, empty while no text is open: whoever
    writes text puts it, the text as a JSON string, and `AFTER_TEXT` together.
    """

    __slots__ = ("_next", "before_text", "index")

    def __init__(self) -> None:
        self.before_text = b""
        self.index: int | None = None
        self._next = 0

    def begin(self, block: bytes, *, text: bool = False) -> bytes:
        """Return the event that begins a block, after the end of the one before."""
        end = self.end()
        index = self._next
        self.set(index, text=text)
        return end + event(
            b"content_block_start", b',"index":%d,"content_block":%b' % (index, block)
        )

    def set(self, index: int, *, text: bool) -> None:
        """Take note that a block has begun."""
        self.index = index
        self._next = max(self._next, index + 1)
        if text:
            self.before_text = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
                b'"delta":{"type":"text_delta","text":' % index
            )

    def delta(self, delta: bytes) -> bytes:
        """Return the event that adds to the open block."""
        return event(b"content_block_delta", b',"index":%d,"delta":%b' % (self.index or 0, delta))

    def end(self) -> bytes:
        """Return the event that ends the open block, nothing if none is."""
        if self.index is None:
            return b""
        index = self.index
        self.unset()
        return event(b"content_block_stop", b',"index":%d' % index)

    def unset(self) -> None:
        """Take note that the open block has ended."""
        self.index = None
        self.before_text = b""
