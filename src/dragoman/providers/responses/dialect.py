"""The Responses API as one object, for the registry and whoever sends."""

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.dialect import Fault, Outgoing, Parser, StreamDecoder
from dragoman.providers.openai.faults import fault
from dragoman.providers.responses.answers import read_answer
from dragoman.providers.responses.native import write_native
from dragoman.providers.responses.request import write_hub
from dragoman.providers.responses.stream import ResponsesDecoder
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer
from dragoman.wire.responses.thoughts import OPENAI
from dragoman.wire.sse import SseParser


class ResponsesDialect:
    """Fulfils `Dialect`. Keeps nothing but the name of who signs reasoning."""

    __slots__ = ("_form",)
    speaks = "responses"

    def __init__(self, form: str = OPENAI) -> None:
        self._form = form

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        native = call.native
        if native is not None and native.dialect == self.speaks:
            return write_native(call, native, endpoint, provider, self._form)
        return write_hub(call, endpoint, provider, self._form)

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""
        return read_answer(body, self._form)

    def parser(self) -> Parser:
        """Return what splits one stream into events."""
        return SseParser()

    def decoder(self) -> StreamDecoder:
        """Return a fresh reader for one stream."""
        return ResponsesDecoder(self._form)

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)
