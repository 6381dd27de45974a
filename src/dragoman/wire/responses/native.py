"""Passes on what a provider of the same API says: its events and bodies, less what is ours to say.

Ours are the id, the model's name, the provider, what was asked for and is not the provider's to
know, usage with its cost, and the numbers of events. All else stays as it came, items with their
ids and signatures above all. The last event waits for the cost. What a provider tells only at the
end, or whole where a stream was asked for, is told as events (`unrolled`).
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import Stamp, encode
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Chunk, Members, Piece, Text
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.failure import error_body, is_cut
from dragoman.wire.responses.raw import NULL, is_object, on_one_line
from dragoman.wire.responses.resource import Resource, required, usage_body
from dragoman.wire.responses.unrolled import begun, unrolled
from dragoman.wire.responses.writer import asked_of, is_codex
from dragoman.wire.sse import DONE

BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
ENDINGS = frozenset({"response.completed", "response.incomplete"})

_FIRST = ("response.created", "response.in_progress")
_PREFIX = "response."
_INCOMPLETE = frozenset({"response.incomplete", b'"incomplete"'})

_OURS = ("metadata", "user", "safety_identifier")
"""Members that say what the client asked for, and that a provider was told otherwise or not."""
_COSTS = ("cost", "is_byok", "cost_details")
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d+)')

_members = msgspec.json.Decoder(Members).decode


class _Event(Struct, gc=False):
    """The members of an event that decide what becomes of it."""

    type: str = ""
    response: Raw = Raw()
    item: Raw = Raw()
    part: Raw = Raw()
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class _Part(Struct, gc=False):
    type: str = ""


_event = msgspec.json.Decoder(_Event).decode
_part = msgspec.json.Decoder(_Part).decode


class NativeWriter:
    """Fulfils `EventWriter` for a stream whose events are in the client's dialect."""

    __slots__ = (
        "_before_text", "_begun", "_events", "_items", "_last", "_last_type", "_spoke", "_told",
    )  # fmt: skip

    def __init__(self, told: Told) -> None:
        self._told = told
        self._events = Events()
        self._before_text = b""
        self._begun = False
        self._spoke = False
        """Whether an item has been told."""
        self._items: dict[int, bytes] = {}
        """Items that are whole, for a stream that breaks."""
        self._last: Members | None = None
        self._last_type = b""

    def text(self, text: Text) -> bytes:
        """Return the event for text, which belongs to the part that was begun last."""
        number = self._events.next
        self._events.next = number + 1
        return b"".join((
            self._before_text, text.content, b',"sequence_number":', b"%d" % number, b"}\n\n",
        ))  # fmt: skip

    def around(self, _choice: int) -> None:
        """Return that there is nothing which stands around each text: events are numbered."""

    def chunk(self, chunk: Chunk, _pieces: tuple[Piece, ...]) -> bytes:
        """Return the event that the chunk came as, if any."""
        data = chunk.native
        if data is None:
            return b""
        event = _event(data)
        if not event.type:
            return self._ended(_members(data))
        if event.type in ENDINGS:
            return self._ended(_members(event.response), event.type)
        if event.type in BEGINNINGS:
            return self._began(_members(event.response), event.type)
        if event.type == "response.content_part.added" and _is_text(event.part):
            self._before_text = (
                b'data: {"type":"response.output_text.delta","output_index":%d,"item_id":%b,'
                b'"content_index":%d,"logprobs":[],"delta":'
                % (event.output_index, encode(event.item_id), event.content_index)
            )
        elif event.type == "response.output_item.added":
            self._spoke = True
        elif event.type == "response.output_item.done":
            self._spoke = True
            self._items[event.output_index] = on_one_line(bytes(event.item))
        return self._numbered(on_one_line(data))

    def _began(self, response: Members, kind: str) -> bytes:
        """Return the event that says that the response has begun."""
        self._begun = True
        right = on_one_line(encode(put_right(response, self._told)))
        return self._events.event(kind.removeprefix(_PREFIX).encode(), b'"response":' + right)

    def _ended(self, response: Members, kind: str = "") -> bytes:
        """Take a response that is whole; return the events for what of it nobody has told yet."""
        self._last = response
        status = kind or bytes(response.get("status", NULL))
        self._last_type = b"incomplete" if status in _INCOMPLETE else b"completed"
        events = []
        if not self._begun:
            events = [self._began(begun(response), each) for each in _FIRST]
        if not self._spoke:
            events.append(unrolled(response.get("output", NULL), self._events))
        return b"".join(events)

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the event that ends an answer, with what it cost."""
        if self._last is None:  # the stream ended as it may not: what is known is told
            finish = ends[min(ends)].finish_reason
            whole = self._resource().ended(self._output(), finish, spent, routing)
            return self._events.event(b"completed", b'"response":' + whole) + DONE
        response = encode(whole_right(self._last, self._told, spent))
        whole = on_one_line(response[:-1]) + routing + b"}"
        return self._events.event(self._last_type, b'"response":' + whole) + DONE

    def error(self, error: GatewayError, spent: Spent | None, routing: bytes) -> bytes:
        """Return the event that ends a stream which broke."""
        codex = is_codex(self._told)
        if is_cut(error) and not codex:
            whole = self._resource().cut(self._output(), spent, routing)
            return self._events.event(b"incomplete", b'"response":' + whole) + DONE
        body = error_body(error, codex=codex)
        whole = self._resource().failed(self._output(), body, error.type, spent, routing)
        return self._events.event(b"failed", b'"response":' + whole) + DONE

    def debug(self, upstream_body: bytes, _asked: Stamp) -> bytes:
        """Return the event that echoes what was sent upstream (OpenRouter, `DebugEvent`)."""
        rest = b'"debug":{"echo_upstream_body":%b}' % on_one_line(upstream_body)
        return self._events.event(b"debug", rest)

    def _numbered(self, data: bytes) -> bytes:
        """Return an event with the number that is its here."""
        number = self._events.next
        self._events.next = number + 1
        found = _NUMBER.search(data)
        if found is None:
            return b'data: %b,"sequence_number":%d}\n\n' % (data.rstrip()[:-1], number)
        if int(found[1]) == number:
            return b"data: %b\n\n" % data
        begin, end = found.span(1)
        return b"data: %b%d%b\n\n" % (data[:begin], number, data[end:])

    def _resource(self) -> Resource:
        return Resource(self._told.stamp, asked_of(self._told))

    def _output(self) -> bytes:
        return b",".join([self._items[place] for place in sorted(self._items)])


def put_right(response: Members, told: Told) -> Members:
    """Return a provider's response object with what is ours to say."""
    stamp, asked = told.stamp, asked_of(told)
    response = required(asked) | response
    response["id"] = Raw(encode(stamp.id))
    response["model"] = Raw(encode(stamp.model))
    response["provider"] = Raw(encode(stamp.provider))
    for name in _OURS:
        if asked.get(name, NULL) != NULL:
            response[name] = asked[name]
    return response


def whole_right(response: Members, told: Told, spent: Spent) -> Members:
    """Return a provider's response, which is whole, with what it took and cost.

    What a provider leaves out of its usage (hosts that are not OpenAI leave out the details)
    is filled in: strict clients fail without it.
    """
    usage = _members(usage_body(spent))
    reported = response.get("usage", NULL)
    if bytes(reported)[:1] == b"{" and spent.usage.source == "upstream":
        costs = {name: usage[name] for name in _COSTS if name in usage}
        told_of = {name: value for name, value in _members(reported).items() if value != NULL}
        usage |= told_of | costs
    response["usage"] = Raw(encode(usage))
    return put_right(response, told)


def native_body(body: bytes, told: Told, spent: Spent, routing: bytes) -> bytes:
    """Return a provider's whole answer with what is ours to say."""
    right: bytes = encode(whole_right(_members(body), told, spent))
    return right[:-1] + routing + b"}"


def _is_text(part: Raw) -> bool:
    return is_object(part) and _part(part).type == "output_text"
