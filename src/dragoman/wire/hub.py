"""The canonical form in which answers travel from any provider to any client.

The hub is OpenAI chat with OpenRouter's fields. Messages and deltas are kept as
their JSON members, each member's bytes as the provider sent them, so that what
nobody here acts on passes through unchanged.
"""

from msgspec import Raw, Struct

from dragoman.wire.usage import Usage

Members = dict[str, Raw]
"""A JSON object, each member's value still as bytes."""


class StreamFault(Struct, frozen=True):
    """A provider's own word, inside a stream or a 200 body, that it failed."""

    status: int | None
    code: str | None
    message: str


class Piece(Struct, frozen=True, kw_only=True):
    """What one event of a stream adds to one choice."""

    index: int
    delta: Members
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Raw | None = None

    @property
    def has_content(self) -> bool:
        """Whether the client would notice: text, a tool call, reasoning, media.

        A role, an empty string, null, or an empty list is not content
        (reliability: "First content").
        """
        return any(
            name != "role" and bytes(value) not in _NOTHING for name, value in self.delta.items()
        )


_NOTHING = frozenset({b'""', b"null", b"[]", b"{}"})


class Chunk(Struct, frozen=True, kw_only=True):
    """One event of a stream in hub form."""

    pieces: tuple[Piece, ...] = ()
    usage: Usage | None = None
    fault: StreamFault | None = None
    upstream_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """One alternative of a whole answer."""

    index: int
    message: Members
    finish_reason: str | None
    native_finish_reason: str | None
    logprobs: Raw | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer in hub form."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None
    fault: StreamFault | None = None
    upstream_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
