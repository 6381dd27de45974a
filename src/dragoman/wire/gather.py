"""A stream in hub form, gathered into the whole answer it would have been. Pure.

Some whole answers are asked for as streams, so that it can be seen how long they grow
(`dragoman.upstream.attempt`). What comes is kept as it comes and joined at the end: text to
text, list to list, fragments of a tool call by their index (OpenAI, "Streaming: tool calls"),
reasoning details by type and index (OpenRouter, reasoning-tokens).
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece, Text
from dragoman.wire.usage import Usage

PIECE_BYTES = 100
"""What a piece takes beside its own bytes, about."""

_GROWS = frozenset({"reasoning.text", "reasoning.summary"})
"""Reasoning details that come in fragments; others come whole."""
_GROWING = ("text", "summary")
_JOINED = frozenset({"arguments", "input"})
"""What of a tool call comes in fragments."""
_EMPTY = Raw(b'""')
_NOTHING = frozenset({b"null", b'""'})

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_fragments = msgspec.json.Decoder(list[Members]).decode
_details = msgspec.json.Decoder(list[dict[str, Any]]).decode
_index = msgspec.json.Decoder(int).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class _Voice:
    """One choice as it comes: of each member, all values."""

    __slots__ = ("finish", "logprobs", "members", "native")

    def __init__(self) -> None:
        self.members: dict[str, list[bytes]] = {}
        self.logprobs: list[bytes] = []
        self.finish: str | None = None
        self.native: str | None = None


class Gathering:
    """Takes in one stream. `size` is about how many bytes that took."""

    __slots__ = ("_fingerprint", "_tier", "_upstream_id", "_usage", "_voices", "size")

    def __init__(self) -> None:
        self.size = 0
        self._voices: dict[int, _Voice] = {}
        self._usage: Usage | None = None
        self._upstream_id: str | None = None
        self._tier: str | None = None
        self._fingerprint: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every choice that has begun has ended, and there is one."""
        voices = self._voices.values()
        return bool(voices) and all(voice.finish is not None for voice in voices)

    @property
    def said_all(self) -> bool:
        """Whether there was content, and all of it: then an error is too late to matter."""
        came = (values for voice in self._voices.values() for values in voice.members.values())
        return self.complete and any(not _NOTHING.issuperset(values) for values in came)

    def hear(self, text: Text) -> None:
        """Take in text, unless its choice has ended."""
        voice = self._voice(text.index)
        if voice.finish is None:
            voice.members.setdefault("content", []).append(text.content)
            self.size += PIECE_BYTES + len(text.content)

    def see(self, chunk: Chunk) -> None:
        """Take in a chunk, all but its fault."""
        for piece in chunk.pieces:
            self._add(piece)
        self._usage = chunk.usage or self._usage
        self._upstream_id = chunk.upstream_id or self._upstream_id
        self._tier = chunk.service_tier or self._tier
        self._fingerprint = chunk.system_fingerprint or self._fingerprint

    def answer(self) -> Answer:
        """Return all that came. A choice that did not say how it ended has stopped."""
        return Answer(
            choices=tuple([_choice(index, self._voices[index]) for index in sorted(self._voices)]),
            usage=self._usage,
            upstream_id=self._upstream_id,
            service_tier=self._tier,
            system_fingerprint=self._fingerprint,
        )

    def _voice(self, index: int) -> _Voice:
        voice = self._voices.get(index)
        if voice is None:
            voice = self._voices[index] = _Voice()
            self.size += PIECE_BYTES
        return voice

    def _add(self, piece: Piece) -> None:
        voice = self._voice(piece.index)
        if voice.finish is not None:
            return
        for name, value in piece.delta.items():
            if name != "role":
                voice.members.setdefault(name, []).append(bytes(value))
                self.size += PIECE_BYTES + len(value)
        if piece.logprobs is not None:
            voice.logprobs.append(bytes(piece.logprobs))
            self.size += PIECE_BYTES + len(piece.logprobs)
        if piece.finish_reason is not None:
            voice.finish, voice.native = piece.finish_reason, piece.native_finish_reason


def _choice(index: int, voice: _Voice) -> Choice:
    message = {"role": Raw(b'"assistant"')}
    for name, values in voice.members.items():
        message[name] = Raw(_member(name, values))
    if "tool_calls" in message and message.get("content") == _EMPTY:
        del message["content"]  # which is null beside tool calls
    return Choice(
        index=index,
        message=message,
        finish_reason=voice.finish or "stop",
        native_finish_reason=voice.native,
        logprobs=_logprobs(voice.logprobs),
    )


