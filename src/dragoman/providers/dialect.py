"""The contract of a dialect, and the closed set of ways in which a provider can fail.

A dialect translates between the hub (`dragoman.wire.hub`) and the bytes of one
kind of upstream. It is stateless; what a stream needs to remember lives in the
decoder it hands out, one per stream.
"""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Note
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer, Chunk


class Kind(StrEnum):
    """The classes of failure that decide what happens next (reliability 2.1, C0 to C5, C7)."""

    CALLER = "caller"
    CREDENTIAL = "credential"
    RATE = "rate"
    TRANSIENT = "transient"
    TIMEOUT = "timeout"
    MIDSTREAM = "midstream"
    LOCAL = "local"


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


class Outgoing(Struct, frozen=True, kw_only=True):
    """A request translated for one endpoint: where below the base URL, and what."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    notes: tuple[Note, ...]


class StreamDecoder(Protocol):
    """Reads one stream, event by event."""

    def feed(self, data: bytes) -> Chunk | None:
        """Return what the event's data adds, None if nothing. Raises ValueError on nonsense."""


class Dialect(Protocol):
    """How one kind of upstream talks."""

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
