"""Ids of calls of tools for hosts that take nine letters and digits, or no long ones.

Other models' ids may be longer than a host takes: Moonshot's have the name of the function in them,
OpenAI's chat takes 40 letters ("string too long. Expected a string with maximum length 40").

Source of the nine: github.com/mistralai/mistral-common, `InstructRequestValidator`; the API's own
words, "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9".
"""

import hashlib
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Members

LENGTH = 9
_MARK = 8
"""As many letters tell an id that was cut from others that begin alike."""

Make = Callable[[str], str]

_rows = msgspec.json.Decoder(list[Members]).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def short_id(text: str) -> str:
    """Return an id of nine letters and digits: the same if it is one, else made from it."""
    if len(text) == LENGTH and text.isascii() and text.isalnum():
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def capped_id(text: str, most: int) -> str:
    """Return an id of at most so many letters: the same if it is one, else its begin and a hash."""
    if len(text) <= most:
        return text
    return f"{text[: most - _MARK - 1]}_{hashlib.sha256(text.encode()).hexdigest()[:_MARK]}"


def has_long_ids(source: bytes, name: bytes, most: int) -> bool:
    """Whether a member of that name has an id of more than so many letters, escapes counted."""
    begin = source.find(name)
    while begin >= 0:
        begin += len(name)
        opening = source.find(b'"', begin)
        if opening >= 0 and source.find(b'"', opening + 1, opening + most + 2) < 0:
            return True
        begin = source.find(name, begin)
    return False


def with_capped_ids(messages: Raw, most: int) -> tuple[Raw, bool]:
    """Return messages whose calls and results have ids so long, and whether any had another."""
    if not has_long_ids(bytes(messages), b'"tool_call_id"', most):
        return messages, False
    return _with_ids(messages, lambda text: capped_id(text, most))


def with_short_ids(messages: Raw) -> tuple[Raw, bool]:
    """Return messages whose calls and results have such ids, and whether any had another."""
    if b'"tool_call' not in bytes(messages):
        return messages, False
    return _with_ids(messages, short_id)


def _with_ids(messages: Raw, make: Make) -> tuple[Raw, bool]:
    rows = _rows(messages)
    changed = False
    for row in rows:
        for name, value in (("tool_call_id", _made), ("tool_calls", _of_calls)):
            if name in row and bytes(row[name]) != b"null":
                made = value(row[name], make)
                changed = changed or made is not row[name]
                row[name] = made
    return (Raw(_encode(rows)), True) if changed else (messages, False)


def _of_calls(calls: Raw, make: Make) -> Raw:
    found = _rows(calls)
    made = [{**each, "id": _made(each["id"], make)} for each in found]
    return (
        Raw(_encode(made))
        if any(_differ(*pair) for pair in zip(found, made, strict=True))
        else calls
    )


def _differ(old: Mapping[str, Raw], new: Mapping[str, Raw]) -> bool:
    return old["id"] is not new["id"]


def _made(id_: Raw, make: Make) -> Raw:
    text = _text(id_)
    made = make(text)
    return id_ if made == text else Raw(_encode(made))
