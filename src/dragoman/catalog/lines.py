"""Where in a JSON text a value stands, so that people are told the line to look at.

A decoder that is fast does not say. This one reads the text again, only when
something is wrong with it, and only as far as it has to.
"""

from contextlib import suppress
from json import JSONDecoder

Step = str | int
Path = tuple[Step, ...]

BLANKS = " \t\n\r"

_read = JSONDecoder(strict=False, parse_int=str, parse_float=str).raw_decode


class Lines:
    """The lines of one JSON text, which need not be sound to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._children: dict[int, dict[Step, int]] = {}

    def at(self, path: Path) -> int:
        """Return the line, from 1, of the value at `path`, or of what is there of its parents."""
        offset = self._skip(0)
        for step in path:
            offset = self._of(offset).get(step, offset)
        return self._text.count("\n", 0, offset) + 1

    def _of(self, offset: int) -> dict[Step, int]:
        """Return where the children of the value at `offset` begin, by index or by name."""
        if offset not in self._children:
            found: dict[Step, int] = {}
            # Where the text breaks off or is damaged, what was found so far is known.
            with suppress(ValueError, IndexError, RecursionError):
                self._walk(offset, found)
            self._children[offset] = found
        return self._children[offset]

    def _walk(self, offset: int, found: dict[Step, int]) -> None:
        opening = self._text[offset]
        if opening not in "[{":
            return
        at = self._skip(offset + 1)
        while self._text[at] not in "]}":
            name: Step = len(found)
            if opening == "{":
                name, end = _read(self._text, at)
                if not isinstance(name, str):
                    return  # damaged: no other value can be a name
                at = self._skip(self._skip(end) + 1)
            found.setdefault(name, at)
            at = self._skip(_read(self._text, at)[1])
            if self._text[at] == ",":
                at = self._skip(at + 1)

    def _skip(self, at: int) -> int:
        """Return where the next value, name or sign begins, from `at` on."""
        text, end = self._text, len(self._text)
        while at < end and text[at] in BLANKS:
            at += 1
        return at
