"""Reads answers: whole ones, and streams event by event.

Every event of a stream carries the usage so far; it counts only where an alternative ends, as
what came before it is not final. A stream has no mark of its end: its connection ends.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.gemini.events import Candidate, Event, read_event
from dragoman.providers.gemini.parts import Voice, text_of
from dragoman.providers.gemini.sources import annotations, logprobs
from dragoman.providers.gemini.values import ABSENT, given
from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece, StreamFault, Text
from dragoman.wire.usage import Usage

_LENGTH = frozenset({"MAX_TOKENS", "CONTINUATION"})
_FILTERED = frozenset({
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR",
    "ESCALATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "JAILBREAK",
})  # fmt: skip
_FAILED = frozenset({
    "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE", "PUP_LIMITED_DISABLED", "IMAGE_OTHER",
    "NO_IMAGE",
})  # fmt: skip

FINISH = {
    **dict.fromkeys(_LENGTH, "length"),
    **dict.fromkeys(_FILTERED, "content_filter"),
    **dict.fromkeys(_FAILED, "error"),
}
"""`FinishReason` -> OpenRouter's five. All others: stop."""

TIERS = {
    "standard": "default",
    "flex": "flex",
    "priority": "priority",
    "ON_DEMAND": "default",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
}
"""The hub's names of service tiers: AI Studio's `serviceTier`, Vertex AI's `trafficType`."""

_UNSAID = frozenset({None, "", "FINISH_REASON_UNSPECIFIED"})
_UNBLOCKED = frozenset({None, "", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})


class _Tier(Struct, rename="camel", gc=False):
    """The tier that served, which the object of usage tells (`UsageMetadata` in Google's SDK)."""

    service_tier: str | None = None
    traffic_type: str | None = None


_tier = msgspec.json.Decoder(_Tier).decode


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none."""
    event = read_event(body)
    fault = _fault(event, body)
    choices = tuple(
        _choice(candidate, place, event.response_id)
        for place, candidate in enumerate(event.candidates or ())
    )
    if not choices and fault is None:
        raise ValueError("an answer without candidates")
    return Answer(
        choices=choices,
        usage=_usage(event),
        fault=fault,
        upstream_id=event.response_id or None,
        service_tier=tier(event.usage_metadata) if given(event.usage_metadata) else None,
    )


def finish(native: str, *, called: bool) -> str:
    """Return the hub's word for a finish reason. Gemini stops where others call tools."""
    reason = FINISH.get(native, "stop")
    return "tool_calls" if called and reason == "stop" else reason


def _choice(candidate: Candidate, place: int, answer: str | None) -> Choice:
    voice = Voice(answer, streamed=False)
    message = _said(candidate, voice)
    native = None if candidate.finish_reason in _UNSAID else candidate.finish_reason
    return Choice(
        index=place if candidate.index is None else candidate.index,
        message=message,
        finish_reason=native and finish(native, called=voice.calls > 0),
        native_finish_reason=native,
        logprobs=logprobs(candidate),
        steps=voice.course.steps(),
    )


def _said(candidate: Candidate, voice: Voice) -> Members:
    content = candidate.content
    members = voice.read(content.parts or ()) if content is not None else {}
    if given(candidate.grounding_metadata) or given(candidate.citation_metadata):
        cited = annotations(candidate, plain=voice.plain)
        if cited is not None:
            members["annotations"] = cited
    return members


def _usage(event: Event) -> Usage | None:
    return read_usage(event.usage_metadata) if given(event.usage_metadata) else None


def tier(usage: Raw) -> str | None:
    """Return the tier that served, by the hub's name, None if nothing is said."""
    try:
        said = _tier(usage)
    except msgspec.ValidationError:
        return None
    return TIERS.get(said.service_tier or said.traffic_type or "")


def _fault(event: Event, data: bytes) -> StreamFault | None:
    """Return the error that an answer reports: one of its own, or a prompt that was blocked."""
    if given(event.error):
        return stream_fault(data)
    feedback = event.prompt_feedback
    if feedback is None or feedback.block_reason in _UNBLOCKED or event.candidates:
        return None
    why = feedback.block_reason_message or "the provider's filter blocked the prompt"
    return StreamFault(
        status=400, code="content_policy_violation", message=f"{why} ({feedback.block_reason})"
    )


class GeminiDecoder:
    """Reads one stream."""

    __slots__ = ("_begun", "_usage", "_voices")

    def __init__(self) -> None:
        self._begun = False
        self._voices: dict[int, Voice] = {}
        self._usage = ABSENT

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event adds, None if nothing. Raises ValueError on nonsense."""
        event = read_event(data)
        if given(event.usage_metadata):
            self._usage = event.usage_metadata
        if self._begun and not event.error and (text := self._text(event)) is not None:
            return text
        return self._chunk(event, data)

    def _text(self, event: Event) -> Text | None:
        """Return the text of an event that adds text to one alternative and nothing else."""
        candidates = event.candidates
        if candidates is None or len(candidates) != 1:
            return None
        candidate = candidates[0]
        content = candidate.content
        if content is None or candidate.finish_reason or _cites(candidate):
            return None
        parts = content.parts
        if parts is None or len(parts) != 1:
            return None
        part = parts[0]
        if part.thought or part.thought_signature or part.function_call or part.inline_data:
            return None
        text = text_of(part.text)
        if not text:
            return None
        index = candidate.index or 0
        self._voice(index, event).hear(text)
        return Text(index, bytes(part.text))

    def _chunk(self, event: Event, data: bytes) -> Chunk | None:
        pieces = []
        for place, candidate in enumerate(event.candidates or ()):
            piece = self._piece(candidate, place, event)
            if piece is not None:
                pieces.append(piece)
        fault = _fault(event, data)
        usage = None
        if any(piece.finish_reason for piece in pieces) or not event.candidates:
            usage = read_usage(self._usage) if given(self._usage) else None
        if not pieces and usage is None and fault is None:
            return None
        self._begun = True
        return Chunk(
            pieces=tuple(pieces),
            usage=usage,
            fault=fault,
            upstream_id=event.response_id or None,
            service_tier=tier(self._usage) if usage is not None else None,
        )

    def _piece(self, candidate: Candidate, place: int, event: Event) -> Piece | None:
        index = place if candidate.index is None else candidate.index
        voice = self._voice(index, event)
        delta = _said(candidate, voice)
        native = None if candidate.finish_reason in _UNSAID else candidate.finish_reason
        likely = logprobs(candidate)
        if not delta and native is None and likely is None:
            return None
        return Piece(
            index=index,
            delta=delta,
            finish_reason=native and finish(native, called=voice.calls > 0),
            native_finish_reason=native,
            logprobs=likely,
        )

    def _voice(self, index: int, event: Event) -> Voice:
        voice = self._voices.get(index)
        if voice is None:
            voice = self._voices[index] = Voice(event.response_id, streamed=True)
        return voice


def _cites(candidate: Candidate) -> bool:
    """Whether an alternative has more to it than content."""
    return bool(
        candidate.grounding_metadata or candidate.citation_metadata or candidate.logprobs_result
    )
