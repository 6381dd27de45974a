"""The contract of a client dialect: how requests of one API are read, and answers written.

Requests become calls in the hub's form (`dragoman.wire.chat`), answers are written from the
hub's form (`dragoman.wire.hub`). A dialect is stateless; what a stream needs to remember lives
in its writer, one per stream. Where the provider speaks the client's dialect, what it said
reaches the writer as it came (`Chunk.native`, `Answer.native`).
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer, Chunk, Piece, Text
from dragoman.wire.usage import Usage


class Spent(Struct, frozen=True, gc=False):
    """What an answer took, and what it cost."""

    usage: Usage
    billing: Billing


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """What an answer is written with.

    `stamp` is what all its parts repeat, `call` the request; `native` says whether the
    provider's own bytes are in the client's dialect, and may be passed on.
    """

    stamp: Stamp
    call: ChatCall
    native: bool


Around = tuple[bytes, bytes]
"""What stands before and after a text."""


class EventWriter(Protocol):
    """Writes the events of one stream, each as the bytes that go out; no bytes for no event.

    `text` and `chunk` come any number of times, then `end` or `error` once.
    """

    def text(self, text: Text) -> bytes:
        """Return the events for a piece of text."""

    def around(self, choice: int) -> Around | None:
        """Return what `text` puts around each text of a choice until something else is written.

        None if it does not put the same around each.
        """

    def chunk(self, chunk: Chunk, pieces: tuple[Piece, ...]) -> bytes:
        """Return the events for a chunk, of which `pieces` are passed on."""

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the events that end an answer. `ends` says how each choice ended, at least one.

        `routing` is empty, or the member to be added to the last object: `,"name":value`.
        """

    def error(self, error: GatewayError, spent: Spent | None, routing: bytes) -> bytes:
        """Return the events that end a stream which broke."""

    def debug(self, upstream_body: bytes, asked: Stamp) -> bytes:
        """Return the event that echoes what was sent upstream, `asked` being who got it."""


class ClientDialect(Protocol):
    """One API that clients speak."""

    @property
    def name(self) -> str:
        """Its name, by which providers are known that speak it, too."""

    @property
    def one_choice(self) -> bool:
        """Whether an answer has room for one alternative only, whatever a provider gives."""

    def parse(self, body: bytes, headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. `headers` have names in lower case. Raises GatewayError."""

    def writer(self, told: Told) -> EventWriter:
        """Return what writes the events of one stream."""

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return the body of a whole answer."""

    def refusal(self, error: GatewayError, told: Told | None) -> tuple[int, bytes]:
        """Return status and body for a request that failed before its answer began.

        `told` is None where that was before the request was read.
        """
