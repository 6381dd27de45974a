"""The JSON of a `GenerateContentResponse`, whole or one of a stream, read as far as it is used."""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.gemini.values import ABSENT


class Blob(Struct, rename="camel", gc=False):
    """Media in base64."""

    mime_type: str = ""
    data: Raw = ABSENT


class FunctionCall(Struct, rename="camel", gc=False):
    """A call of a function. `args` is an object."""

    name: str = ""
    id: str | None = None
    args: Raw = ABSENT


class Part(Struct, rename="camel", gc=False):
    """A part of what the model said: one of text, call and media. Others are let through."""

    text: Raw = ABSENT
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None


class Content(Struct, gc=False):
    """What the model said."""

    parts: list[Part] | None = None


class Candidate(Struct, rename="camel", gc=False):
    """One of the alternatives."""

    content: Content | None = None
    finish_reason: str | None = None
    index: int | None = None
    grounding_metadata: Raw = ABSENT
    citation_metadata: Raw = ABSENT
    logprobs_result: Raw = ABSENT


class Feedback(Struct, rename="camel", gc=False):
    """What was held against the prompt."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class Event(Struct, rename="camel", gc=False):
    """An answer, or an event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = ABSENT
    response_id: str | None = None
    error: Raw = ABSENT


_decode = msgspec.json.Decoder(Event).decode


def read_event(data: bytes) -> Event:
    """Read an answer or an event. Raises ValueError if it is none."""
    try:
        if not data.isascii():
            data.decode()
        return _decode(data)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
