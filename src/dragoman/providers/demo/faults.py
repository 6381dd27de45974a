"""Failing on request, so that anyone can watch the gateway cope.

A system message or the last user message says so, for every demo host or for some:
`[[fault:status 503 @demo-swift]]`, `[[fault:cut 10 @demo-swift,demo-steady]]`,
`[[fault:hang]]`. The first marker meant for a host decides what it does; markers
are no part of the question. `script` turns a fault into bytes.
"""

import re
from typing import NamedTuple

from msgspec import Struct

_MARKER = re.compile(r"\[\[fault:([^\[\]]{0,200})\]\]")


class Kind(NamedTuple):
    """A way to fail: the number it takes when none is given, its range, and what it does."""

    default: float
    least: float
    most: float
    effect: str


KINDS = {
    "status": Kind(503, 400, 599, "answers with HTTP status N (503)"),
    "retry-after": Kind(1, 0, 3600, "answers 429 with `Retry-After: N` (1)"),
    "hang": Kind(0, 0, 4096, "goes silent after N tokens; 0, or not streamed: never answers (0)"),
    "slow": Kind(5, 0, 600, "takes N seconds longer to begin (5)"),
    "cut": Kind(5, 0, 4096, "breaks the connection after N tokens (5)"),
    "malformed": Kind(3, 0, 4096, "sends a frame that is not JSON after N tokens (3)"),
    "sse-error": Kind(3, 0, 4096, "reports an error inside the answer after N tokens (3)"),
    "empty": Kind(0, 0, 0, "answers 200 with an empty body"),
    "html": Kind(0, 0, 0, "answers 200 with a web page"),
}
"""What may stand after `fault:`."""


class Fault(Struct, frozen=True):
    """One failure to act out, and its number."""

    kind: str
    number: float


def wanted(text: str, provider: str) -> Fault | None:
    """Return the fault that `text` asks of `provider`, None if none.

    Raises ValueError, with a message for people, when a marker cannot be understood.
    """
    for marker in _MARKER.findall(text):
        asked, _, hosts = marker.partition("@")
        fault = _fault(asked)
        if not hosts or provider in {host.strip() for host in hosts.split(",")}:
            return fault
    return None


def without_markers(text: str) -> str:
    """Return `text` as if nobody had asked for a fault."""
    return _MARKER.sub("", text).strip() if "[[fault:" in text else text


def _fault(asked: str) -> Fault:
    name, *numbers = asked.split() or [""]
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"There is no fault named {name!r}.\n\n{explanation()}")
    try:
        number = float(numbers[0]) if numbers else kind.default
    except ValueError:
        number = -1.0
    if len(numbers) > 1 or not kind.least <= number <= kind.most:
        raise ValueError(
            f"The fault {name!r} takes one number from {kind.least:g} to {kind.most:g}.\n\n"
            f"{explanation()}"
        )
    return Fault(name, number)


def explanation() -> str:
    """Return what may be written in a marker, as Markdown."""
    listed = "\n".join(
        f"- `{name}{' N' if kind.most else ''}`: {kind.effect}" for name, kind in KINDS.items()
    )
    return (
        "Write `[[fault:KIND N @HOST,HOST]]` in the message; without hosts it is meant for all "
        f"demo hosts. The kinds, with what N is when left out:\n\n{listed}"
    )
