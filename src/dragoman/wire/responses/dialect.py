"""OpenAI's Responses API as a client dialect."""

from collections.abc import Mapping
from typing import Final

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import ROUTING, encode
from dragoman.wire.chat import ChatCall
from dragoman.wire.chat_dialect import refusal_body
from dragoman.wire.dialect import EventWriter, Spent, Told
from dragoman.wire.hub import Answer
from dragoman.wire.responses.failure import is_cut
from dragoman.wire.responses.native import NativeWriter, native_body
from dragoman.wire.responses.output import Output
from dragoman.wire.responses.request import NAME, parse_responses
from dragoman.wire.responses.resource import INCOMPLETE, Resource
from dragoman.wire.responses.writer import Writer, asked_of, wants_encrypted


class ResponsesDialect:
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = NAME
    one_choice = True

    def parse(self, body: bytes, headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest or InvalidPrompt."""
        return parse_responses(body, headers)

    def writer(self, told: Told) -> EventWriter:
        """Return what writes the events of one stream."""
        return NativeWriter(told) if told.native else Writer(told)

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return a whole response."""
        if told.native and answer.native is not None:
            return native_body(answer.native, told, spent, routing)
        asked = asked_of(told)
        choice = answer.choices[0]
        status = b"incomplete" if choice.finish_reason in INCOMPLETE else b"completed"
        output = Output(told.stamp.id, asked, status, sealed=wants_encrypted(asked))
        output.take(choice)
        resource = Resource(told.stamp, asked)
        resource.tier = answer.service_tier
        return resource.ended(b",".join(output.items), choice.finish_reason, spent, routing)

    def refusal(self, error: GatewayError, told: Told | None) -> tuple[int, bytes]:
        """Return status and body for a request that failed before its answer began.

        Errors are chat's, but for those about length: they end the response, and do not fail it.
        """
        if told is None or not is_cut(error):
            return error.code, refusal_body(error)
        routing = b"" if error.routing is None else ROUTING + encode(error.routing)
        return 200, Resource(told.stamp, asked_of(told)).cut(b"", None, routing)


RESPONSES: Final = ResponsesDialect()
