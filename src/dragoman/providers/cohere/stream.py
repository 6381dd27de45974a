"""Reads streams, event by event. Source: Cohere docs, "A Guide to Streaming Responses"; SDK types.

A decoder remembers no text: only whether there was any, and which call is being told.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import (
    ABSENT,
    call,
    call_id,
    given,
    more_arguments,
    string,
)
from dragoman.providers.cohere.answers import (
    Call,
    Function,
    Part,
    citation,
    ended,
    fault_of,
    read_answer,
    thought,
)
from dragoman.providers.openai.members import check_end
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Chunk, Members, Piece, StreamFault, Text
from dragoman.wire.order import at_once

MOST_OPEN = 1024
"""So many calls may be open at once."""


class _Message(Struct, gc=False):
    content: Part | list[Raw] | None = None
    tool_calls: Call | list[Raw] | None = None
    tool_plan: Raw = ABSENT
    citations: Raw = ABSENT


class _Delta(Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: Raw = ABSENT
    error: str | None = None


class _Event(Struct, gc=False):
    type: str = ""
    id: str | None = None
    index: int = 0
    delta: _Delta | None = None
    message: Raw = ABSENT
    finish_reason: str | None = None


_event = msgspec.json.Decoder(_Event).decode
_NOTHING = _Message()


class CohereDecoder:
    """Reads one stream."""

    __slots__ = ("_calls", "_ended", "_id", "_ids", "_open", "_started")

    def __init__(self) -> None:
        self._started = False
        self._id: str | None = None
        self._calls = 0
        self._open: dict[int, tuple[int, bool]] = {}
        """Index of an event -> the number of its call, and whether it has arguments yet."""
        self._ended: int | None = None
        """The index at which a call ended last."""
        self._ids: dict[int, bytes] = {}
        """The same -> the id of the call that is open there."""

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        try:
            if not data.isascii():
                data.decode()
            event = _event(data)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None
        message = (event.delta and event.delta.message) or _NOTHING
        kind = event.type
        if kind in {"content-delta", "content-start"}:
            return self._content(message)
        if kind == "message-end":
            return self._end(event.delta or _Delta())
        if not kind:
            return _without_frame(event, data)
        return self._other(event, message)

    def _content(self, message: _Message) -> Chunk | Text | None:
        part = message.content
        if not isinstance(part, Part):
            return None
        if part.text and string(part.text):
            if self._started:
                return Text(0, bytes(part.text))
            return self._chunk({"content": part.text})
        if part.thinking and string(part.thinking):
            return self._chunk(thought(part.thinking))
        return None

    def _other(self, event: _Event, message: _Message) -> Chunk | None:
        """Read an event that is neither content nor the end."""
        added: Members = {}
        match event.type:
            case "message-start":
                self._id, self._started = event.id or None, True
                return Chunk(upstream_id=self._id)
            case "tool-plan-delta":
                if message.tool_plan and string(message.tool_plan):
                    added = thought(message.tool_plan)
            case "tool-call-start":
                added = self._begin(event.index, message)
            case "tool-call-delta":
                added = self._arguments(event.index, message)
            case "tool-call-end":
                added = self._close(event.index)
            case "citation-start":
                if given(message.citations):
                    added = {"annotations": Raw(b"[%b]" % citation(message.citations))}
            case _:
                pass
        return self._chunk(added)

    def _chunk(self, added: Members) -> Chunk | None:
        if not added:
            return None
        self._started = True
        return Chunk(pieces=(Piece(index=0, delta=added),))

    def _begin(self, index: int, message: _Message) -> Members:
        if len(self._open) >= MOST_OPEN:
            raise ValueError(f"more than {MOST_OPEN} calls at once")
        told = message.tool_calls if isinstance(message.tool_calls, Call) else Call()
        if given(told.id) and self._ids.get(index) == bytes(told.id):
            return {}  # is said again
        self._ids[index] = bytes(told.id)
        function = told.function or Function()
        string(function.name)
        number = self._calls
        self._calls += 1
        given_yet = bool(function.arguments) and bool(string(function.arguments))
        self._open[index] = number, given_yet
        first = bytes(function.arguments) if given_yet else b'""'
        made = call(number, call_id(told.id, self._id, number), function.name, first)
        return {"tool_calls": Raw(b"[%b]" % made)}

    def _arguments(self, index: int, message: _Message) -> Members:
        open_ = self._open.get(index)
        if open_ is None:
            raise ValueError("arguments of a call that was not begun")
        told = message.tool_calls
        if not isinstance(told, Call) or told.function is None:
            return {}
        partial = told.function.arguments
        if not partial or not string(partial):
            return {}
        self._open[index] = open_[0], True
        return {"tool_calls": more_arguments(open_[0], bytes(partial))}

    def _close(self, index: int) -> Members:
        """End a call. One without arguments has an empty object."""
        if index not in self._open:
            if index == self._ended:
                return {}  # is said again
            raise ValueError("the end of a call that was not begun")
        self._ids.pop(index, None)
        self._ended = index
        number, told = self._open.pop(index)
        return {} if told else {"tool_calls": more_arguments(number, b'"{}"')}

    def _end(self, delta: _Delta) -> Chunk:
        self._started = True
        usage = read_usage(delta.usage) if given(delta.usage) else None
        fault = None
        if delta.error:
            fault = StreamFault(status=None, code=delta.finish_reason, message=delta.error)
        native = delta.finish_reason or None
        reason = native and ended(native, called=self._calls > 0)
        if reason:
            check_end(reason, called=self._calls > 0)
        piece = Piece(
            index=0,
            delta={},
            finish_reason=reason,
            native_finish_reason=native,
        )
        return Chunk(pieces=(piece,) if native else (), usage=usage, fault=fault, ended=True)


def _without_frame(event: _Event, data: bytes) -> Chunk | None:
    """Read what is no event: an answer that came whole, or an error in a success."""
    if not given(event.message):
        return None
    if event.finish_reason is None:
        return Chunk(fault=fault_of(data))
    return at_once(read_answer(data))
