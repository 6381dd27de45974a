"""The events of one stream: `data:` lines only, each with its number (OpenRouter, live)."""


class Events:
    """Numbers the events of one stream, from 0."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = 0
        """The number of the event to come."""

    def event(self, kind: bytes, rest: bytes) -> bytes:
        """Return the event `response.<kind>`. `rest` are its other members, on one line."""
        number = self.next
        self.next = number + 1
        return b'data: {"type":"response.%b",%b,"sequence_number":%d}\n\n' % (kind, rest, number)

    def added(self, index: int, item: bytes) -> bytes:
        """Return the event that begins an item."""
        return self.event(b"output_item.added", b'"output_index":%d,"item":%b' % (index, item))

    def done(self, index: int, item: bytes) -> bytes:
        """Return the event that ends an item."""
        return self.event(b"output_item.done", b'"output_index":%d,"item":%b' % (index, item))
