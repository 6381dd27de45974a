"""Reads streams, event by event. Source: docs, "Streaming Messages"; SDK, `RawMessageStreamEvent`.

Clients of the dialect are given every event as it came, but for texts, which nearly all are. A
decoder remembers no text: only how much there was, which blocks are open, and the usage so far,
which is told in parts.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.answers import read_answer, tier
from dragoman.providers.anthropic.blocks import (
    ABSENT,
    annotation,
    call,
    call_id,
    given,
    joined,
    more_arguments,
    quoted,
    redacted,
    refusal,
    string,
    thought,
)
from dragoman.providers.anthropic.content import EMPTY, NULL
from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.openai.members import check_end, finish
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Chunk, Members, Piece, Text
from dragoman.wire.order import at_once
from dragoman.wire.usage import Usage

MOST_OPEN = 1024
"""So many blocks may be open at once: a provider has one."""

MOST_CITED = 64
"""So many citations are kept until their text is there."""

_NO_INPUT = (ABSENT, NULL, Raw(b"{}"))


class _Delta(Struct, gc=False):
    type: str = ""
    text: Raw = ABSENT
    partial_json: Raw = ABSENT
    thinking: Raw = ABSENT
    signature: Raw = ABSENT
    citation: Raw = ABSENT
    stop_reason: str | None = None
    stop_details: Raw = ABSENT


class _Block(Struct, gc=False):
    type: str = ""
    id: Raw = ABSENT
    name: Raw = ABSENT
    input: Raw = ABSENT
    text: Raw = ABSENT
    thinking: Raw = ABSENT
    signature: Raw = ABSENT
    data: Raw = ABSENT


class _Begun(Struct, gc=False):
    id: str | None = None
    usage: Raw = ABSENT


class _Event(Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Begun | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


class _Open(Struct):
    """A call of a tool that is being told: its number, its id, its input at the beginning."""

    number: int
    id: bytes
    input: Raw
    told: bool = False

    def rest(self) -> Raw:
        """Return the fragment for the input that a call had at its beginning."""
        whole = b'"{}"' if self.input in _NO_INPUT else quoted(self.input)
        return more_arguments(self.number, whole)


_event = msgspec.json.Decoder(_Event).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode
_NOTHING = _Delta()


class AnthropicDecoder:
    """Reads one stream."""

    __slots__ = (
        "_block_begin", "_calls", "_cited", "_id", "_open", "_others", "_said", "_started",
        "_strange", "_usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._started = False
        self._id: str | None = None
        self._usage: Members = {}
        self._open: dict[int, _Open] = {}
        self._others: set[int] = set()
        """Open blocks that the hub has no words for: tools of the provider's own, too."""
        self._strange = False
        """Whether there was any: it may be what the end speaks of."""
        self._calls = 0
        self._said = 0
        self._block_begin = 0
        self._cited: list[Raw] = []

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        try:
            if not data.isascii():
                data.decode()
            event = _event(data)
            if event.type == "content_block_delta":
                return self._delta(event, data)
            return self._other(event, data)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None

    def _other(self, event: _Event, data: bytes) -> Chunk | None:
        """Read an event that is no part of a block."""
        made: Chunk | None = None
        match event.type:
            case "message_start":
                made = self._message_start(event, data)
            case "content_block_start":
                made = self._block_start(event, data)
            case "content_block_stop":
                made = self._block_stop(event, data)
            case "message_delta":
                made = self._message_delta(event, data)
            case "message_stop":
                made = Chunk(native=data, ended=True)
            case "message":
                made = at_once(read_answer(data))
            case _ if given(event.error):
                made = Chunk(fault=stream_fault(data))
        return made

    def _delta(self, event: _Event, data: bytes) -> Chunk | Text | None:
        delta = event.delta or _NOTHING
        if delta.type == "text_delta":
            return self._text(delta.text, data)
        added: Members = {}
        if delta.type == "input_json_delta":
            added = self._arguments(event.index, delta.partial_json)
        elif delta.type == "thinking_delta":
            added = _thinking(event.index, delta.thinking, ABSENT)
        elif delta.type == "signature_delta":
            added = _thinking(event.index, ABSENT, delta.signature)
        elif delta.type == "citations_delta" and given(delta.citation):
            self._cited.append(delta.citation)
            added = self._citations() if len(self._cited) == MOST_CITED else {}
        return self._chunk(added, data)

    def _text(self, text: Raw, data: bytes) -> Chunk | Text | None:
        length = len(string(text))
        if not length:
            return None
        self._said += length
        if self._started:
            return Text(0, bytes(text))
        return self._chunk({"content": text}, data)

    def _citations(self) -> Members:
        """Return what the text of the block that ends is from; citations may come before it."""
        if not self._cited:
            return {}
        made = [annotation(each, self._block_begin, self._said) for each in self._cited]
        self._cited.clear()
        return {"annotations": Raw(b"[%b]" % b",".join(made))}

    def _chunk(self, added: Members, data: bytes) -> Chunk:
        self._started = True
        pieces = (Piece(index=0, delta=added),) if added else ()
        return Chunk(pieces=pieces, native=data)

    def _arguments(self, index: int, partial: Raw) -> Members:
        """Return a fragment of a call's input; of a tool of the provider's own, nothing.

        Raises ValueError where no block was begun: the call would be lost.
        """
        open_ = self._open.get(index)
        if open_ is None and index not in self._others:
            raise ValueError("input of a call that was not begun")
        if open_ is None or not string(partial):
            return {}
        open_.told = True
        return {"tool_calls": more_arguments(open_.number, bytes(partial))}

    def _message_start(self, event: _Event, data: bytes) -> Chunk:
        self._started = True
        begun = event.message or _Begun()
        self._id = begun.id or None
        usage = None
        if given(begun.usage):
            self._usage = _counts(begun.usage)
            self._usage.pop("output_tokens", None)  # of what has not been said yet
            usage = _so_far(read_usage(begun.usage))
        served = tier(begun.usage) if usage else None
        return Chunk(usage=usage, upstream_id=self._id, service_tier=served, native=data)

    def _block_start(self, event: _Event, data: bytes) -> Chunk:
        block = event.content_block or _Block()
        added: Members = {}
        if block.type == "tool_use":
            added = self._begin_call(event.index, block)
        elif block.type == "text":
            self._block_begin = self._said
            if given(block.text):
                self._said += len(string(block.text))
                added = {"content": block.text}
        elif block.type == "thinking":
            added = _thinking(event.index, block.thinking, block.signature)
        elif block.type == "redacted_thinking" and given(block.data):
            added = {"reasoning_details": redacted(event.index, block.data)}
        elif len(self._others) < MOST_OPEN:
            self._others.add(event.index)
            self._strange = True
        return self._chunk(added, data)

    def _begin_call(self, index: int, block: _Block) -> Members:
        """Begin a call, unless that is said again; one that never ended is ended by it."""
        before = self._open.pop(index, None)
        if before is not None and given(block.id) and before.id == bytes(block.id):
            self._open[index] = before
            return {}
        if len(self._open) >= MOST_OPEN:
            raise ValueError(f"more than {MOST_OPEN} blocks at once")
        string(block.name)
        number = self._calls
        self._calls += 1
        self._open[index] = _Open(number, bytes(block.id), block.input)
        made = call(number, call_id(block.id, self._id, number), block.name, bytes(EMPTY))
        rests = [before.rest()] if before is not None and not before.told else []
        return {"tool_calls": joined([*rests, Raw(b"[%b]" % made)])}

    def _block_stop(self, event: _Event, data: bytes) -> Chunk:
        """End a block. A call whose input did not come in parts had it at its beginning."""
        open_ = self._open.pop(event.index, None)
        self._others.discard(event.index)
        added = self._citations()
        if open_ is not None and not open_.told:
            added["tool_calls"] = open_.rest()
        return self._chunk(added, data)

    def _end_calls(self) -> Members:
        """End the calls that are open at the end of the answer, as far as they have no input."""
        rests = [open_.rest() for open_ in self._open.values() if not open_.told]
        self._open.clear()
        return {"tool_calls": joined(rests)} if rests else {}

    def _message_delta(self, event: _Event, data: bytes) -> Chunk:
        self._started = True
        delta = event.delta or _NOTHING
        usage = None
        if given(event.usage):
            told = _counts(event.usage)
            self._usage.update({name: value for name, value in told.items() if value != NULL})
            usage = read_usage(_encode(self._usage))
        native = delta.stop_reason
        added = refusal(delta.stop_details)
        if native is not None and self._open:
            added |= self._end_calls()
        if native is None and not added:
            return Chunk(usage=usage, native=data)
        reason = native and finish(native, called=self._calls > 0)
        if reason:
            check_end(reason, called=self._calls > 0 or self._strange)
        piece = Piece(
            index=0,
            delta=added,
            finish_reason=reason,
            native_finish_reason=native,
        )
        return Chunk(pieces=(piece,), usage=usage, native=data)


def _thinking(index: int, text: Raw, signature: Raw) -> Members:
    """Return a fragment of a thought, with its text beside it; nothing if it says nothing."""
    if given(text):
        string(text)
        return {"reasoning": text, "reasoning_details": thought(index, text, signature)}
    if given(signature):
        string(signature)
        return {"reasoning_details": thought(index, ABSENT, signature)}
    return {}


def _counts(usage: Raw) -> Members:
    """Return the members of an object of usage, none of what is no object."""
    try:
        return _members(usage)
    except msgspec.ValidationError:
        return {}


def _so_far(usage: Usage | None) -> Usage | None:
    """Return the usage that a stream begins with: what goes in is counted, nothing else yet."""
    if usage is None:
        return None
    return msgspec.structs.replace(usage, completion=0, reasoning=0, source="estimated")
