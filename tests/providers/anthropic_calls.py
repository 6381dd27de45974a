"""Short ways to have a call put into Anthropic's words, and to look at what leaves."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from pydantic import TypeAdapter

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.hub import Members, Native

DIALECT = DIALECTS["anthropic"]
MODEL = "claude-opus-4-5"
HI: dict[str, Any] = {"role": "user", "content": "hi"}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

_WHOLE: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
_STREAM: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsStreaming)


def call(*messages: Mapping[str, Any], **members: Any) -> ChatCall:
    """A call as a client of the hub's dialect sends it: one that says hi, or other messages."""
    body = {"model": "anthropic/claude", "messages": list(messages) or [HI], **members}
    return parse_chat(json.dumps(body).encode())


def native(body: Mapping[str, Any] | str, *headers: tuple[str, str], **fields: Any) -> ChatCall:
    """A call whose client sent `body` in the dialect itself."""
    source = body if isinstance(body, str) else json.dumps(body)
    members = msgspec.json.decode(source, type=Members)
    sent = Native(dialect="messages", members=members, headers=headers)
    return msgspec.structs.replace(call(), native=sent, **fields)


def text(words: str, **more: Any) -> dict[str, Any]:
    """A part of a message, or a block: both have the same form."""
    return {"type": "text", "text": words, **more}


def called(id_: str, arguments: str = '{"city": "Bern"}') -> dict[str, Any]:
    """A call that the model made, in the hub's words."""
    return {"id": id_, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def endpoint(upstream: str = MODEL, *supports: str, max_output: int | None = 64_000) -> Endpoint:
    return Endpoint(
        id="anthropic|anthropic/claude",
        model="anthropic/claude",
        provider="anthropic",
        provider_name="Anthropic",
        tag="anthropic",
        upstream=upstream,
        price=None,
        supports=frozenset(supports),
        max_output=max_output,
    )


def provider(**changes: Any) -> Provider:
    fields: dict[str, Any] = {
        "slug": "anthropic",
        "name": "Anthropic",
        "dialect": "anthropic",
        "base_url": "http://127.0.0.1:9100/v1",
    }
    return Provider(**{**fields, **changes})


def write(asked: ChatCall, at: Endpoint | str = MODEL, **quirks: Any) -> Outgoing:
    place = endpoint(at) if isinstance(at, str) else at
    return DIALECT.request(asked, place, provider(quirks=Quirks(**quirks)))


def sent(outgoing: Outgoing) -> dict[str, Any]:
    """The body, which fulfils the types of Anthropic's own SDK."""
    body: dict[str, Any] = json.loads(outgoing.body)
    fulfils_the_sdk(body)
    return body


def fulfils_the_sdk(body: Mapping[str, Any]) -> None:
    # Sampling is no more in the SDK's types, though older models and versions take it.
    rest = {k: v for k, v in body.items() if k not in {"temperature", "top_p", "top_k"}}
    adapter = _STREAM if body.get("stream") else _WHOLE
    exhaust(adapter.validate_python(rest, strict=False))


def exhaust(value: Any) -> None:
    """Have pydantic look at all: what is iterable in a type is only checked when it is walked."""
    if isinstance(value, Mapping):
        for inner in value.values():
            exhaust(inner)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for inner in value:
            exhaust(inner)


def said(outgoing: Outgoing) -> list[tuple[str, str]]:
    assert all(note.provider == "anthropic" and note.detail for note in outgoing.notes)
    return [(note.change.value, note.field) for note in outgoing.notes]


def messages(outgoing: Outgoing) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(outgoing)["messages"]
    return found
