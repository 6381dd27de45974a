"""Reasoning that somebody else than Anthropic signed, in Anthropic's blocks and back.

A client of this dialect sends blocks of reasoning back as it got them. What vouches for them
(a signature, an encrypted text, an id) means something to whoever made them only, so it is
kept with that origin's name: as one opaque text, in the place of Anthropic's own. Anthropic
must not see it, as it refuses what it has not signed.
"""

import binascii
from base64 import b64decode, b64encode
from typing import Any

import msgspec

from dragoman.wire.details import Detail

ANTHROPIC = "anthropic-claude-v1"
PREFIX = "openrouter.reasoning:"
"""What an opaque text of ours begins with."""

_KEPT = ("type", "format", "id", "index", "signature", "data")

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def seal(detail: Detail) -> str:
    """Return what vouches for a detail, as one opaque text."""
    kept = {name: detail[name] for name in _KEPT if detail.get(name) is not None}
    return PREFIX + b64encode(_encode(kept)).decode()


def is_sealed(text: str) -> bool:
    """Whether a signature, or a redacted text, is one of ours."""
    return text.startswith(PREFIX)


def unseal(text: str) -> Detail:
    """Return the detail less its readable text; nothing if nobody can read the seal."""
    try:
        found = _decode(b64decode(text[len(PREFIX) :], validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return {name: found[name] for name in _KEPT if _is_plain(found.get(name))}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
