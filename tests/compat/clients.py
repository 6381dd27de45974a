"""The client dialects of the matrix: what a client sends, and how it reads what comes.

Answers and events are held against the types of the official SDKs before anything is
read from them; the order of events is held against what those clients rely on.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from tests.compat import chat, completions, messages, responses
from tests.compat.asks import SYSTEM, Ask, Got
from tests.compat.events import Body, Event


class Client(Struct, frozen=True, kw_only=True):
    """A dialect that clients speak. `stop` and `calls` are its words for how an answer ended."""

    name: str
    path: str
    stop: str
    calls: str
    body: Callable[[Ask], Body]
    whole: Callable[[Body], Got]
    stream: Callable[[list[Event]], Got]
    refusal: Callable[[Body], str]
    """Reads the message out of an error's envelope, having checked the envelope."""
    system: str = SYSTEM
    """The instructions that it can give."""
    only: frozenset[str] | None = None
    """The features that its API has a place for, where those are not all."""


def openrouter_refusal(body: Body) -> str:
    """Read OpenRouter's envelope of errors."""
    assert isinstance(body["error"]["code"], int)
    return str(body["error"]["message"])


CLIENTS: Final = (
    Client(
        name="chat",
        path="/api/v1/chat/completions",
        stop="stop",
        calls="tool_calls",
        body=chat.chat_body,
        whole=chat.chat_whole,
        stream=chat.chat_stream,
        refusal=openrouter_refusal,
    ),
    Client(
        name="messages",
        path="/api/v1/messages",
        stop="end_turn",
        calls="tool_use",
        body=messages.messages_body,
        whole=messages.messages_whole,
        stream=messages.messages_stream,
        refusal=messages.messages_refusal,
    ),
    Client(
        name="responses",
        path="/api/v1/responses",
        stop="completed",
        calls="completed",
        body=responses.responses_body,
        whole=responses.responses_whole,
        stream=responses.responses_stream,
        refusal=openrouter_refusal,
    ),
    Client(
        name="completions",
        path="/api/v1/completions",
        stop="stop",
        calls="",
        body=completions.completions_body,
        whole=completions.completions_whole,
        stream=completions.completions_stream,
        refusal=openrouter_refusal,
        system="",
        only=frozenset(
            {
                "plain",
                "stream",
                "JSON schema",
                "error",
                "streamed error",
                "error mid-stream",
                "cut mid-stream",
            }
        ),
    ),
)
