"""Writes an answer as the events of a Messages stream, from the hub's form or the provider's own.

Shape: OpenRouter's schema `MessagesStreamEvents`, and Anthropic, "Streaming Messages":
`message_start`, the blocks one after the other, `message_delta` with usage and cost,
`message_stop`; then `[DONE]`. OpenRouter puts `event: data` before that one. The official
clients then take it for JSON, and fail (anthropic 2.11.0, @anthropic-ai/sdk 1.11.0): without
a name it is skipped by them, and found by those who look for it.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import Stamp, on_one_line
from dragoman.wire.anthropic.content import calls_of, citations_of, details_of, image_blocks, member
from dragoman.wire.anthropic.errors import error_event
from dragoman.wire.anthropic.lanes import Lanes
from dragoman.wire.anthropic.message import ended_by
from dragoman.wire.anthropic.open_block import AFTER_TEXT, OpenBlock, event
from dragoman.wire.anthropic.passing import Passing
from dragoman.wire.anthropic.usage import NOT_YET, usage_members
from dragoman.wire.dialect import Around, Spent, Told
from dragoman.wire.hub import Chunk, Members, Piece, Text
from dragoman.wire.sse import DONE

_encode = msgspec.json.Encoder().encode
_QUOTE = b'"'


class MessagesWriter:
    """Fulfils `EventWriter`."""

    __slots__ = ("_begun", "_block", "_choice", "_lanes", "_passing", "_tier", "_told")

    def __init__(self, told: Told) -> None:
        self._told = told
        self._begun = False
        self._choice: int | None = None
        """The choice that is told: the first that says anything. There is no room for others."""
        self._tier: str | None = None
        self._block = OpenBlock()
        self._lanes = Lanes(self._block, told.stamp.id.rpartition("-")[2])
        self._passing = Passing(told, self._block) if told.native else None

    def text(self, text: Text) -> bytes:
        """Return the events for a piece of text."""
        if text.index != self._choice:
            if self._choice is not None:
                return b""
            self._choice = text.index
        if before := self._block.before_text:
            return b"".join((before, text.content, AFTER_TEXT))
        return self._begin() + self._lanes.text(_text_delta(text.content))

    def around(self, choice: int) -> Around | None:
        """Return what stands before and after each text of the choice that is told."""
        before = self._block.before_text
        return (before, AFTER_TEXT) if before and choice == self._choice else None

    def chunk(self, chunk: Chunk, pieces: tuple[Piece, ...]) -> bytes:
        """Return the events for a chunk, of which `pieces` are passed on."""
        if chunk.service_tier is not None:
            self._tier = chunk.service_tier
        if self._passing is not None and chunk.native is not None:
            return self._pass(self._passing, chunk.native)
        events = b"".join([self._piece(piece.delta) for piece in pieces if self._tells(piece)])
        return self._begin() + events if pieces else b""

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the events that end the message, and the mark of the end."""
        events = self._begin() + self._lanes.end()
        said = self._passing.ended if self._passing is not None else {}
        usage = self._passing.usage if self._passing is not None else {}
        delta = said.get("delta")
        if delta is None:
            delta = Raw(_encode(ended_by(self._told, self._end(ends), called=self._lanes.called)))
        last: Members = {
            **said,
            "type": Raw(b'"message_delta"'),
            "delta": delta,
            "usage": Raw(_encode(usage_members(spent, usage, tier=self._tier))),
        }
        return b"%bevent: message_delta\ndata: %b\n\n%b%b" % (
            events,
            on_one_line(_encode(last)),
            event(b"message_stop", routing),
            DONE,
        )

    def error(self, error: GatewayError, _spent: Spent | None, routing: bytes) -> bytes:
        """Return the event that ends a stream which broke."""
        return error_event(error, self._told.stamp.id, routing)

    def debug(self, upstream_body: bytes, _asked: Stamp) -> bytes:
        """Return what was sent upstream, as an event without a name, which clients skip."""
        return b'data: {"type":"debug","debug":{"echo_upstream_body":%b}}\n\n' % on_one_line(
            upstream_body
        )

    def _end(self, ends: Mapping[int, Piece]) -> Piece:
        """Return how the choice ended that is told, or the first, where none said anything."""
        told = self._choice
        return ends[told] if told is not None and told in ends else ends[min(ends)]

    def _tells(self, piece: Piece) -> bool:
        """Say whether a piece is of the choice that is told."""
        if self._choice is None and piece.has_content:
            self._choice = piece.index
        return piece.index == self._choice

    def _begin(self) -> bytes:
        """Return the event that begins the message, once."""
        if self._begun or (self._passing is not None and self._passing.begun):
            return b""
        self._begun = True
        if self._passing is not None:
            self._passing.begun = True
        stamp = self._told.stamp
        message: dict[str, object] = {
            "id": stamp.id,
            "type": "message",
            "role": "assistant",
            "model": stamp.model,
            "provider": stamp.provider,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "usage": NOT_YET,
        }
        return event(b"message_start", b',"message":' + _encode(message))

    def _pass(self, passing: Passing, native: bytes) -> bytes:
        """Return the events for a provider's own event, after what must come before it."""
        begun = passing.begun
        said = passing.event(native)
        if not said or begun or passing.begun:
            return said
        return self._begin() + said

    def _piece(self, delta: Members) -> bytes:
        """Return the events for what is added to the answer."""
        lanes = self._lanes
        events = [lanes.reasoning(detail) for detail in details_of(delta)]
        for name in ("content", "refusal"):
            value = member(delta, name)
            if value is not None and bytes(value).startswith(_QUOTE):
                events.append(lanes.text(_text_delta(bytes(value))))
        events += [lanes.text(_citation_delta(cited)) for cited in citations_of(delta)]
        events += [lanes.whole(_encode(block)) for block in image_blocks(delta)]
        events += [lanes.call(place, call) for place, call in enumerate(calls_of(delta))]
        return b"".join(events)


def _citation_delta(citation: dict[str, object]) -> bytes:
    return b'{"type":"citations_delta","citation":%b}' % _encode(citation)


def _text_delta(text: bytes) -> bytes:
    return b'{"type":"text_delta","text":%b}' % text
