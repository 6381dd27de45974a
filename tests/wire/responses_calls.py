"""Short ways to have a Responses request read, and to look at what it comes to."""

import json
from typing import Any

import msgspec

from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.usage import Usage

GENERATION = "gen-1760000000-abcdefghijklmnopqrst"
SPENT = Spent(
    Usage(prompt=12, completion=9, reasoning=5, cached=4),
    Billing(cost=0.25, upstream=0.25, prompt=0.1, completion=0.15),
)
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def call(headers: dict[bytes, bytes] | None = None, **members: Any) -> ChatCall:
    """Return a request as it is read, with a model and an input unless others are given."""
    body = {"model": "acme/turbo", "input": "hello", **members}
    return RESPONSES.parse(json.dumps(body).encode(), headers or {})


def hub(asked: ChatCall) -> dict[str, Any]:
    """Return the members in the hub's form."""
    return {name: msgspec.json.decode(value) for name, value in asked.members.items()}


def messages(*items: Any, **members: Any) -> Any:
    """Return the messages that items come to."""
    return hub(call(input=list(items), **members))["messages"]


def lost(asked: ChatCall) -> tuple[str, ...]:
    assert asked.native is not None
    return tuple(note.field for note in asked.native.notes)


def told(asked: ChatCall, *, native: bool = False) -> Told:
    stamp = Stamp(id=GENERATION, created=1760000000, model="acme/turbo", provider="Acme")
    return Told(stamp=stamp, call=asked, native=native)
