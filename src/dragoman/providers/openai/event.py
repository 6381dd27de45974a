"""The JSON of an answer or of a stream's event, read as far as anybody acts on it.

Nearly every event is as it should be and is decoded in one typed pass. One with a
member of the wrong type is read again, member by member, and only that member is
lost. What is not a JSON object at all is a ValueError, and nothing else ever is.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.openai.members import NULL, first_byte
from dragoman.providers.openai.words import read_words
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Members, StreamFault, Text
from dragoman.wire.usage import Usage

ABSENT = Raw()
_EMPTY = Raw(b'""')
_SHORTEST = len(_EMPTY)
_QUOTE = ord('"')
_TEXT = frozenset({"role", "content"})
"""What the delta of a text may hold: clients are told the role whether it is repeated or not."""
_NO_ERROR = frozenset({b"", b"null", b"false", b'""', b"{}", b"[]"})

T = TypeVar("T")


class Alternative(Struct, gc=False):
    """One of `choices`, with a `message` when whole, a `delta` in a stream."""

    index: int | None = None
    delta: Members | None = None
    message: Members | None = None
    finish_reason: str | None = None
    logprobs: Raw = ABSENT
    usage: Raw = ABSENT
    """Moonshot's, where a stream ends."""
    error: Raw = ABSENT


class Groq(Struct, gc=False):
    """Groq's own member, which in streams may hold the usage."""

    usage: Raw = ABSENT
    error: Raw = ABSENT


class Event(Struct, gc=False):
    """An answer, or an event of a stream."""

    id: str | None = None
    choices: list[Alternative] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    service_tier: str | None = None
    system_fingerprint: str | None = None
    x_groq: Groq | None = None


_typed = msgspec.json.Decoder(Event).decode
_any = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(Members).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_index = msgspec.json.Decoder(int).decode
_string = msgspec.json.Decoder(str).decode
_groq = msgspec.json.Decoder(Groq).decode


def read_event(data: bytes) -> Event:
    """Read an answer or an event. Raises ValueError if it is not a JSON object."""
    try:
        if not data.isascii():
            data.decode()
        return _typed(data)
    except msgspec.ValidationError:
        return _member_by_member(data)
    except msgspec.DecodeError:
        return _member_by_member(_without_nan(data))
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None


def said(event: Event) -> Text | None:
    """Return the text of an event that adds text to one choice and nothing else, else None."""
    choices = event.choices
    if choices is None or len(choices) != 1 or _says(event.usage) or _says(event.error):
        return None
    choice = choices[0]
    if choice.finish_reason or _says(choice.logprobs) or _says(choice.error) or event.x_groq:
        return None
    delta, index = choice.delta, choice.index
    if delta is None or index is None:
        return None
    content = delta.get("content", _EMPTY)
    if len(content) <= _SHORTEST or first_byte(content)[0] != _QUOTE:
        return None
    if len(delta) > 1 and any(name not in _TEXT and delta[name] != NULL for name in delta):
        return None
    return Text(index, bytes(content))


def is_text(value: bytes) -> bool:
    """Whether bytes are one JSON string, nothing around it, that is not empty."""
    if not value or not value[0] == value[-1] == _QUOTE:
        return False
    try:
        return bool(_string(value))
    except ValueError:
        return False


def usage_of(event: Event) -> Usage | None:
    """Return the event's usage, None if it has none."""
    if _says(event.usage):
        return read_usage(event.usage)
    if event.x_groq is not None and event.x_groq.usage:
        return read_usage(event.x_groq.usage)
    if event.choices and len(event.choices) == 1 and _says(event.choices[0].usage):
        return read_usage(event.choices[0].usage)
    return None


def fault_of(event: Event, data: bytes) -> StreamFault | None:
    """Return the error that the event, read from `data`, reports. None: no error."""
    if event.error and bytes(event.error) not in _NO_ERROR:
        return stream_fault(data)
    if event.choices is None and not event.usage:
        return _stray(data)
    for choice in event.choices or ():
        if choice.error and bytes(choice.error) not in _NO_ERROR:
            return stream_fault(bytes(choice.error))
    if event.x_groq is not None and bytes(event.x_groq.error) not in _NO_ERROR:
        return stream_fault(bytes(event.x_groq.error))
    return None


def given(value: Raw) -> Raw | None:
    """Return a member's bytes, None if it is absent or null."""
    return value if value and value != NULL else None


def _says(value: Raw) -> bool:
    """Whether a member is there and not null."""
    return bool(value) and value != NULL


def _stray(data: bytes) -> StreamFault | None:
    """An error whose members lie at the top: a message, and a code or status beside it."""
    words = read_words(data)
    if words.message is None or not (words.codes or words.status or b'"detail"' in data):
        return None
    return stream_fault(data)


def _member_by_member(data: bytes) -> Event:
    try:
        top = _members(data)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    choices = _try(_list, top.get("choices"))
    return Event(
        id=_text(top.get("id")),
        choices=None if choices is None else [a for raw in choices if (a := _alternative(raw))],
        usage=top.get("usage", ABSENT),
        error=top.get("error", ABSENT),
        service_tier=_text(top.get("service_tier")),
        system_fingerprint=_text(top.get("system_fingerprint")),
        x_groq=_try(_groq, top.get("x_groq")),
    )


def _alternative(raw: Raw) -> Alternative | None:
    choice = _try(_members, raw)
    if choice is None:
        return None
    return Alternative(
        index=_try(_index, choice.get("index")),
        delta=_try(_members, choice.get("delta")),
        message=_try(_members, choice.get("message")),
        finish_reason=_text(choice.get("finish_reason")),
        logprobs=choice.get("logprobs", ABSENT),
        usage=choice.get("usage", ABSENT),
        error=choice.get("error", ABSENT),
    )


def _try(decode: Callable[[Raw], T], raw: Raw | None) -> T | None:
    if raw is None:
        return None
    try:
        return decode(raw)
    except msgspec.ValidationError:
        return None


def _text(raw: Raw | None) -> str | None:
    """Return a member that is text; a number as its text."""
    value = _try(_any, raw)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def _without_nan(data: bytes) -> bytes:
    """Return JSON with null for NaN and Infinity, which some Python hosts write."""
    if b"NaN" not in data and b"Infinity" not in data:
        raise ValueError("not JSON")
    try:
        tree: Any = json.loads(data, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    return json.dumps(tree).encode()
