"""Ids of calls of tools for hosts that take nine letters and digits, and nothing else.

Source: github.com/mistralai/mistral-common, `InstructRequestValidator`; the API's own words, "Tool
call id was … but must be a-z, A-Z, 0-9, with a length of 9".
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Members

LENGTH = 9

_rows = msgspec.json.Decoder(list[Members]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def short_id(text: str) -> str:
    """Return an id of nine letters and digits: the same if it is one, else made from it."""
    if len(text) == LENGTH and text.isascii() and text.isalnum():
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def with_short_ids(messages: Raw) -> tuple[Raw, bool]:
    """Return messages whose calls and results have such ids, and whether any had another."""
    if b'"tool_call' not in bytes(messages):
        return messages, False
    rows = _rows(messages)
    changed = False
    for row in rows:
        for name, value in (("tool_call_id", _shortened), ("tool_calls", _of_calls)):
            if name in row and bytes(row[name]) != b"null":
                made = value(row[name])
                changed = changed or made is not row[name]
                row[name] = made
    return (Raw(_encode(rows)), True) if changed else (messages, False)


def _of_calls(calls: Raw) -> Raw:
    found = _rows(calls)
    made = [{**each, "id": _shortened(each["id"])} for each in found]
    return (
        Raw(_encode(made))
        if any(_differ(*pair) for pair in zip(found, made, strict=True))
        else calls
    )


def _differ(old: Mapping[str, Raw], new: Mapping[str, Raw]) -> bool:
    return old["id"] is not new["id"]


def _shortened(id_: Raw) -> Raw:
    text = _text(id_)
    made = short_id(text)
    return id_ if made == text else Raw(_encode(made))
