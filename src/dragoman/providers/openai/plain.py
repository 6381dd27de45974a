"""A whole answer as nearly all are: one choice that says something, nothing else to it.

It is read in one typed pass. What has anything beside that is left to `answers`, which
reads any answer, and reads this one alike.
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.openai.event import ABSENT
from dragoman.providers.openai.members import NULL, first_byte
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Answer, Choice, Members

_QUOTE = ord('"')


class _Message(Struct, gc=False, forbid_unknown_fields=True):
    role: Literal["assistant"]
    content: Raw
    refusal: None = None
    annotations: Raw = ABSENT


class _Choice(Struct, gc=False):
    message: _Message
    finish_reason: Literal["stop", "length"]
    index: int = 0
    delta: None = None
    logprobs: None = None
    error: None = None


class _Whole(Struct, gc=False):
    choices: tuple[_Choice]
    id: str | None = None
    usage: Raw = ABSENT
    error: None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    x_groq: None = None


_decode = msgspec.json.Decoder(_Whole).decode
_ROLE = Raw(b'"assistant"')


def read_plain(body: bytes) -> Answer | None:
    """Return the answer, None if it is another than this reads, or none at all."""
    try:
        if not body.isascii():
            body.decode()
        whole = _decode(body)
    except (ValueError, RecursionError):
        return None
    choice = whole.choices[0]
    said = choice.message
    if first_byte(said.content)[0] != _QUOTE:
        return None
    message: Members = {"role": _ROLE, "content": said.content}
    if said.annotations and said.annotations != NULL:
        message["annotations"] = said.annotations
    ended = choice.finish_reason
    usage = whole.usage
    return Answer(
        choices=(
            Choice(
                index=choice.index, message=message, finish_reason=ended, native_finish_reason=ended
            ),
        ),
        usage=read_usage(usage) if usage and usage != NULL else None,
        upstream_id=whole.id or None,
        service_tier=whole.service_tier,
        system_fingerprint=whole.system_fingerprint,
    )
