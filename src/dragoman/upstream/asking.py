"""Whether a provider is asked for a stream, and what is said of an answer's length. Pure.

A provider is asked as the gateway was: for a whole answer or for a stream. A whole answer is
asked for as a stream where an operator wants it so, and where its money is set aside in slices:
whether the next slice is needed shows only while it comes. Where that cannot be, the answer gets
a limit: it must not be longer than what is held.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change, Note
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

LIMITS = frozenset({"max_tokens", "max_completion_tokens"})


class Asked(Struct, frozen=True, gc=False):
    """A call as one endpoint is to be asked it, and what differs from the caller's words."""

    call: ChatCall
    notes: tuple[Note, ...] = ()


def asked(
    call: ChatCall, endpoint: Endpoint, provider: Provider, slice_tokens: int | None
) -> Asked:
    """Return the call as this endpoint is asked it.

    `slice_tokens` is how much output is held at first of an answer that may be longer,
    None where that does not matter.
    """
    most = endpoint.max_output
    if call.max_tokens is not None and most is not None and call.max_tokens > most:
        return _clamped(call, endpoint, provider, slice_tokens)
    grows = slice_tokens is not None and _may_exceed(endpoint, slice_tokens)
    if not (grows or provider.stream_upstream):
        return Asked(call)
    if can_stream(call, provider):
        return Asked(call if call.stream else msgspec.structs.replace(call, stream=True))
    if slice_tokens is None or not grows:
        return Asked(call)
    return _limited(call, provider, slice_tokens)


def can_stream(call: ChatCall, provider: Provider) -> bool:
    """Whether the provider can be asked for this answer as a stream.

    Speech cannot: it is streamed in one format only, whatever the caller asked for
    (OpenAI, "Audio and speech": pcm16).
    """
    if "stream" in provider.quirks.rejects or call.kind != "chat":
        return False
    return call.stream or "audio" not in call.outputs


def _may_exceed(endpoint: Endpoint, tokens: int) -> bool:
    return endpoint.max_output is None or endpoint.max_output > tokens


def _clamped(
    call: ChatCall, endpoint: Endpoint, provider: Provider, slice_tokens: int | None
) -> Asked:
    """Return the call as the endpoint is asked it, for no more than it can say."""
    most = endpoint.max_output or 0
    note = Note(
        Change.CLAMPED,
        "max_tokens",
        f"{most}: this endpoint's answers are no longer",
        provider.slug,
    )
    shorter = msgspec.structs.replace(call, members=_for_so_much(call, most), max_tokens=most)
    question = asked(shorter, endpoint, provider, slice_tokens)
    return Asked(question.call, (note, *question.notes))


def _for_so_much(call: ChatCall, tokens: int) -> Members:
    """Return the members of a call with this limit, under the name that it has there."""
    name = "max_tokens" if "max_completion_tokens" not in call.members else "max_completion_tokens"
    rest = {key: value for key, value in call.members.items() if key not in LIMITS}
    return {**rest, name: Raw(b"%d" % tokens)}


def _limited(call: ChatCall, provider: Provider, tokens: int) -> Asked:
    note = Note(
        Change.INJECTED,
        "max_tokens",
        f"{tokens}: what is limited in money cannot be longer at a provider that does not stream",
        provider.slug,
    )
    members = {**call.members, "max_tokens": Raw(b"%d" % tokens)}
    return Asked(msgspec.structs.replace(call, members=members, max_tokens=tokens), (note,))
