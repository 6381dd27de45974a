"""The Gemini dialect as objects, for the registry and whoever sends."""

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.dialect import Fault, Outgoing, Parser, StreamDecoder
from dragoman.providers.gemini.answers import GeminiDecoder, read_answer
from dragoman.providers.gemini.faults import fault
from dragoman.providers.gemini.request import write_request
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer
from dragoman.wire.sse import SseParser

EVENT_BYTES = 32 * 1024 * 1024
"""An image comes in one event: 4096 x 4096 pixels as PNG are about 20 MB, and a third more."""


class GeminiDialect:
    """Fulfils `Dialect`: Gemini models at Google AI Studio. Keeps nothing."""

    __slots__ = ()
    speaks = "gemini"

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return write_request(call, endpoint, provider, "/models")

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""
        return read_answer(body)

    def parser(self) -> Parser:
        """Return what splits one stream into events."""
        return SseParser(EVENT_BYTES)

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""
        return GeminiDecoder()

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)
