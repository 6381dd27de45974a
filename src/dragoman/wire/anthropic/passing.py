"""The events of a provider that speaks Messages itself, passed on with what must differ put right.

Our id, the names of model and provider, and what it cost are put in; the provider's last
events are kept back until the cost is known. Everything else passes as it came.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.answers import on_one_line
from dragoman.wire.anthropic.message import object_of, stamped
from dragoman.wire.anthropic.open_block import OpenBlock
from dragoman.wire.dialect import Told
from dragoman.wire.hub import Members

_KEPT_BACK = frozenset({"message_stop", "error"})


class _Typed(Struct, frozen=True, gc=False):
    type: str = ""


class _Event(Struct, frozen=True, gc=False):
    type: str = ""
    index: int = 0
    content_block: _Typed | None = None


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode


class Passing:
    """What of a provider's own events has to be remembered.

    `begun` says whether its message has; `usage` is what it counted, `ended` how it said that
    the message ends, empty until then.
    """

    __slots__ = ("_block", "_told", "begun", "ended", "usage")

    def __init__(self, told: Told, block: OpenBlock) -> None:
        self.begun = False
        self.usage: Members = {}
        self.ended: Members = {}
        self._told = told
        self._block = block

    def event(self, data: bytes) -> bytes:
        """Return the event as it goes out, nothing for one that is kept back."""
        try:
            found = _decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return b""
        if found.type in _KEPT_BACK or not found.type.isidentifier():
            return b""
        if self.ended and found.type != "message_delta":
            return b""
        before = b""
        match found.type:
            case "message_start":
                return self._start(data)
            case "message_delta":
                self._delta(data)
                return b""
            case "content_block_start":
                kind = "" if found.content_block is None else found.content_block.type
                before = b"" if self._block.index == found.index else self._block.end()
                self._block.set(found.index, text=kind == "text")
            case "content_block_stop":
                self._block.unset()
        return before + b"event: %b\ndata: %b\n\n" % (found.type.encode(), on_one_line(data))

    def _start(self, data: bytes) -> bytes:
        if self.begun:
            return b""
        self.begun = True
        event = object_of(data)
        message = stamped(self._told, object_of(event.get("message")))
        self.usage = object_of(message.get("usage"))
        event["message"] = Raw(_encode(message))
        return b"event: message_start\ndata: %b\n\n" % on_one_line(_encode(event))

    def _delta(self, data: bytes) -> None:
        event = object_of(data)
        self.usage = self.usage | object_of(event.get("usage"))
        self.ended = self.ended | event
