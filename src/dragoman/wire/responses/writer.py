"""Writes a stream of the Responses API from the hub's chunks.

Items begin as what they are made of comes, and end in order: what a model thinks and says one
after the other, calls together when the answer ends, since fragments of several may come mixed.
Order and members of the events: OpenRouter's recorded streams; `openai.types.responses`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import Stamp
from dragoman.wire.details import ReasoningDetail
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Chunk, Members, Piece, Text
from dragoman.wire.responses import output
from dragoman.wire.responses.call_item import CallItem, Fragment, read_calls
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.failure import CODEX, error_body, is_cut
from dragoman.wire.responses.message_item import MessageItem
from dragoman.wire.responses.raw import is_string, on_one_line
from dragoman.wire.responses.reasoning_item import ReasoningItem
from dragoman.wire.responses.request import ENCRYPTED
from dragoman.wire.responses.resource import INCOMPLETE, Resource
from dragoman.wire.responses.toolbox import Toolbox
from dragoman.wire.sse import DONE

_NO_TEXT = b'""'

_words = msgspec.json.Decoder(str).decode
_include = msgspec.json.Decoder(list[str] | None).decode


class Writer:
    """Fulfils `EventWriter`."""

    __slots__ = (
        "_box", "_calls", "_choice", "_done", "_events", "_items", "_message", "_resource",
        "_sealed", "_thought", "_told", "_waiting",
    )  # fmt: skip

    def __init__(self, told: Told) -> None:
        self._told = told
        self._events = Events()
        asked = asked_of(told)
        self._resource = Resource(told.stamp, asked)
        self._sealed = wants_encrypted(asked)
        self._box: Toolbox | None = None
        self._choice: int | None = None
        """The choice that is told: the first that said anything. A response has but one."""
        self._items = 0
        self._done: dict[int, bytes] = {}
        """Place in the output -> the item, where it is closed."""
        self._message: tuple[int, MessageItem] | None = None
        self._thought: tuple[int, ReasoningItem] | None = None
        self._calls: dict[int, tuple[int, CallItem]] = {}
        self._waiting: dict[int, list[Fragment]] = {}
        """Fragments of calls whose name has not come yet."""

    def text(self, text: Text) -> bytes:
        """Return the events for a piece of text."""
        if text.index != self._choice:
            if self._choice is not None:
                return b""
            self._choice = text.index
        message = self._message
        if message is not None and message[1].takes_text:
            return message[1].text(self._events, text.content)
        before = self._begin() + self._speak()
        return before + self._spoken().say(self._events, text.content)

    def around(self, _choice: int) -> None:
        """Return that there is nothing which stands around each text: events are numbered."""

    def chunk(self, chunk: Chunk, pieces: tuple[Piece, ...]) -> bytes:
        """Return the events for a chunk, of which `pieces` are passed on."""
        if chunk.service_tier is not None:
            self._resource.tier = chunk.service_tier
        told = [self._piece(piece) for piece in pieces if piece.has_content and self._tells(piece)]
        if not told:
            return b""
        return b"".join(told)

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the events that end an answer."""
        told = self._choice
        finish = ends[told if told is not None and told in ends else min(ends)].finish_reason
        status = b"incomplete" if finish in INCOMPLETE else b"completed"
        before = self._begin() + self._close_all(status)
        response = self._resource.ended(self._output(), finish, spent, routing)
        return before + self._events.event(status, b'"response":' + response) + DONE

    def error(self, error: GatewayError, spent: Spent | None, routing: bytes) -> bytes:
        """Return the events that end a stream which broke."""
        before = self._begin() + self._close_all(b"incomplete")
        codex = is_codex(self._told)
        if is_cut(error) and not codex:
            response = self._resource.cut(self._output(), spent, routing)
            return before + self._events.event(b"incomplete", b'"response":' + response) + DONE
        body = error_body(error, codex=codex)
        response = self._resource.failed(self._output(), body, error.type, spent, routing)
        return before + self._events.event(b"failed", b'"response":' + response) + DONE

    def debug(self, upstream_body: bytes, _asked: Stamp) -> bytes:
        """Return the event that echoes what was sent upstream (OpenRouter, `DebugEvent`)."""
        rest = b'"debug":{"echo_upstream_body":%b}' % on_one_line(upstream_body)
        return self._begin() + self._events.event(b"debug", rest)

    def _tells(self, piece: Piece) -> bool:
        """Say whether a piece, which has content, is of the choice that is told."""
        if self._choice is None:
            self._choice = piece.index
        return piece.index == self._choice

    def _begin(self) -> bytes:
        """Return the events that begin the response, unless they are out."""
        if self._events.next:
            return b""
        response = b'"response":' + self._resource.begun()
        return self._events.event(b"created", response) + self._events.event(
            b"in_progress", response
        )

    def _piece(self, piece: Piece) -> bytes:
        delta = piece.delta
        told = [self._begin(), self._think(delta)]
        content = delta.get("content")
        if content is not None and is_string(content) and content != _NO_TEXT:
            told.append(self._speak())
            told.append(self._spoken().say(self._events, bytes(content), piece.logprobs))
        refusal = delta.get("refusal")
        if refusal is not None and is_string(refusal) and refusal != _NO_TEXT:
            told.append(self._speak())
            told.append(self._spoken().refuse(self._events, bytes(refusal)))
        if "annotations" in delta:
            told.append(self._speak())
            told.append(self._spoken().annotate(self._events, delta["annotations"]))
        if "images" in delta:
            told.append(self._show(delta["images"]))
        if "tool_calls" in delta:
            told.append(self._call(delta["tool_calls"]))
        return b"".join(told)

    def _think(self, delta: Members) -> bytes:
        return b"".join([self._detail(each) for each in output.thoughts_in(delta)])

    def _detail(self, part: ReasoningDetail) -> bytes:
        thought = self._thought
        if thought is not None and thought[1].takes(part):
            return thought[1].add(self._events, part)
        before = self._close_open(b"completed")
        place = self._place()
        item = ReasoningItem(place, self._id("rs_tmp_", place), part, sealed=self._sealed)
        self._thought = (place, item)
        return before + item.open(self._events) + item.add(self._events, part)

    def _speak(self) -> bytes:
        """Return the events that let a message be open."""
        if self._message is not None:
            return b""
        before = self._close_open(b"completed")
        place = self._place()
        item = MessageItem(place, self._id("msg_tmp_", place))
        self._message = (place, item)
        return before + item.open(self._events)

    def _spoken(self) -> MessageItem:
        if self._message is None:
            raise RuntimeError("a message is opened before it is added to")
        return self._message[1]

    def _show(self, images: Raw) -> bytes:
        told = [self._close_open(b"completed")]
        for item in output.image_items(images, lambda: self._id("ig_tmp_", self._items)):
            place = self._place()
            self._done[place] = item
            told += [self._events.added(place, item), self._events.done(place, item)]
        return b"".join(told)

    def _call(self, value: Raw) -> bytes:
        try:
            fragments = read_calls(value)
        except msgspec.ValidationError:
            return b""
        return b"".join([self._fragment(each, n) for n, each in enumerate(fragments)])

    def _fragment(self, fragment: Fragment, position: int) -> bytes:
        index = position if fragment.index is None else fragment.index
        function = fragment.function
        if index in self._calls:
            call = self._calls[index][1]
            return b"" if function is None else call.add(self._events, function.arguments)
        waiting = self._waiting.setdefault(index, [])
        waiting.append(fragment)
        if function is None or not function.name:
            return b""
        return self._begin_call(index, self._waiting.pop(index), function.name)

    def _begin_call(self, index: int, fragments: list[Fragment], name: str) -> bytes:
        before = self._close_open(b"completed")
        place = self._place()
        named = next((each.id for each in fragments if each.id), None)
        call_id = named or self._id("call_", place)
        item = CallItem(place, self._id("", place), call_id, self._tools().tool(name))
        self._calls[index] = (place, item)
        told = [before, item.open(self._events)]
        told += [item.add(self._events, f.function.arguments) for f in fragments if f.function]
        return b"".join(told)

    def _tools(self) -> Toolbox:
        if self._box is None:
            self._box = output.toolbox(asked_of(self._told))
        return self._box

    def _close_open(self, status: bytes) -> bytes:
        """Return the events that end what is thought or said at the moment."""
        told = b""
        for open_ in (self._thought, self._message):
            if open_ is not None:
                place, item = open_
                told += item.close(self._events, status)
                self._done[place] = item.item
        self._thought = self._message = None
        return told

    def _close_all(self, status: bytes) -> bytes:
        told = [self._close_open(status)]
        for index in sorted(self._calls):
            place, item = self._calls[index]
            told.append(item.close(self._events, status))
            self._done[place] = item.item
        self._calls = {}
        return b"".join(told)

    def _output(self) -> bytes:
        return b",".join([self._done[place] for place in sorted(self._done)])

    def _place(self) -> int:
        place = self._items
        self._items += 1
        return place

    def _id(self, prefix: str, place: int) -> str:
        return output.item_id(prefix, self._told.stamp.id, place)


def asked_of(told: Told) -> Members:
    """Return the members of the request, as the client sent them."""
    native = told.call.native
    return {} if native is None else native.members


def wants_encrypted(asked: Members) -> bool:
    """Whether the client wants what it needs to send reasoning back."""
    include = asked.get("include")
    return include is not None and ENCRYPTED in (_include(include) or ())


def is_codex(told: Told) -> bool:
    """Whether it is Codex that asks."""
    headers: dict[str, Any] = dict(told.call.native.headers) if told.call.native else {}
    return str(headers.get("originator", "")).startswith(CODEX)
