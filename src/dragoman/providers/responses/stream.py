"""Reads streams, event by event.

Text is told in the short form where the client's own events can be made of it: in the part that
was begun last, without probabilities. All else is told in the hub's form, with the event as it
came for clients of the same API. What a host says only at the end of an item is told then.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, structs

from dragoman.providers.openai.event import fault_of as chat_fault
from dragoman.providers.openai.event import read_event as read_chat
from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.responses.answers import choice_of, gather
from dragoman.providers.responses.event import (
    Event,
    Item,
    Whole,
    calls_in,
    fault_of,
    finish_of,
    is_search,
    object_of,
    read_event,
    read_item,
    read_part,
    read_response,
    text_in,
    usage_of,
)
from dragoman.providers.responses.message import (
    Words,
    has_tokens,
    hub_annotation,
    image_of,
    is_call,
    logprobs_of,
    passages_of,
    place_of_thought,
)
from dragoman.providers.responses.origin import bound_event, bound_response
from dragoman.providers.responses.tool_calls import ToolCalls
from dragoman.wire.hub import Chunk, Members, Piece, StreamFault, Text
from dragoman.wire.order import pieces_of
from dragoman.wire.responses.raw import is_object
from dragoman.wire.responses.thoughts import ENCRYPTED, SUMMARY, TEXT

DONE = b"[DONE]"
NOWHERE = (-1, -1)

_TEXT_DELTA = "response.output_text.delta"
_BROKE = StreamFault(status=None, code="server_error", message="the provider's response failed")

_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str).decode


class ResponsesDecoder:
    """Reads one stream. `form` names who signs its reasoning."""

    __slots__ = (
        "_begun", "_calls", "_form", "_open", "_searches", "_slots", "_spoke", "_texts",
        "_words",
    )  # fmt: skip

    def __init__(self, form: str) -> None:
        self._form = form
        self._begun = False
        self._spoke = False
        """Whether anything of the answer has come."""
        self._open = NOWHERE
        """Item and part that text belongs to."""
        self._texts: set[tuple[int, int]] = set()
        """Parts whose text, or refusal, has come."""
        self._calls = ToolCalls()
        self._slots: dict[tuple[int, str, int], int] = {}
        """Item, type and number of a passage of reasoning -> its index in the hub, its place."""
        self._words = Words()
        self._searches = 0

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        if data == DONE:
            return None
        event = read_event(data)
        if event.type == _TEXT_DELTA:
            place = (event.output_index, event.content_index)
            content = text_in(event.delta)
            if self._begun and place == self._open and content and not has_tokens(event.logprobs):
                self._texts.add(place)
                self._spoke = True
                return Text(0, content)
        if not event.type:
            return self._untyped(data)
        if event.type == "keepalive":
            return None
        self._begun = True
        read = _READERS.get(event.type)
        if read is None:
            return Chunk(native=data)
        chunk = read(self, event, data)
        self._spoke = self._spoke or bool(chunk.pieces)
        return chunk

    def _untyped(self, data: bytes) -> Chunk | None:
        """Read what is no event: an error, or a whole answer where a stream was asked for."""
        fault = chat_fault(read_chat(data), data)
        if fault is not None:
            return Chunk(fault=fault)
        response = read_response(data)
        if response.output is None:
            return None
        return self._last(response, bound_response(data, self._form))

    def _said(self, event: Event, data: bytes) -> Chunk:
        content = text_in(event.delta)
        if not content:
            return Chunk(native=data)
        self._texts.add((event.output_index, event.content_index))
        tokens = logprobs_of(bytes(event.logprobs)) if has_tokens(event.logprobs) else None
        return _chunk(data, {"content": Raw(content)}, tokens)

    def _text_done(self, event: Event, data: bytes) -> Chunk:
        """Tell a text that only its end has told."""
        place = (event.output_index, event.content_index)
        content = text_in(event.text)
        if place in self._texts or not content:
            return Chunk(native=data)
        self._texts.add(place)
        return _chunk(data, {"content": Raw(content)})

    def _began(self, event: Event, data: bytes) -> Chunk:
        response = read_response(object_of(event.response, "response"))
        return Chunk(upstream_id=response.id or None, native=data)

    def _part_began(self, event: Event, data: bytes) -> Chunk:
        is_text = is_object(event.part) and read_part(event.part).type == "output_text"
        self._open = (event.output_index, event.content_index) if is_text else NOWHERE
        return Chunk(native=data)

    def _item_began(self, event: Event, data: bytes) -> Chunk:
        item = read_item(event.item)
        if not is_call(item):
            return Chunk(native=data)
        return _call_chunk(data, self._calls.begin(event.output_index, item))

    def _item_done(self, event: Event, data: bytes) -> Chunk:
        item = read_item(event.item)
        if is_call(item):
            return _call_chunk(data, self._calls.whole(event.output_index, item))
        if item.type == "reasoning":
            bound = bound_event(data, self._form)
            return self._thought(event.output_index, item, bound)
        if item.type == "image_generation_call" and item.result:
            return _chunk(data, {"images": Raw(b"[%b]" % image_of(item))})
        if item.type == "message":
            return self._message_done(event.output_index, item, data)
        self._searches += is_search(item)
        return Chunk(native=data)

    def _message_done(self, place: int, item: Item, data: bytes) -> Chunk:
        """Tell the texts and refusals of a message that only its end has told."""
        told = {"content": b"", "refusal": b""}
        for number, part in enumerate(item.content or ()):
            text, refusal = text_in(part.text), text_in(part.refusal)
            if (place, number) in self._texts or not (text or refusal):
                continue
            self._texts.add((place, number))
            told["content"] += text[1:-1]
            told["refusal"] += refusal[1:-1]
        delta = {name: Raw(b'"%b"' % text) for name, text in told.items() if text}
        return _chunk(data, delta) if delta else Chunk(native=data)

    def _thought(self, place: int, item: Item, data: bytes) -> Chunk:
        """Tell what an item of reasoning ends with, and what of it has not come."""
        details: list[bytes] = []
        words = ""
        for kind, number, text in passages_of(item):
            if (place, kind, number) not in self._slots:
                words += self._words.add(kind, text)
                details.append(self._detail((place, kind, number), _encode(text), item.id))
        if item.encrypted_content:
            content = _encode(item.encrypted_content)
            details.append(self._detail((place, ENCRYPTED, 0), content, item.id))
        if not details:
            return Chunk(native=data)
        delta = {"reasoning_details": Raw(b"[%b]" % b",".join(details))}
        return _chunk(data, ({"reasoning": Raw(_encode(words))} if words else {}) | delta)

    def _summarised(self, event: Event, data: bytes) -> Chunk:
        return self._thinks(event, data, (event.output_index, SUMMARY, event.summary_index))

    def _reasoned(self, event: Event, data: bytes) -> Chunk:
        return self._thinks(event, data, (event.output_index, TEXT, event.content_index))

    def _thinks(self, event: Event, data: bytes, slot: tuple[int, str, int]) -> Chunk:
        content = text_in(event.delta)
        if not content:
            return Chunk(native=data)
        begins = slot not in self._slots
        words = self._words.add(slot[1], _text(content), begins=begins)
        detail = self._detail(slot, content, event.item_id)
        delta = {"reasoning_details": Raw(b"[%b]" % detail)}
        return _chunk(data, ({"reasoning": Raw(_encode(words))} if words else {}) | delta)

    def _detail(self, slot: tuple[int, str, int], content: bytes, item_id: str | None) -> bytes:
        index = self._slots.get(slot)
        if index is None:
            spoke = bool(self._texts)
            index = place_of_thought(len(self._slots), len(self._calls), spoke=spoke)
            self._slots[slot] = index
        named = b'"id":%b,' % _encode(item_id) if item_id else b""
        return b'{"type":"%b","%b":%b,%b"format":"%b","index":%d}' % (
            slot[1].encode(),
            _MEMBERS[slot[1]],
            content,
            named,
            self._form.encode(),
            index,
        )

    def _called(self, event: Event, data: bytes) -> Chunk:
        return _call_chunk(data, self._calls.more(event.output_index, event.delta))

    def _call_done(self, event: Event, data: bytes) -> Chunk:
        return _call_chunk(data, self._calls.all(event.output_index, event.arguments))

    def _input_done(self, event: Event, data: bytes) -> Chunk:
        return _call_chunk(data, self._calls.all(event.output_index, event.input))

    def _refused(self, event: Event, data: bytes) -> Chunk:
        content = text_in(event.delta)
        if not content:
            return Chunk(native=data)
        self._texts.add((event.output_index, event.content_index))
        return _chunk(data, {"refusal": Raw(content)})

    def _refusal_done(self, event: Event, data: bytes) -> Chunk:
        """Tell a refusal that only its end has told."""
        place = (event.output_index, event.content_index)
        content = text_in(event.refusal)
        if place in self._texts or not content:
            return Chunk(native=data)
        self._texts.add(place)
        return _chunk(data, {"refusal": Raw(content)})

    def _annotated(self, event: Event, data: bytes) -> Chunk:
        told = hub_annotation(event.annotation)
        return _chunk(data, {"annotations": Raw(b"[%b]" % told)}) if told else Chunk(native=data)

    def _ended(self, event: Event, data: bytes) -> Chunk:
        response = read_response(object_of(event.response, "response"))
        return self._last(response, bound_event(data, self._form))

    def _last(self, response: Whole, data: bytes | None) -> Chunk:
        """Return the chunk that ends the answer, with all of it if nothing had come."""
        fault = fault_of(response.error)
        if fault is not None:
            return Chunk(fault=fault)
        pieces = self._all(response)
        if not pieces:
            self._check_calls(response)
        finish, native = finish_of(response, called=bool(self._calls))
        if not pieces:
            pieces = (_end(finish, native),)
        return Chunk(
            pieces=pieces,
            usage=usage_of(response, self._searches),
            upstream_id=response.id or None,
            service_tier=response.service_tier,
            native=data,
            ended=True,
        )

    def _all(self, response: Whole) -> tuple[Piece, ...]:
        """Return the pieces of an answer of which nothing has come but its end."""
        if self._spoke or not response.output:
            return ()
        gathered = gather(response.output, self._form)
        self._searches = max(self._searches, gathered.searches)
        choice = choice_of(response, gathered)
        if gathered.called:
            message = {**choice.message, "tool_calls": gathered.fragments()}
            choice = structs.replace(choice, message=message)
        return tuple(pieces_of(choice))

    def _check_calls(self, response: Whole) -> None:
        """Raise ValueError where an answer ends with more calls than its stream has told."""
        if calls_in(response.output or ()) > len(self._calls):
            raise ValueError("an end with calls that were not told before it")

    def _failed(self, event: Event, _data: bytes) -> Chunk:
        response = read_response(object_of(event.response, "response"))
        return Chunk(fault=fault_of(response.error) or _BROKE)

    def _broke(self, _event: Event, data: bytes) -> Chunk:
        return Chunk(fault=stream_fault(data))


def _end(finish: str, native: str) -> Piece:
    return Piece(index=0, delta={}, finish_reason=finish, native_finish_reason=native)


def _chunk(data: bytes, delta: Members, logprobs: Raw | None = None) -> Chunk:
    return Chunk(pieces=(Piece(index=0, delta=delta, logprobs=logprobs),), native=data)


def _call_chunk(data: bytes, fragments: Raw | None) -> Chunk:
    return Chunk(native=data) if fragments is None else _chunk(data, {"tool_calls": fragments})


_MEMBERS = {SUMMARY: b"summary", TEXT: b"text", ENCRYPTED: b"data"}

Reader = Callable[[ResponsesDecoder, Event, bytes], Chunk]

_READERS: Mapping[str, Reader] = {
    _TEXT_DELTA: ResponsesDecoder._said,  # noqa: SLF001 - its own table
    "response.output_text.done": ResponsesDecoder._text_done,  # noqa: SLF001
    "response.created": ResponsesDecoder._began,  # noqa: SLF001
    "response.in_progress": ResponsesDecoder._began,  # noqa: SLF001
    "response.queued": ResponsesDecoder._began,  # noqa: SLF001
    "response.content_part.added": ResponsesDecoder._part_began,  # noqa: SLF001
    "response.output_item.added": ResponsesDecoder._item_began,  # noqa: SLF001
    "response.output_item.done": ResponsesDecoder._item_done,  # noqa: SLF001
    "response.reasoning_summary_text.delta": ResponsesDecoder._summarised,  # noqa: SLF001
    "response.reasoning_text.delta": ResponsesDecoder._reasoned,  # noqa: SLF001
    "response.function_call_arguments.delta": ResponsesDecoder._called,  # noqa: SLF001
    "response.function_call_arguments.done": ResponsesDecoder._call_done,  # noqa: SLF001
    "response.custom_tool_call_input.delta": ResponsesDecoder._called,  # noqa: SLF001
    "response.custom_tool_call_input.done": ResponsesDecoder._input_done,  # noqa: SLF001
    "response.refusal.delta": ResponsesDecoder._refused,  # noqa: SLF001
    "response.refusal.done": ResponsesDecoder._refusal_done,  # noqa: SLF001
    "response.output_text.annotation.added": ResponsesDecoder._annotated,  # noqa: SLF001
    "response.completed": ResponsesDecoder._ended,  # noqa: SLF001
    "response.incomplete": ResponsesDecoder._ended,  # noqa: SLF001
    "response.failed": ResponsesDecoder._failed,  # noqa: SLF001
    "response.error": ResponsesDecoder._broke,  # noqa: SLF001
    "error": ResponsesDecoder._broke,  # noqa: SLF001
}
