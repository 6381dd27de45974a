"""The Messages dialect as one object, for the registry and whoever sends."""

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.anthropic.answers import read_answer
from dragoman.providers.anthropic.request import SPEAKS, write_request
from dragoman.providers.anthropic.stream import AnthropicDecoder
from dragoman.providers.dialect import Fault, Outgoing, Parser, StreamDecoder
from dragoman.providers.openai.faults import fault
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer
from dragoman.wire.sse import SseParser


class AnthropicDialect:
    """Fulfils `Dialect`. Keeps nothing."""

    __slots__ = ()
    speaks = SPEAKS

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return write_request(call, endpoint, provider)

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""
        return read_answer(body)

    def parser(self) -> Parser:
        """Return what splits one stream into events."""
        return SseParser()

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""
        return AnthropicDecoder()

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)
