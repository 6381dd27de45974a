"""Reads answers: whole ones, and streams event by event.

A decoder remembers no text, only what later events of the same stream depend on, such as
which tool calls a choice has begun, and what nearly all of them repeat. The end marker
`[DONE]` belongs to the framing; whoever splits the stream into events sees it first.
"""

import msgspec

from dragoman.providers.openai.event import (
    Alternative,
    Event,
    fault_of,
    given,
    is_text,
    read_event,
    said,
    usage_of,
)
from dragoman.providers.openai.members import check_end, finish, tidy
from dragoman.providers.openai.plain import read_plain
from dragoman.providers.openai.tool_calls import ToolCalls, holds_any, read_whole
from dragoman.wire.hub import Answer, Choice, Chunk, Piece, Text
from dragoman.wire.sse import AFTER, BEFORE

DONE = b"[DONE]"

MOST_FRAMES = 32
"""Of a stream that never repeats itself so many events are looked at for what it repeats."""


NO_FRAME = -1
"""No content is so short that it would fit."""
NO_EVENT = b"\n"
"""No event begins so."""
QUOTE = b'"'
_LF = ord("\n")
_FUNCTION_CALL = "function_call"
"""The reason of OpenAI's first way to call, whose calls are in a member of that name."""

_string = msgspec.json.Decoder(str).decode


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none: no choice, and no error."""
    return read_plain(body) or read_any(body)


def read_any(body: bytes) -> Answer:
    """Do what `read_answer` does, whatever the answer is like."""
    event = read_event(body)
    fault = fault_of(event, body)
    choices = [
        _choice(choice, position, event.id)
        for position, choice in enumerate(event.choices or ())
        if choice.message or choice.delta
    ]
    if not choices and fault is None:
        raise ValueError("an answer without choices")
    return Answer(
        choices=tuple(choices),
        usage=usage_of(event),
        fault=fault,
        upstream_id=event.id or None,
        service_tier=event.service_tier,
        system_fingerprint=event.system_fingerprint,
    )


def _choice(choice: Alternative, position: int, answer: str | None) -> Choice:
    message = tidy(choice.message or choice.delta or {})
    calls = message.get("tool_calls")
    if calls is not None:
        message["tool_calls"] = read_whole(calls, answer)
    native = choice.finish_reason or None
    return Choice(
        index=position if choice.index is None else choice.index,
        message=message,
        finish_reason=native and finish(native, called=calls is not None and holds_any(calls)),
        native_finish_reason=native,
        logprobs=given(choice.logprobs),
    )


class OpenAiDecoder:
    """Reads one stream.

    Events that add text mostly differ in nothing else. So once one has been read, what stands
    before and after its text is its frame; what fits the frame, a JSON string in the same place,
    is read alike without being parsed.
    """

    __slots__ = (
        "_after", "_before", "_begun", "_calls", "_end", "_ending", "_frame_bytes", "_frame_index",
        "_frames", "_start", "_starting", "_text", "_tier",
    )  # fmt: skip

    def __init__(self) -> None:
        self._begun = False
        self._tier: str | None = None
        self._before = self._after = b""
        self._start = self._end = NO_EVENT
        self._starting = self._ending = self._text = slice(0)
        self._frame_bytes = NO_FRAME
        self._frame_index = 0
        self._frames = 0
        self._calls: dict[int, ToolCalls] = {}
        """Index of a choice -> its calls of tools."""

    def glance(self, data: bytes) -> Text | None:
        """Return the text that `data` adds, if it is one whole event that fits the frame."""
        if data[self._starting] != self._start or data[self._ending] != self._end:
            return None
        content = data[self._text]
        # Of several events the first may begin, and the last end, as one would.
        if _LF in content:
            return None
        try:
            return Text(self._frame_index, content) if _string(content) else None
        except ValueError:
            return None

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        content = data.removeprefix(self._before).removesuffix(self._after)
        if len(content) + self._frame_bytes == len(data) and is_text(content):
            return Text(self._frame_index, content)
        if data == DONE:
            return None
        event = read_event(data)
        if self._begun and event.service_tier == self._tier and (text := said(event)) is not None:
            if self._frames < MOST_FRAMES:
                self._take_frame(data, text)
            return text
        return self._chunk(event, data)

    def _take_frame(self, data: bytes, text: Text) -> None:
        """Remember what stands around a text, if there can be no doubt where the text is."""
        self._frames += 1
        place = data.find(text.content)
        if place < 0 or place != data.rfind(text.content):
            return
        self._before, self._after = data[:place], data[place + len(text.content) :]
        self._frame_bytes = len(data) - len(text.content)
        self._frame_index = text.index
        # The same with the framing of events, up to the text's first quotation mark and from its
        # last on: where these fit, they need no look of their own.
        self._start, self._end = BEFORE + self._before + QUOTE, QUOTE + self._after + AFTER
        start, end = len(self._start), -len(self._end)
        self._starting, self._ending = slice(start), slice(end, None)
        self._text = slice(start - 1, end + 1)

    def _chunk(self, event: Event, data: bytes) -> Chunk | None:
        pieces = []
        for position, choice in enumerate(event.choices or ()):
            piece = self._piece(choice, position, event.id)
            if piece is not None:
                pieces.append(piece)
        usage = usage_of(event)
        fault = fault_of(event, data)
        if not pieces and usage is None and fault is None:
            return None
        self._begun = True
        if event.service_tier != self._tier:
            self._tier, self._frame_bytes = event.service_tier, NO_FRAME
            self._start = self._end = NO_EVENT
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
        native = choice.finish_reason or None
        if "tool_calls" in delta:
            calls = self._calls.setdefault(index, ToolCalls())
            delta["tool_calls"] = calls.read(delta["tool_calls"], answer)
        if native is not None and index in self._calls:
            self._calls[index].end(delta)
        logprobs = given(choice.logprobs) if choice.logprobs else None
        if not delta and native is None and logprobs is None:
            return None
        called = bool(self._calls.get(index))
        reason = native and finish(native, called=called)
        if reason and native != _FUNCTION_CALL:
            check_end(reason, called=called)
        return Piece(
            index=index,
            delta=delta,
            finish_reason=reason,
            native_finish_reason=native,
            logprobs=logprobs,
        )
