"""What was said in a request, gathered as it passes, where its account lets that be stored.

A request that asked for endpoints which keep nothing is not kept by us either. All that
differs for others is that they have no transcript.
"""

import json
from typing import Final, Protocol

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import GatewayError
from dragoman.records.content import MOST_BYTES, Content
from dragoman.relay.visit import Visit
from dragoman.upstream.failover import Journey
from dragoman.wire.hub import Answer, Chunk, Members, Text
from dragoman.wire.preferences import Preferences

INPUT_BYTES: Final = MOST_BYTES * 3 // 4
OUTPUT_BYTES: Final = MOST_BYTES // 8
"""What is kept of an answer, in JSON as it came; once written anew it may take twice that."""
ERROR_LETTERS: Final = 2_000
"""What is kept of each message of an error."""

_encode = msgspec.json.Encoder().encode


class _Input(Struct, frozen=True):
    messages: Raw


class _Output(Struct, frozen=True):
    completion: str | None
    reasoning: str | None


class _Fault(Struct, frozen=True):
    code: str | None
    message: str
    provider_name: str | None
    raw: str | None = None


class _Failure(Struct, frozen=True):
    message: str
    status: int
    provider_name: str | None
    raw: str | None
    previous_errors: tuple[_Fault, ...]


class _Body(Struct, frozen=True):
    """The `data` object (OpenRouter's OpenAPI document, `GenerationContentData`).

    `truncated` is ours: whether something was left out since it was too long.
    """

    input: _Input
    output: _Output
    error: _Failure | None
    truncated: bool


class Ended(Protocol):
    """A request that has ended."""

    visit: Visit
    journey: Journey


class Transcript:
    """What the first choice of an answer says, as far as the client was told it."""

    __slots__ = ("_completion", "_ended", "_error", "_reasoning", "_room", "_truncated")

    def __init__(self, *, without_reasoning: bool) -> None:
        self._completion: list[bytes] = []
        self._reasoning: list[bytes] | None = None if without_reasoning else []
        self._room = OUTPUT_BYTES
        self._truncated = False
        self._ended = False
        self._error: GatewayError | None = None

    def hear(self, chunks: list[Chunk | Text]) -> None:
        """Take in what passed of a stream."""
        for chunk in chunks:
            if isinstance(chunk, Text):
                if chunk.index == 0 and not self._ended:
                    self._add(self._completion, chunk.content)
                continue
            if chunk.fault is not None:
                return
            for piece in chunk.pieces:
                if piece.index == 0 and not self._ended:
                    self._say(piece.delta)
                    self._ended = piece.finish_reason is not None

    def whole(self, answer: Answer) -> None:
        """Take in an answer that came whole."""
        for choice in answer.choices:
            if choice.index == 0:
                self._say(choice.message)

    def failed(self, error: GatewayError) -> None:
        """Take in how the request failed."""
        self._error = error

    def content(self, turn: Ended) -> Content:
        """Return what is kept of a request that has ended."""
        visit = turn.visit
        messages = visit.call.members["messages"]
        if len(messages) > INPUT_BYTES:
            messages, self._truncated = Raw(b"[]"), True
        output = _Output(_text(self._completion), _text(self._reasoning))
        failure = None if self._error is None else _failure(self._error, turn.journey)
        return Content(
            id=visit.id,
            account=visit.caller.account,
            key_hash=visit.caller.key_hash,
            created_at=visit.created,
            body=_encode(_Body(_Input(messages), output, failure, self._truncated)),
        )

    def _say(self, members: Members) -> None:
        for name, parts in (("content", self._completion), ("reasoning", self._reasoning)):
            said = members.get(name)
            if said is not None and parts is not None:
                self._add(parts, bytes(said))

    def _add(self, parts: list[bytes], said: bytes) -> None:
        """Add a JSON string; what is none, as null and lists of parts are, says nothing."""
        if not said.startswith(b'"'):
            return
        self._room -= len(said)
        if self._room < 0:
            self._truncated = True
            return
        parts.append(said[1:-1])


def transcript_for(visit: Visit, preferences: Preferences) -> Transcript | None:
    """Return what gathers a request's words, None where they are not to be stored.

    Of what is no conversation nothing is: its record has no place for vectors.
    """
    if visit.call.kind != "chat":
        return None
    terms = visit.caller.terms
    if terms is None or not terms.store_content:
        return None
    if preferences.deny_data_collection or preferences.zdr:
        return None
    reasoning = visit.call.reasoning
    return Transcript(without_reasoning=reasoning is not None and reasoning.exclude)


def _text(parts: list[bytes] | None) -> str | None:
    """Return the text of JSON strings without their quotes, None if there are none.

    They are read as one: a character may have been cut into two escapes.
    """
    if not parts:
        return None
    text: str = json.loads(b'"%b"' % b"".join(parts))
    return text.encode("utf-8", "replace").decode()


def _failure(error: GatewayError, journey: Journey) -> _Failure:
    faults = [
        _Fault(
            fault.code or fault.error_type,
            fault.message[:ERROR_LETTERS],
            one.step.endpoint.provider_name,
        )
        for one in journey.tries
        if (fault := one.fault) is not None
    ]
    last = journey.tries[-1].step.endpoint.provider_name if journey.tries else None
    message = error.message[:ERROR_LETTERS]
    return _Failure(message, error.code, last, None, tuple(faults[:-1]))
