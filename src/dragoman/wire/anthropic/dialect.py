"""Anthropic's Messages as a client dialect."""

from collections.abc import Mapping
from typing import Final

from dragoman.core.errors import GatewayError
from dragoman.wire.anthropic.errors import envelope
from dragoman.wire.anthropic.message import message_body
from dragoman.wire.anthropic.request import NAME, parse_messages
from dragoman.wire.anthropic.stream import MessagesWriter
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import EventWriter, Spent, Told
from dragoman.wire.hub import Answer


class MessagesDialect:
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = NAME
    one_choice = True

    def parse(self, body: bytes, headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest or InvalidPrompt."""
        return parse_messages(body, headers)

    def writer(self, told: Told) -> EventWriter:
        """Return what writes the events of one stream."""
        return MessagesWriter(told)

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return a whole message."""
        return message_body(told, answer, spent, routing)

    def refusal(self, error: GatewayError, told: Told | None) -> tuple[int, bytes]:
        """Return status and body for a request that failed before its answer began."""
        return error.code, envelope(error, None if told is None else told.stamp.id)


MESSAGES: Final = MessagesDialect()
