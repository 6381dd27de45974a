"""A provider's error in its own words, whatever shape it came in.

Shapes met: `{"error": {…}}` (OpenAI and most), a list around that (Google), an
error that is a bare sentence (xAI, Ollama, TGI), members at the top (Cerebras,
Mistral, vLLM), `{"detail": …}` (FastAPI). Meaning is given by `faults`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

LONGEST_MESSAGE = 500
LONGEST_CODE = 64
LONGEST_BODY = 256 * 1024

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Words(Struct, frozen=True, kw_only=True):
    """What an error says. `codes` are machine-readable, the most telling first."""

    message: str | None = None
    codes: tuple[str, ...] = ()
    status: int | None = None
    param: str | None = None


def read_words(data: bytes | msgspec.Raw) -> Words:
    """Read the JSON of an error; nothing is known of what is not JSON, or very long."""
    if len(data) > LONGEST_BODY:
        return Words()
    try:
        tree = _decode(data)
    except (ValueError, RecursionError):
        return Words()
    return _words(tree)


def shorten(text: str) -> str:
    """Return text on one line, of at most 500 characters."""
    line = " ".join(text[: 4 * LONGEST_MESSAGE].split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _words(tree: Any) -> Words:
    if isinstance(tree, list) and tree:
        tree = tree[0]
    if isinstance(tree, str) and tree:
        return Words(message=shorten(tree))
    if not isinstance(tree, dict):
        return Words()
    error = tree.get("error")
    if isinstance(error, dict):
        return _of_object(error)
    if isinstance(error, str):
        return _of_object({**tree, "message": error})
    return _of_object(tree)


def _of_object(error: dict[str, Any]) -> Words:
    param = error.get("param")
    return Words(
        message=_message(error),
        codes=tuple(dict.fromkeys(_codes(error))),
        status=_status(error),
        param=param if isinstance(param, str) and param else None,
    )


def _message(error: dict[str, Any]) -> str | None:
    for name in ("message", "detail"):
        value = error.get(name)
        if value:
            return shorten(value if isinstance(value, str) else _encode(value).decode())
    return None


def _codes(error: dict[str, Any]) -> Iterator[str]:
    """Yield what may be a machine's word for the error, the most telling first."""
    nested = [error.get("metadata"), error.get("innererror")]
    details = error.get("details")
    nested += details if isinstance(details, list) else [details]
    found = [error.get("code")]
    for part in nested:
        if isinstance(part, dict):
            found += [part.get("error_type"), part.get("code"), part.get("reason")]
            found += [part.get("error_code")]  # Anthropic's `details`, an object
    found += [error.get("type"), error.get("error_type"), error.get("status")]
    yield from (value for value in found if isinstance(value, str) and _is_code(value))


def _is_code(text: str) -> bool:
    """Whether text is one token and no number: xAI puts a sentence into `code`, Azure a status."""
    one_token = text.isprintable() and " " not in text
    return one_token and 0 < len(text) <= LONGEST_CODE and not text.isdigit()


def _status(error: dict[str, Any]) -> int | None:
    for name in ("code", "status", "status_code", "http_status"):
        value = error.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
            value = int(value)
        if type(value) is int and 400 <= value <= 599:
            return value
    return None
