"""The contract of a dialect, and the closed set of ways in which a provider can fail.

A dialect translates between the hub (`dragoman.wire.hub`) and the bytes of one
kind of upstream. It is stateless; what a stream needs to remember lives in the
decoder it hands out, one per stream.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Note
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer, Chunk, Text


class Kind(StrEnum):
    """The classes of failure that decide what happens next (reliability 2.1, C0 to C5, C7).

    `FORBIDDEN`: the credential is good, but not for this model, or not for this content.
    `UNTRANSLATABLE`: the endpoint's dialect cannot say the request, so nothing was sent.
    """

    CALLER = "caller"
    CREDENTIAL = "credential"
    FORBIDDEN = "forbidden"
    RATE = "rate"
    TRANSIENT = "transient"
    TIMEOUT = "timeout"
    MIDSTREAM = "midstream"
    LOCAL = "local"
    UNTRANSLATABLE = "untranslatable"


class Fault(Struct, frozen=True, kw_only=True):
    """One failed attempt, classified.

    `status` is the provider's HTTP status if it gave one, `code` its own machine
    code, `message` its own words (shown to the caller only where the caller's
    request is at fault), `error_type` our name for it.
    """

    kind: Kind
    error_type: str
    message: str
    status: int | None = None
    code: str | None = None
    retry_after_s: float | None = None
    raw: str | None = None


class Outgoing(Struct, frozen=True, kw_only=True, gc=False):
    """A request translated for one endpoint: where below the base URL, and what.

    `url` is the whole address, where it is another. `more` are the bodies of further requests to
    it, at hosts that take only so much in one: the answers to all are read as one, a list of them
    in this order. `counted` is the header of an answer, in lower case, that tells how many tokens
    it took, where the answer itself does not.
    """

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    notes: tuple[Note, ...]
    url: str | None = None
    more: tuple[bytes, ...] = ()
    counted: str | None = None


class Parser(Protocol):
    """Splits one stream into events; after it has raised it must not be fed again."""

    @property
    def idle(self) -> bool:
        """Whether nothing has come of the next event."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that are complete now. Raises ValueError on nonsense."""

    def rest(self) -> bytes:
        """Return what has come since the last event."""

    def flush(self) -> bytes | None:
        """Return the data of an event that the end of the stream completes, None for none."""


class StreamDecoder(Protocol):
    """Reads one stream, event by event."""

    def feed(self, data: bytes) -> Chunk | Text | None:
        """Return what the event's data adds, None if nothing. Raises ValueError on nonsense.

        The first that adds anything is a Chunk, which says what all have in common.
        """


Glance = Callable[[bytes], Text | None]
"""What a decoder may have as `glance`: it returns the text that bytes add, if they are one whole
event, framing included, of the most usual kind. None says nothing: the bytes are to go through
the parser, and their events through `feed`."""


class Dialect(Protocol):
    """How one kind of upstream talks."""

    @property
    def speaks(self) -> str:
        """The client dialect (`dragoman.wire.dialect`) whose requests and events these are."""

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""

    def parser(self) -> Parser:
        """Return what splits one stream into events."""

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
