"""A call of a tool, as it grows: told as the kind of call that the client's tool is."""

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.answers import encode
from dragoman.wire.responses.calls import IDS, WHOLE, Named, call_item, freeform
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.raw import is_string, joined, says


class Function(Struct, frozen=True, gc=False):
    """What a fragment says of the function."""

    name: str | None = None
    arguments: Raw = Raw()


class Fragment(Struct, frozen=True, gc=False):
    """A fragment of one call in the hub (OpenAI, "Streaming: tool calls")."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


read_calls = msgspec.json.Decoder(list[Fragment]).decode


class CallItem:
    """One call. `tool` is what its function stands for."""

    __slots__ = ("_arguments", "_call_id", "_index", "_item_id", "_tool", "item")

    def __init__(self, index: int, mark: str, call_id: str, tool: Named) -> None:
        self.item = b""
        """The whole item, once it is closed."""
        self._index = index
        self._item_id = IDS[tool.kind] + mark
        self._call_id = call_id
        self._tool = tool
        self._arguments: list[bytes] = []

    def open(self, events: Events) -> bytes:
        """Return the event that begins the item; none for a kind that is told only whole."""
        if self._tool.kind in WHOLE:
            return b""
        item = call_item(self._tool, self._item_id, self._call_id, b'""', "in_progress")
        return events.added(self._index, item)

    def add(self, events: Events, arguments: Raw) -> bytes:
        """Return the event for a piece of the arguments."""
        if not says(arguments):
            return b""
        piece = bytes(arguments) if is_string(arguments) else encode(bytes(arguments).decode())
        if piece == b'""':
            return b""
        self._arguments.append(piece)
        if self._tool.kind != "function":
            return b""
        return self._event(events, b"function_call_arguments.delta", b'"delta":%b' % piece)

    def close(self, events: Events, status: bytes) -> bytes:
        """Return the events that end the item."""
        arguments = joined(self._arguments)
        tool = self._tool
        self.item = call_item(tool, self._item_id, self._call_id, arguments, status.decode())
        before = b""
        if tool.kind == "function":
            rest = b'"name":%b,"arguments":%b' % (encode(tool.name), arguments)
            before = self._event(events, b"function_call_arguments.done", rest)
        elif tool.kind == "custom":
            text = encode(freeform(arguments))
            before = self._event(events, b"custom_tool_call_input.delta", b'"delta":%b' % text)
            before += self._event(events, b"custom_tool_call_input.done", b'"input":%b' % text)
        else:
            before = events.added(self._index, self.item)
        return before + events.done(self._index, self.item)

    def _event(self, events: Events, kind: bytes, rest: bytes) -> bytes:
        place = b'"output_index":%d,"item_id":%b' % (self._index, encode(self._item_id))
        return events.event(kind, b"%b,%b" % (place, rest))