def _member(name: str, values: Sequence[bytes]) -> bytes:
    """Return one member of a message, joined from all that came of it.

    What does not have the shape that its name promises is joined like any other.
    """
    join = _JOINS.get(name)
    if join is not None:
        try:
            return join(values)
        except (msgspec.MsgspecError, UnicodeError):
            pass
    return _joined(values)


def _joined(values: Sequence[bytes]) -> bytes:
    """Return texts or lists as one; of anything else the last."""
    told = [value for value in values if value != b"null"] or [b"null"]
    if len(told) == 1:
        return told[0]
    if all(value[:1] == b'"' for value in told):
        return b'"%b"' % b"".join([value[1:-1] for value in told])
    if all(value[:1] == b"[" for value in told):
        inner = (value[1:-1].strip() for value in told)
        return b"[%b]" % b",".join([each for each in inner if each])
    return told[-1]


def _tool_calls(values: Sequence[bytes]) -> bytes:
    calls: dict[int, list[Members]] = {}
    for value in values:
        for place, fragment in enumerate(_fragments(value)):
            number = fragment.pop("index", None)
            index = place if number is None else _index(number)
            calls.setdefault(index, []).append(fragment)
    return _encode([_call(calls[index]) for index in sorted(calls)])


def _call(fragments: Iterable[Members]) -> Members:
    """Return one tool call: what names it as it was said first, what grows joined."""
    found: dict[str, list[bytes]] = {}
    for fragment in fragments:
        for name, value in fragment.items():
            found.setdefault(name, []).append(bytes(value))
    return {
        name: Raw(_encode(_called(values)) if values[0][:1] == b"{" else _first(values))
        for name, values in found.items()
    }


def _called(values: Iterable[bytes]) -> Members:
    found: dict[str, list[bytes]] = {}
    for value in values:
        for name, inner in _members(value).items():
            found.setdefault(name, []).append(bytes(inner))
    return {
        name: Raw(_joined(inner) if name in _JOINED else _first(inner))
        for name, inner in found.items()
    }


def _first(values: Sequence[bytes]) -> bytes:
    """Return the first value that says something."""
    return next((value for value in values if value not in _NOTHING), values[0])


def _reasoning_details(values: Sequence[bytes]) -> bytes:
    """Return details, fragments of one joined: those with its type and index.

    Without an index a fragment goes on with the detail before it, if that is of its type.
    """
    merged: list[dict[str, Any]] = []
    texts: list[dict[str, list[str]]] = []
    places: dict[tuple[str, object], int] = {}
    for detail in (each for value in values for each in _details(value)):
        kind = str(detail.get("type"))
        index = detail.get("index")
        key = (kind, None if index is None else str(index))  # which a provider may make a list
        place = places.get(key) if kind in _GROWS else None
        if place is not None and key[1] is None and place != len(merged) - 1:
            place = None
        if place is None:
            place = places[key] = len(merged)
            merged.append({})
            texts.append({})
        whole = merged[place]
        for name, value in detail.items():
            if name in _GROWING and isinstance(value, str):
                texts[place].setdefault(name, []).append(value)
                whole.setdefault(name, "")  # its place among the members
            elif value is not None or name not in whole:
                whole[name] = value
    for detail, grown in zip(merged, texts, strict=True):
        detail.update({name: "".join(parts) for name, parts in grown.items()})
    return _encode(merged)


def _audio(values: Sequence[bytes]) -> bytes:
    """Return a recording from its parts, each in base64 for itself."""
    whole: dict[str, Any] = {}
    data: list[str] = []
    transcript: list[str] = []
    for value in values:
        part = _object(value)
        for name, parts in (("data", data), ("transcript", transcript)):
            if isinstance(part.get(name), str):
                parts.append(part.pop(name))
        whole |= part
    if data:
        whole["data"] = _one_base64(data)
    if transcript:
        whole["transcript"] = "".join(transcript)
    return _encode(whole)


def _one_base64(parts: Sequence[str]) -> str:
    try:
        return b64encode(b"".join([b64decode(part, validate=True) for part in parts])).decode()
    except (binascii.Error, ValueError):
        return "".join(parts)


def _logprobs(values: Sequence[bytes]) -> Raw | None:
    if not values:
        return None
    found: dict[str, list[bytes]] = {}
    try:
        for value in values:
            for name, inner in _members(value).items():
                found.setdefault(name, []).append(bytes(inner))
    except msgspec.ValidationError:
        return Raw(values[-1])
    return Raw(_encode({name: Raw(_joined(inner)) for name, inner in found.items()}))


_JOINS = {
    "tool_calls": _tool_calls,
    "reasoning_details": _reasoning_details,
    "audio": _audio,
}
