"""Short ways to have a call put into Cohere's words, and to look at what leaves and comes."""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.hub import Chunk, Text

DIALECT = DIALECTS["cohere"]
MODEL = "command-a-reasoning-08-2025"
HI: dict[str, Any] = {"role": "user", "content": "hi"}


def call(*messages: Mapping[str, Any], **members: Any) -> ChatCall:
    """A call as a client of the hub's dialect sends it: one that says hi, or other messages."""
    body = {"model": "acme/turbo", "messages": list(messages) or [HI], **members}
    return parse_chat(json.dumps(body).encode())


def endpoint(*supports: str, max_output: int | None = 8_000) -> Endpoint:
    return Endpoint(
        id="cohere|acme/turbo",
        model="acme/turbo",
        provider="cohere",
        provider_name="Cohere",
        tag="cohere",
        upstream=MODEL,
        price=None,
        supports=frozenset(supports),
        max_output=max_output,
    )


def write(asked: ChatCall, at: Endpoint | None = None, **quirks: Any) -> Outgoing:
    row = Provider(
        slug="cohere",
        name="Cohere",
        dialect="cohere",
        base_url="http://127.0.0.1:9100/v2",
        quirks=Quirks(**quirks),
    )
    return DIALECT.request(asked, at or endpoint(), row)


def sent(outgoing: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(outgoing.body)
    return body


def said(outgoing: Outgoing) -> list[tuple[str, str]]:
    assert all(note.provider == "cohere" and note.detail for note in outgoing.notes)
    return [(note.change.value, note.field) for note in outgoing.notes]


def stream_of(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Events as Cohere sends them."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (each["type"].encode(), json.dumps(each).encode())
        for each in events
    )


def chunks(stream: bytes, *cuts: int) -> list[Chunk | Text]:
    """What the hub gets of a stream, cut at these places on its way."""
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    places = [0, *sorted(cuts), len(stream)]
    events = [event for begin, end in pairwise(places) for event in parser.feed(stream[begin:end])]
    return [chunk for event in events if (chunk := decoder.feed(event)) is not None]
