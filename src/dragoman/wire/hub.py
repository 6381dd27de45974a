"""The canonical form in which answers travel from any provider to any client.

The hub is OpenAI chat with OpenRouter's fields. Messages and deltas are kept as
their JSON members, each member's bytes as the provider sent them, so that what
nobody here acts on passes through unchanged.
"""

from msgspec import Raw, Struct, structs

from dragoman.core.notes import Note
from dragoman.wire.usage import Usage

Members = dict[str, Raw]
"""A JSON object, each member's value still as bytes."""


class StreamFault(Struct, frozen=True):
    """A provider's own word, inside a stream or a 200 body, that it failed."""

    status: int | None
    code: str | None
    message: str


class Piece(Struct, frozen=True, kw_only=True, gc=False):
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


def calls_tools(message: Members) -> bool:
    """Whether a message, or what is added to one, calls tools."""
    calls = message.get("tool_calls")
    return calls is not None and bytes(calls) not in _NOTHING


_NOTHING = frozenset({b'""', b"null", b"[]", b"{}"})


class Chunk(Struct, frozen=True, kw_only=True):
    """One event of a stream in hub form.

    `native` is the event's data as it came, where the provider does not speak the hub's own
    dialect: clients of that dialect get it as it is. It may be all that a chunk has.
    `ended` says that the provider marked the end, and nothing follows.
    """

    pieces: tuple[Piece, ...] = ()
    usage: Usage | None = None
    fault: StreamFault | None = None
    upstream_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    native: bytes | None = None
    ended: bool = False


class Text(Struct, frozen=True, gc=False):
    """A chunk that adds text to one choice and nothing else, as nearly all do: the short form.

    `content` is the JSON string as the provider sent it, and is not empty.
    """

    index: int
    content: bytes


Step = tuple[str, int]
"""A member of a message, and how much of it is said: characters of a text, rows of a list."""


class Choice(Struct, frozen=True, kw_only=True, gc=False):
    """One alternative of a whole answer. `steps` are as in `dragoman.wire.order`."""

    index: int
    message: Members
    finish_reason: str | None
    native_finish_reason: str | None
    logprobs: Raw | None = None
    steps: tuple[Step, ...] = ()


LARGE_BYTES = 256 * 1024
"""A body of so much, of another kind than chat, is read and rewritten aside: a list of vectors
may have 70 MB, and would hold up everybody."""


BULKY_BYTES = 512 * 1024
"""A request of so much is read and translated aside: with tens of thousands of calls, or a film,
it would hold up everybody for up to a second. An agent's has a fourth of it."""


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer in hub form; `native` is its body as it came, in a dialect not the hub's."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None
    fault: StreamFault | None = None
    upstream_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    native: bytes | None = None


def concluded(answer: Answer) -> Answer:
    """Return the answer with a reason for each choice that brings something and gives none.

    It has come to the end of its framing, so that nothing of it is missing: it ended well. What
    brings nothing either stays without a reason, and is free.
    """
    choices = tuple(
        choice if choice.finish_reason is not None or not _brings(choice) else _ended_well(choice)
        for choice in answer.choices
    )
    return structs.replace(answer, choices=choices)


def _brings(choice: Choice) -> bool:
    return Piece(index=choice.index, delta=choice.message).has_content


def _ended_well(choice: Choice) -> Choice:
    reason = "tool_calls" if calls_tools(choice.message) else "stop"
    return structs.replace(choice, finish_reason=reason)


class Native(Struct, frozen=True, kw_only=True, gc=False):
    """A request as the client sent it, in a dialect that is not the hub's.

    A provider that speaks `dialect` is sent these members, with only what must differ changed;
    `headers` are those that mean something in the dialect, names in lower case. `notes` say
    what of it the hub's form cannot say: they hold where a provider speaks another dialect;
    `changes` what of it differs from what the client sent: they hold where it speaks the same.
    `needs` says where a member is without which a provider of another dialect would answer
    something else than was asked: it is not asked then. `tools` are the types of those that
    only this dialect has. `failed` says that results of tools are marked as failures (`is_error`),
    which OpenAI's messages have no member for. `loose` are the names of functions that are
    `strict`, with a schema that OpenAI refuses to enforce.
    """

    dialect: str
    members: Members
    headers: tuple[tuple[str, str], ...] = ()
    notes: tuple[Note, ...] = ()
    changes: tuple[Note, ...] = ()
    needs: str | None = None
    tools: frozenset[str] = frozenset()
    failed: bool = False
    loose: frozenset[str] = frozenset()
