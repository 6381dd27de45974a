"""Who signed the reasoning that a client keeps: bound to it, where that is not OpenAI itself.

What OpenAI encrypts is recognised as its own by saying nothing else. Others have the same API and
other keys: their `encrypted_content` reaches clients sealed with its format, and is opened again
for whoever made it. All others are then spared what they would refuse.
"""

from typing import Any

import msgspec
from msgspec import Raw

from dragoman.providers.responses.event import Item, read_item
from dragoman.providers.responses.message import passages_of
from dragoman.wire.details import Detail
from dragoman.wire.hub import Members
from dragoman.wire.responses.raw import is_list, is_object
from dragoman.wire.responses.thoughts import ENCRYPTED, OPENAI, SUMMARY, seal, unseal

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_list = msgspec.json.Decoder(list[Raw]).decode


def bound_event(data: bytes, form: str) -> bytes:
    """Return an event with the reasoning in its item, or in its response's items, bound."""
    if form == OPENAI or data.find(b'"encrypted_content"') < 0:
        return data
    event = _members(data)
    if is_object(event.get("item", Raw())):
        event["item"] = _bound_item(event["item"], form)
    if is_object(event.get("response", Raw())):
        event["response"] = Raw(bound_response(bytes(event["response"]), form))
    return _encode(event)


def bound_response(data: bytes, form: str) -> bytes:
    """Return a response with the reasoning in its items bound."""
    if form == OPENAI or data.find(b'"encrypted_content"') < 0:
        return data
    response = _members(data)
    if is_list(response.get("output", Raw())):
        items = [_bound_item(each, form) for each in _list(response["output"])]
        response["output"] = Raw(_encode(items))
    return _encode(response)


def opened(content: str, form: str) -> str | None:
    """Return what was sealed, if it was `form` that signed it; None for what another did."""
    try:
        details = unseal(content)
    except ValueError:
        return None
    if any(each.get("format") != form for each in details):
        return None
    data = [each.get("data") for each in details if each.get("type") == ENCRYPTED]
    return data[0] if len(data) == 1 and isinstance(data[0], str) else None


def _bound_item(raw: Raw, form: str) -> Raw:
    item = read_item(raw)
    if item.type != "reasoning" or not item.encrypted_content:
        return raw
    found: dict[str, Any] = _members(raw)
    found["encrypted_content"] = seal(_details(item, form))
    return Raw(_encode(found))


def _details(item: Item, form: str) -> list[Detail]:
    found: list[Detail] = [
        {"type": kind, "summary" if kind == SUMMARY else "text": text}
        for kind, _, text in passages_of(item)
    ]
    found.append({"type": ENCRYPTED, "data": item.encrypted_content})
    shared: Detail = {"format": form, **({"id": item.id} if item.id else {})}
    return [{**each, **shared} for each in found]
