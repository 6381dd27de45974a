"""Short ways to have a call put into Converse's words, and to look at what leaves and comes."""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from struct import pack
from typing import Any
from zlib import crc32

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.hub import Chunk, Text

DIALECT = DIALECTS["bedrock"]
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HI: dict[str, Any] = {"role": "user", "content": "hi"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def call(*messages: Mapping[str, Any], **members: Any) -> ChatCall:
    """A call as a client of the hub's dialect sends it: one that says hi, or other messages."""
    body = {"model": "acme/turbo", "messages": list(messages) or [HI], **members}
    return parse_chat(json.dumps(body).encode())


def endpoint(upstream: str = CLAUDE, *supports: str, max_output: int | None = 64_000) -> Endpoint:
    return Endpoint(
        id="amazon-bedrock|acme/turbo",
        model="acme/turbo",
        provider="amazon-bedrock",
        provider_name="Amazon Bedrock",
        tag="amazon-bedrock",
        upstream=upstream,
        price=None,
        supports=frozenset(supports),
        max_output=max_output,
    )


def provider(**changes: Any) -> Provider:
    fields: dict[str, Any] = {
        "slug": "amazon-bedrock",
        "name": "Amazon Bedrock",
        "dialect": "bedrock",
        "base_url": "http://127.0.0.1:9100",
    }
    return Provider(**{**fields, **changes})


def write(asked: ChatCall, at: Endpoint | str = CLAUDE, **quirks: Any) -> Outgoing:
    place = endpoint(at) if isinstance(at, str) else at
    return DIALECT.request(asked, place, provider(quirks=Quirks(**quirks)))


def sent(outgoing: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(outgoing.body)
    return body


def turns(outgoing: Outgoing) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(outgoing)["messages"]
    return found


def said(outgoing: Outgoing) -> list[tuple[str, str]]:
    assert all(note.provider == "amazon-bedrock" and note.detail for note in outgoing.notes)
    return [(note.change.value, note.field) for note in outgoing.notes]


def called(id_: str, arguments: str = '{"city": "Bern"}') -> dict[str, Any]:
    """A call that the model made, in the hub's words."""
    return {"id": id_, "type": "function", "function": {"name": "weather", "arguments": arguments}}


def header(name: str, value: str) -> bytes:
    """A frame's header that is a text."""
    return pack(">B", len(name)) + name.encode() + pack(">BH", 7, len(value)) + value.encode()


def raw_frame(headers: bytes, payload: bytes) -> bytes:
    prelude = pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + pack(">I", crc32(prelude)) + headers + payload
    return body + pack(">I", crc32(body))


def frame(kind: str, payload: Mapping[str, Any] | bytes) -> bytes:
    """An event as AWS frames it."""
    headers = (
        header(":event-type", kind)
        + header(":content-type", "application/json")
        + header(":message-type", "event")
    )
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return raw_frame(headers, data)


def broken(kind: str, message: str) -> bytes:
    """An exception as AWS frames it."""
    headers = (
        header(":exception-type", kind)
        + header(":content-type", "application/json")
        + header(":message-type", "exception")
    )
    return raw_frame(headers, json.dumps({"message": message}).encode())


def chunks(stream: bytes, *cuts: int) -> list[Chunk | Text]:
    """What the hub gets of a stream, cut at these places on its way."""
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    places = [0, *sorted(cuts), len(stream)]
    events = [event for begin, end in pairwise(places) for event in parser.feed(stream[begin:end])]
    return [chunk for event in events if (chunk := decoder.feed(event)) is not None]


def stream_of(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Frames of events as botocore prints them: one member, which is the kind."""
    return b"".join(frame(kind, payload) for each in events for kind, payload in each.items())
