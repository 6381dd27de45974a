"""In which words a path's errors are told, also those that no handler has seen.

Whoever calls `/v1/messages` reads Anthropic's envelope only; everybody else reads OpenRouter's,
also at `/v1/responses`, whose errors before an answer are the same.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from dragoman.core.errors import GatewayError
from dragoman.web.errors import error_body
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.errors import error_event
from dragoman.wire.chat_dialect import CHAT
from dragoman.wire.dialect import ClientDialect
from dragoman.wire.sse import data_event


class Voice(Struct, frozen=True, eq=False):
    """A client dialect, and how an error is told once an answer in it has begun."""

    dialect: ClientDialect
    late: Callable[[GatewayError], bytes]


def _as_chat(error: GatewayError) -> bytes:
    return data_event(error_body(error))


def _as_messages(error: GatewayError) -> bytes:
    return error_event(error, None)


IN_CHAT: Final = Voice(CHAT, _as_chat)
IN_MESSAGES: Final = Voice(MESSAGES, _as_messages)
VOICES: Final[Mapping[str, Voice]] = {
    "/v1/messages": IN_MESSAGES,
    "/v1/messages/count_tokens": IN_MESSAGES,
}
"""Path without `/api` -> its voice, where that is not OpenRouter's. All below Messages have it."""


def voice_of(path: str) -> Voice:
    """Return the voice of a path as the routes know it."""
    found = VOICES.get(path)
    if found is None:
        found = IN_MESSAGES if path.startswith("/v1/messages/") else IN_CHAT
    return found
