"""A stream in hub form, gathered into the whole answer it would have been. Pure.

Some whole answers are asked for as streams, so that it can be seen how long they grow
(`dragoman.upstream.attempt`). What comes is kept as it comes and joined at the end: text to
text, list to list, fragments of a tool call by their index (OpenAI, "Streaming: tool calls"),
reasoning details by type and index (OpenRouter, reasoning-tokens).
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece, Step, Text, calls_tools
from dragoman.wire.order import RANKS, is_usual
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
_UNSAID = _NOTHING | {b"[]"}

MOST_RUNS = 1000
"""So often an answer may go from one member to another with its order kept."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_fragments = msgspec.json.Decoder(list[Members]).decode
_details = msgspec.json.Decoder(list[dict[str, Any]]).decode
_rows = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode
_index = msgspec.json.Decoder(int).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class _Voice:
    """One choice as it comes: of each member, all values."""

    __slots__ = ("finish", "logprobs", "members", "native", "runs")

    def __init__(self) -> None:
        self.members: dict[str, list[bytes]] = {}
        self.runs: list[tuple[str, int]] = []
        """Which member came in one go, and how many values it had at the end of it."""
        self.logprobs: list[bytes] = []
        self.finish: str | None = None
        self.native: str | None = None

    def add(self, name: str, value: bytes) -> None:
        """Take in a value of a member."""
        values = self.members.setdefault(name, [])
        values.append(value)
        runs = self.runs
        if runs and runs[-1][0] == name:
            runs[-1] = (name, len(values))
        elif name in RANKS and value not in _UNSAID and len(runs) <= MOST_RUNS:
            runs.append((name, len(values)))


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
            voice.add("content", text.content)
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
                voice.add(name, bytes(value))
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
        finish_reason=voice.finish or ("tool_calls" if calls_tools(message) else "stop"),
        native_finish_reason=voice.native,
        logprobs=_logprobs(voice.logprobs),
        steps=_steps(voice),
    )


def _steps(voice: _Voice) -> tuple[Step, ...]:
    """Return in which order a choice said what it did, nothing where that is the usual."""
    if len(voice.runs) > MOST_RUNS or is_usual(name for name, _ in voice.runs):
        return ()
    try:
        grown = {name: _GROWN[name](voice.members[name]) for name in dict(voice.runs)}
    except (msgspec.MsgspecError, UnicodeError):
        return ()
    before = dict.fromkeys(grown, 0)
    steps = []
    for name, end in voice.runs:
        after = grown[name][end - 1]
        steps.append((name, after - before[name]))
        before[name] = after
    return tuple(steps)


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
    calls, _ = _calls(values)
    return _encode([_call(calls[index]) for index in sorted(calls)])


def _calls(values: Sequence[bytes]) -> tuple[dict[int, list[Members]], list[int]]:
    """Return the fragments of calls by their index, and after each value how many calls there are.

    Raises as a decoder does.
    """
    calls: dict[int, list[Members]] = {}
    grown = []
    for value in values:
        for place, fragment in enumerate(_fragments(value)):
            number = fragment.pop("index", None)
            index = place if number is None else _index(number)
            calls.setdefault(index, []).append(fragment)
        grown.append(len(calls))
    return calls, grown


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
    return _encode(_joined_details(values)[0])


def _joined_details(values: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[int]]:
    """Return details, fragments of one joined: those with its type and index.

    Without an index a fragment goes on with the detail before it, if that is of its type.
    Return, too, how many there are after each value. Raises as a decoder does.
    """
    joining = _Joining()
    grown = []
    for value in values:
        for detail in _details(value):
            joining.take(detail)
        grown.append(len(joining.details))
    return joining.whole(), grown


class _Joining:
    """Details that grow."""

    __slots__ = ("_places", "_texts", "details")

    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []
        self._texts: list[dict[str, list[str]]] = []
        self._places: dict[tuple[str, object], int] = {}

    def take(self, detail: dict[str, Any]) -> None:
        """Take in a fragment."""
        place = self._place(detail)
        whole = self.details[place]
        for name, value in detail.items():
            if name in _GROWING and isinstance(value, str):
                self._texts[place].setdefault(name, []).append(value)
                whole.setdefault(name, "")  # its place among the members
            elif value is not None or name not in whole:
                whole[name] = value

    def whole(self) -> list[dict[str, Any]]:
        """Return the details with all their text."""
        for detail, grown in zip(self.details, self._texts, strict=True):
            detail.update({name: "".join(parts) for name, parts in grown.items()})
        return self.details

    def _place(self, detail: dict[str, Any]) -> int:
        """Return the place of the detail that a fragment is of, at the end for a new one."""
        kind = str(detail.get("type"))
        index = detail.get("index")
        key = (kind, None if index is None else str(index))  # which a provider may make a list
        place = self._places.get(key) if kind in _GROWS else None
        if place is not None and key[1] is None and place != len(self.details) - 1:
            place = None
        if place is None:
            place = self._places[key] = len(self.details)
            self.details.append({})
            self._texts.append({})
        return place


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


def _lengths(values: Sequence[bytes]) -> list[int]:
    return list(accumulate(0 if each in _NOTHING else len(_text(each)) for each in values))


def _counts(values: Sequence[bytes]) -> list[int]:
    return list(accumulate(0 if each in _NOTHING else len(_rows(each)) for each in values))


_GROWN: Mapping[str, Callable[[Sequence[bytes]], list[int]]] = {
    "reasoning_details": lambda values: _joined_details(values)[1],
    "content": _lengths,
    "images": _counts,
    "tool_calls": lambda values: _calls(values)[1],
}
"""Of each member that has an order, how much of it there is after each of its values."""
