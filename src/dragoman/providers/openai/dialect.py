"""The OpenAI dialect as one object, for the registry and whoever sends."""

from dragoman.providers.dialect import Fault, Parser, StreamDecoder
from dragoman.providers.openai.answers import OpenAiDecoder, read_answer
from dragoman.providers.openai.faults import fault
from dragoman.providers.openai.request import write_request
from dragoman.wire.sse import SseParser


class OpenAiDialect:
    """Fulfils `Dialect`. Keeps nothing."""

    __slots__ = ()
    speaks = "chat"

    request = staticmethod(write_request)
    answer = staticmethod(read_answer)

    def parser(self) -> Parser:
        """Return what splits one stream into events."""
        return SseParser()

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""
        return OpenAiDecoder()

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)
