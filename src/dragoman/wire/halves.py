r"""Characters beyond the first 65,536 in JSON, of which a host sends halves.

JSON writes such a character as two escapes, `\ud83d\ude00` (RFC 8259, 7). Hosts that count in
UTF-16, as JavaScript does, cut a text between the two: half a character is no character, and
strict parsers, ours too, refuse the whole of what it is in. So a half that a text ends in is kept,
and put before the one that a later text begins with. What stays alone becomes U+FFFD.
"""

import re

NO_CHARACTER = rb"\ufffd"
QUOTE = b'"'

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SECOND = b"cdefCDEF"


def without_halves(data: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a character."""
    return _ESCAPE.sub(lambda found: NO_CHARACTER if found["half"] else found[0], data)


class Halves:
    """Mends the events of one stream that have halves in them, in their order."""

    __slots__ = ("_first",)

    def __init__(self) -> None:
        self._first = b""

    def joined(self, data: bytes) -> bytes:
        """Return an event's JSON in which all characters are whole."""
        return _ESCAPE.sub(self._mend, data)

    def _mend(self, found: "re.Match[bytes]") -> bytes:
        half = found["half"]
        if half is None:
            return found[0]
        if half[1] in _SECOND:
            first, self._first = self._first, b""
            begins = found.string[found.start() - 1 : found.start()] == QUOTE
            return first + found[0] if first and begins else NO_CHARACTER
        if found.string.startswith(QUOTE, found.end()):
            self._first = found[0]
            return b""
        return NO_CHARACTER
