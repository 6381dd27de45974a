"""Streams as clients read them."""

import json
from typing import Any

Body = dict[str, Any]
Event = tuple[str, Body]
"""The name of an event, and its data."""


def events(raw: bytes) -> list[Event]:
    """Return the events of a stream; comments, and the `[DONE]` at its end, are left out."""
    found: list[Event] = []
    for block in raw.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if fields.get("data", "[DONE]") != "[DONE]":
            found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found
