"""The role `developer`, OpenAI's newer name for the system, which many hosts refuse."""

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Members

_DEVELOPER, _SYSTEM = Raw(b'"developer"'), Raw(b'"system"')

_rows = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode


def without_developers(messages: Raw) -> Raw:
    """Return messages whose instructions are all the system's; the same if they were."""
    if bytes(_DEVELOPER) not in bytes(messages):
        return messages
    rows = _rows(messages)
    if all(row.get("role") != _DEVELOPER for row in rows):
        return messages
    for row in rows:
        if row.get("role") == _DEVELOPER:
            row["role"] = _SYSTEM
    return Raw(_encode(rows))
