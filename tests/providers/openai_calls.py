"""Short ways to have a call translated, and to look at what leaves."""

import json
from typing import Any

import msgspec

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.core.notes import Change
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members
from dragoman.wire.preferences import Preferences

DIALECT = DIALECTS["openai"]
HELLO = '"messages":[{"role":"user","content":"h\\u00e9llo"}]'


def call(source: str, **changes: Any) -> ChatCall:
    """A call with the given members beside a model and a message."""
    comma = "," if source else ""
    body = f'{{"model":"acme/turbo",{HELLO}{comma}{source}}}'
    fields: dict[str, Any] = {
        "members": msgspec.json.decode(body, type=Members),
        "model": "acme/turbo",
        "models": ("acme/turbo",),
        "preferences": Preferences(),
        "partition": "model",
        "route_by_price": False,
        "stream": False,
        "max_tokens": None,
        "parameters": frozenset(),
        "inputs": frozenset({"text"}),
        "outputs": frozenset({"text"}),
        "text_bytes": 5,
        "reasoning": None,
        "tools": False,
        "json_output": False,
        "session_id": None,
        "user": None,
        "tags": {},
        "trace": {},
        "echo_upstream_body": False,
        "not_applied": (),
    }
    return ChatCall(**{**fields, **changes})


def endpoint(*supports: str, max_output: int | None = None) -> Endpoint:
    return Endpoint(
        id="acme|acme/turbo",
        model="acme/turbo",
        provider="acme",
        provider_name="Acme",
        tag="acme",
        upstream="turbo-1",
        price=None,
        supports=frozenset(supports),
        max_output=max_output,
    )


def provider(**changes: Any) -> Provider:
    fields: dict[str, Any] = {
        "slug": "acme",
        "name": "Acme",
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9100/v1",
    }
    return Provider(**{**fields, **changes})


def write(
    asked: ChatCall, at: Endpoint | None = None, host: Provider | None = None, **quirks: Any
) -> Outgoing:
    return DIALECT.request(asked, at or endpoint(), host or provider(quirks=Quirks(**quirks)))


def sent(outgoing: Outgoing) -> dict[str, Any]:
    """The body, less the two members that every body here has."""
    body: dict[str, Any] = json.loads(outgoing.body)
    assert body.pop("model") == "turbo-1"
    assert body.pop("messages") == [{"role": "user", "content": "héllo"}]
    return body


def said(outgoing: Outgoing) -> list[tuple[Change, str]]:
    assert all(note.provider == "acme" and note.detail for note in outgoing.notes)
    return [(note.change, note.field) for note in outgoing.notes]
