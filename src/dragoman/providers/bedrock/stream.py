"""Reads streams, event by event. Source: Bedrock Runtime API reference, `ConverseStream`.

What comes last is `metadata`, with the usage, after `messageStop`: both make the end. A decoder
remembers no text: only how much there was, and which calls are open.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import (
    ABSENT,
    call,
    call_id,
    given,
    joined,
    more_arguments,
    redacted,
    string,
)
from dragoman.providers.anthropic.content import EMPTY
from dragoman.providers.bedrock.answers import BY_PROVIDER, read_answer
from dragoman.providers.bedrock.faults import in_body, in_stream
from dragoman.providers.bedrock.pieces import (
    Image,
    Source,
    Tier,
    annotation,
    ended,
    image,
    thought,
)
from dragoman.providers.openai.members import check_end
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Chunk, Members, Piece, StreamFault, Text
from dragoman.wire.order import at_once

MOST_OPEN = 1024
"""So many blocks may be open at once: a model has one."""
MOST_CITED = 64
"""So many citations are kept until their text is there."""


class _ToolUse(Struct, gc=False, rename="camel"):
    tool_use_id: Raw = ABSENT
    name: Raw = ABSENT
    input: Raw = ABSENT
    type: str | None = None


class _Reasoning(Struct, gc=False, rename="camel"):
    text: Raw = ABSENT
    signature: Raw = ABSENT
    redacted_content: Raw = ABSENT


class _Sent(Struct, gc=False):
    source: Source | None = None


class _Delta(Struct, gc=False, rename="camel"):
    text: Raw = ABSENT
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citation: Raw = ABSENT
    image: _Sent | None = None


class _Start(Struct, gc=False, rename="camel"):
    tool_use: _ToolUse | None = None
    image: Image | None = None


class _Block(Struct, gc=False, rename="camel"):
    content_block_index: int = 0
    delta: _Delta | None = None
    start: _Start | None = None


class _Stop(Struct, gc=False, rename="camel"):
    stop_reason: str | None = None


class _Metadata(Struct, gc=False, rename="camel"):
    usage: Raw = ABSENT
    service_tier: Tier | None = None


class _Event(Struct, gc=False, rename="camel"):
    content_block_delta: _Block | None = None
    content_block_start: _Block | None = None
    content_block_stop: _Block | None = None
    message_stop: _Stop | None = None
    metadata: _Metadata | None = None
    exception: str | None = None
    error: Raw = ABSENT
    message: str | None = None
    output: Raw = ABSENT


class _Open(Struct):
    """A call of a tool that is being told: its number, and whether it has any input yet."""

    number: int
    id: bytes
    told: bool = False


_event = msgspec.json.Decoder(_Event).decode


class BedrockDecoder:
    """Reads one stream."""

    __slots__ = (
        "_block_begin", "_calls", "_cited", "_formats", "_known", "_open", "_others", "_said",
        "_started", "_stopped", "_strange",
    )  # fmt: skip

    def __init__(self) -> None:
        self._started = False
        self._stopped = False
        self._known = False
        """Whether the metadata have come."""
        self._open: dict[int, _Open] = {}
        self._others: set[int] = set()
        """Open blocks in which the provider runs tools of its own."""
        self._strange = False
        """Whether there was any: it may be what the end speaks of."""
        self._formats: dict[int, str] = {}
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
            if event.content_block_delta is not None:
                return self._delta(event.content_block_delta)
            return self._other(event, data)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None

    def _other(self, event: _Event, data: bytes) -> Chunk | None:
        """Read an event that is no part of a block."""
        made: Chunk | None = None
        if event.content_block_start is not None:
            made = self._begin(event.content_block_start)
        elif event.content_block_stop is not None:
            made = self._end(event.content_block_stop)
        elif event.message_stop is not None:
            made = self._stop(event.message_stop)
        elif event.metadata is not None:
            made = self._metadata(event.metadata)
        elif event.exception is not None or event.message is not None:
            made = Chunk(fault=_fault(event, data))
        elif given(event.output):
            made = at_once(read_answer(data))
        return made

    def _delta(self, block: _Block) -> Chunk | Text | None:
        delta = block.delta
        if delta is None:
            return None
        if delta.text:
            return self._text(delta.text)
        index = block.content_block_index
        added: Members = {}
        if delta.tool_use is not None:
            added = self._arguments(index, delta.tool_use.input)
        elif delta.reasoning_content is not None:
            added = _thinking(index, delta.reasoning_content)
        elif delta.image is not None:
            made = image(self._formats.get(index, "png"), delta.image.source)
            added = {"images": Raw(b"[%b]" % made)} if made else {}
        elif given(delta.citation):
            self._cited.append(delta.citation)
            added = self._citations() if len(self._cited) == MOST_CITED else {}
        return self._chunk(added)

    def _text(self, text: Raw) -> Chunk | Text | None:
        length = len(string(text))
        if not length:
            return None
        self._said += length
        if self._started:
            return Text(0, bytes(text))
        return self._chunk({"content": text})

    def _chunk(self, added: Members) -> Chunk | None:
        if not added:
            return None
        self._started = True
        return Chunk(pieces=(Piece(index=0, delta=added),))

    def _citations(self) -> Members:
        """Return what the text of the block that ends is from; citations may come before it."""
        if not self._cited:
            return {}
        made = [annotation(each, self._block_begin, self._said) for each in self._cited]
        self._cited.clear()
        return {"annotations": Raw(b"[%b]" % b",".join(made))}

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

    def _begin(self, block: _Block) -> Chunk | None:
        start = block.start
        if start is None:
            return None
        if start.image is not None and len(self._formats) < MOST_OPEN:
            self._formats[block.content_block_index] = start.image.format
        tool = start.tool_use
        if tool is None:
            return None
        if tool.type == BY_PROVIDER:
            self._strange = True
            if len(self._others) < MOST_OPEN:
                self._others.add(block.content_block_index)
            return None
        return self._chunk(self._begin_call(block.content_block_index, tool))

    def _begin_call(self, index: int, tool: _ToolUse) -> Members:
        """Begin a call, unless that is said again; one that never ended is ended by it."""
        before = self._open.pop(index, None)
        id_ = tool.tool_use_id
        if before is not None and given(id_) and before.id == bytes(id_):
            self._open[index] = before
            return {}
        if len(self._open) >= MOST_OPEN:
            raise ValueError(f"more than {MOST_OPEN} blocks at once")
        string(tool.name)
        number = self._calls
        self._calls += 1
        self._open[index] = _Open(number, bytes(id_))
        made = call(number, call_id(id_, None, number), tool.name, bytes(EMPTY))
        rests = [_nothing(before)] if before is not None and not before.told else []
        return {"tool_calls": joined([*rests, Raw(b"[%b]" % made)])}

    def _end(self, block: _Block) -> Chunk | None:
        """End a block. A call without input has an empty object."""
        open_ = self._open.pop(block.content_block_index, None)
        self._others.discard(block.content_block_index)
        added = self._citations()
        self._block_begin = self._said
        if open_ is not None and not open_.told:
            added["tool_calls"] = _nothing(open_)
        return self._chunk(added)

    def _stop(self, stop: _Stop) -> Chunk:
        self._stopped = self._started = True
        native = stop.stop_reason or None
        rests = [_nothing(open_) for open_ in self._open.values() if not open_.told]
        self._open.clear()
        reason = native and ended(native, called=self._calls > 0)
        if reason:
            check_end(reason, called=self._calls > 0 or self._strange)
        piece = Piece(
            index=0,
            delta={"tool_calls": joined(rests)} if rests else {},
            finish_reason=reason,
            native_finish_reason=native,
        )
        return Chunk(pieces=(piece,), ended=self._known)

    def _metadata(self, metadata: _Metadata) -> Chunk:
        self._known = self._started = True
        usage = read_usage(metadata.usage) if given(metadata.usage) else None
        tier = metadata.service_tier.type if metadata.service_tier else None
        return Chunk(usage=usage, service_tier=tier, ended=self._stopped)


def _nothing(open_: _Open) -> Raw:
    """Return the fragment for a call that has no input."""
    return more_arguments(open_.number, b'"{}"')


def _thinking(index: int, said: _Reasoning) -> Members:
    """Return a fragment of a thought: its text, its signature, or what is encrypted."""
    if given(said.redacted_content):
        string(said.redacted_content)
        return {"reasoning_details": redacted(index, said.redacted_content)}
    if given(said.text):
        string(said.text)
        return {"reasoning": said.text, "reasoning_details": thought(index, said.text, ABSENT)}
    if given(said.signature):
        return {"reasoning_details": thought(index, ABSENT, said.signature)}
    return {}


def _fault(event: _Event, data: bytes) -> StreamFault:
    """Read an exception in a frame, or an error that came without frames in a success."""
    if event.exception is None:
        return in_body(data) or in_stream("", data)
    return in_stream(event.exception, bytes(event.error), event.message or "")
