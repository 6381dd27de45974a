"""A request body as the members of a JSON object, or a sentence that says what is wrong with it.

Members stay bytes (`msgspec.Raw`), so that what nobody here acts on is forwarded
as it came. The grammar of every value is checked all the same; only the size of
numbers is left to whoever gives them a type. JSON that parsers disagree about is
refused: a key given twice, a byte order mark, any encoding but UTF-8.
"""

import codecs
import json
import re
from collections import Counter

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.wire.hub import Members

MOST_STRUCTURE = 500_000
"""The most `[`, `{` and `,` that a body may have: what makes a parser slow is not bytes."""
MOST_MEMBERS = 1_000
"""The most members of a body, or of an object in it that is read member by member: each takes
steps of ours, which would hold up everybody else. No API has a tenth as many."""

TOO_DEEP = "The request body is nested too deeply."
SPACE = b" \t\r\n"
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_LEAD = re.compile(rb'\s*[{,]\s*"([^"\\]*)"\s*:\s*')
_HALF = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
    rb"(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""The first escape of a surrogate that stands alone. Parsers refuse it in words of their own."""
_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_pairs = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str).decode


def members(body: bytes) -> Members:
    """Return the members of the JSON object `body`. Raises InvalidRequest for anything else."""
    body = body.rstrip(SPACE)
    _check_text(body)
    try:
        return _unique(body, "")
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The request body must be a JSON object: {error}.") from None
    except msgspec.DecodeError as error:
        reason = why_unreadable(body, error)
        raise InvalidRequest(f"The request body is not valid JSON: {reason}.") from None


def why_unreadable(body: bytes, error: Exception) -> str:
    """Return why `body` is no JSON that is read here, which the parser's `error` may not tell."""
    if not body.strip(SPACE):
        return "the body is empty"
    half = _HALF.match(body)
    if half is None:
        return str(error)
    escape, place = half[1].decode(), half.start(1)
    return f"{escape} (byte {place}) is half of a character, as of an emoji that was cut in two"


def object_members(value: Raw, path: str) -> Members | None:
    """Return the members of `value`, which stands at `path` in a checked body; None if it is null.

    Raises InvalidRequest when it is no object, or has a key twice.
    """
    body = bytes(value)
    if body == b"null":
        return None
    if not body.startswith(b"{"):
        raise InvalidRequest(f"{path}: must be an object")
    return _unique(body, f"{path}.")


def _check_text(body: bytes) -> None:
    """Refuse what is not UTF-8, or would keep a parser busy, before any parser sees it."""
    if not body:
        raise InvalidRequest("The request body is empty; send a JSON object.")
    is_ascii = body.isascii()
    if 0 in body[:4] or not (is_ascii or not body.startswith(MARKS)):
        raise InvalidRequest("The request body must be UTF-8 without a byte order mark.")
    try:
        if not is_ascii:
            body.decode()
    except UnicodeDecodeError as error:
        reason = f"{error.reason} (byte {error.start})"
        raise InvalidRequest(f"The request body is not valid UTF-8: {reason}.") from None
    if len(body) > MOST_STRUCTURE and _structure(body) > MOST_STRUCTURE:
        limit = f"{MOST_STRUCTURE:,}"
        raise InvalidRequest(f"The request body has more than {limit} of [, {{ and , together.")


def _structure(body: bytes) -> int:
    """Return how many `[`, `{` and `,` there are: in one pass, where to count each takes three."""
    return len(body) - len(body.translate(None, b"[{,"))


def _unique(body: bytes, prefix: str) -> Members:
    """Return the members of an object. Raises msgspec.DecodeError when it is none."""
    try:
        found = _decode(body)
        if len(found) > MOST_MEMBERS:
            what = prefix.rstrip(".") or "The request body"
            raise InvalidRequest(f"{what} has more than {MOST_MEMBERS:,} members.")
        duplicate = None if len(body) == _compact(found) else _duplicate(found, body)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    if duplicate is not None:
        raise InvalidRequest(f"{prefix}{duplicate}: given more than once")
    return found


def _compact(found: Members) -> int:
    """Return how many bytes an object takes that has these members and no white space."""
    return sum(map(len, found)) + sum(map(len, found.values())) + 4 * len(found) + 1


def _duplicate(found: Members, body: bytes) -> str | None:
    """Return a key that the object `body` has twice, None if there is none.

    The parser keeps the last of two, and what it found then does not add up to the
    body's length (`_compact`). Neither does it where there is white space, so there the
    body is walked member by member. Only what then remains in doubt is read once more, by
    a slower parser that keeps all pairs.
    """
    if _is_made_of(found, body):
        return None
    keys = Counter(key for key, _ in _pairs(body.decode()))
    return next((key for key, times in keys.items() if times > 1), None)


def _is_made_of(found: Members, body: bytes) -> bool:
    """Whether `body` has just the members of `found`, in their order; no if a key has escapes."""
    end = 0
    for key, value in found.items():
        lead = _LEAD.match(body, end)
        if lead is None or lead[1] != key.encode():
            return False
        if not body.startswith(bytes(value), lead.end()):
            return False
        end = lead.end() + len(value)
    return body[end:].strip(SPACE) == b"}"
