"""Reads answers: whole ones, and streams event by event.

A decoder remembers no text, only what later events of the same stream depend on:
which tool calls a choice has begun. The end marker `[DONE]` belongs to the framing;
whoever splits the stream into events sees it first.
"""

import hashlib

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.openai.event import (
    Alternative,
    fault_of,
    given,
    read_event,
    usage_of,
)
from dragoman.providers.openai.members import NULL, finish, tidy
from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece

DONE = b"[DONE]"


class _Call(Struct, gc=False):
    """The members of a tool call's fragment that say which call it belongs to."""

    index: int | None = None
    id: str | None = None


_calls = msgspec.json.Decoder(list[_Call]).decode
_fragments = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none: no choice, and no error."""
    event = read_event(body)
    fault = fault_of(event, body)
    choices = tuple(
        _choice(choice, position, event.id)
        for position, choice in enumerate(event.choices or ())
        if choice.message or choice.delta
    )
    if not choices and fault is None:
        raise ValueError("an answer without choices")
    return Answer(
        choices=choices,
        usage=usage_of(event),
        fault=fault,
        upstream_id=event.id or None,
        service_tier=event.service_tier,
        system_fingerprint=event.system_fingerprint,
    )


def _choice(choice: Alternative, position: int, answer: str | None) -> Choice:
    message = tidy(choice.message or choice.delta or {})
    if "tool_calls" in message:
        message["tool_calls"] = _named(message["tool_calls"], answer)
    native = choice.finish_reason or None
    return Choice(
        index=position if choice.index is None else choice.index,
        message=message,
        finish_reason=native and finish(native, called="tool_calls" in message),
        native_finish_reason=native,
        logprobs=given(choice.logprobs),
    )


def _named(value: Raw, answer: str | None) -> Raw:
    """Return tool calls, each with an id: without one no client can say which it has run."""
    try:
        calls = _calls(value)
    except msgspec.ValidationError:
        return value
    if all(call.id for call in calls):
        return value
    fragments = _fragments(value)
    for place, (fragment, call) in enumerate(zip(fragments, calls, strict=True)):
        if not call.id:
            fragment["id"] = _call_id(fragment, answer, place)
    return Raw(_encode(fragments))


def _call_id(call: Members, answer: str | None, place: int) -> Raw:
    """Return an id for the call at `place`, the same whenever the same answer is read."""
    source = b"%b %d %b" % ((answer or "").encode(), place, bytes(call.get("function", NULL)))
    return Raw(b'"call_%b"' % hashlib.sha256(source).hexdigest()[:24].encode())


class OpenAiDecoder:
    """Reads one stream."""

    __slots__ = ("_last_call",)

    def __init__(self) -> None:
        self._last_call: dict[int, int] = {}
        """Index of a choice -> highest index of its tool calls so far."""

    def feed(self, data: bytes) -> Chunk | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        if data == DONE:
            return None
        event = read_event(data)
        pieces = []
        for position, choice in enumerate(event.choices or ()):
            piece = self._piece(choice, position, event.id)
            if piece is not None:
                pieces.append(piece)
        usage = usage_of(event) if event.usage or event.x_groq else None
        fault = fault_of(event, data)
        if not pieces and usage is None and fault is None:
            return None
        return Chunk(
            pieces=tuple(pieces),
            usage=usage,
            fault=fault,
            upstream_id=event.id or None,
            service_tier=event.service_tier,
            system_fingerprint=event.system_fingerprint,
        )

    def _piece(self, choice: Alternative, position: int, answer: str | None) -> Piece | None:
        delta = tidy(choice.delta or choice.message or {})
        index = position if choice.index is None else choice.index
        # The client is told the role in every chunk, whatever the provider repeats.
        delta.pop("role", None)
        if "tool_calls" in delta:
            delta["tool_calls"] = self._numbered(index, delta["tool_calls"], answer)
        native = choice.finish_reason or None
        logprobs = given(choice.logprobs) if choice.logprobs else None
        if not delta and native is None and logprobs is None:
            return None
        return Piece(
            index=index,
            delta=delta,
            finish_reason=native and finish(native, called=index in self._last_call),
            native_finish_reason=native,
            logprobs=logprobs,
        )

    def _numbered(self, choice: int, value: Raw, answer: str | None) -> Raw:
        """Return fragments of tool calls, each with the index by which clients join them.

        Google sends none: a fragment with an id begins a call, one without goes on
        with the last. The first fragment of a call gets an id if it has none.
        """
        try:
            calls = _calls(value)
        except msgspec.ValidationError:
            return value
        last = self._last_call.get(choice, -1)
        indices = []
        nameless = set()
        for call in calls:
            index = call.index
            if index is None:
                index = last + 1 if call.id or last < 0 else last
            if index > last and not call.id:
                nameless.add(index)
            last = max(last, index)
            indices.append(index)
        if calls:
            self._last_call[choice] = last
        if not nameless and all(call.index is not None for call in calls):
            return value
        fragments = _fragments(value)
        for fragment, index in zip(fragments, indices, strict=True):
            fragment["index"] = Raw(b"%d" % index)
            if index in nameless:
                nameless.remove(index)
                fragment["id"] = _call_id(fragment, answer, index)
        return Raw(_encode(fragments))
