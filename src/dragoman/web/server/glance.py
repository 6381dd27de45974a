"""What a glance tells of a request: whether it can be refused without being read.

In an overload most of the work is to say no, and to read a head by the letter costs as much as
the rest of it. A glance lets pass only what no two readers can disagree about: one
whole request to an inference route, of a length told once. Everything else is read.
"""

import re
from collections.abc import Callable
from typing import Literal

from dragoman.core.errors import GatewayError
from dragoman.web.lanes import Lane, Tier
from dragoman.web.server.head import LONGEST_KEPT, MOST_DIGITS, MOST_KEPT, read_line
from dragoman.web.voices import Voice

_TELLING = re.compile(
    rb"\n(?:content-length: (\d{1,%d})(?=\r|$)|connection: (?!keep-alive(?:\r|$))"
    rb"|content-length|transfer-encoding|expect|upgrade|[ \t])" % MOST_DIGITS
)
"""The lines, in lower case, that tell of a request's end and what follows it."""


class Glance:
    """Looks at requests. `lane` is the application's."""

    __slots__ = ("_lane", "_lines")

    def __init__(self, lane: Callable[[str], Lane]) -> None:
        self._lane = lane
        self._lines: dict[bytes, Voice | Literal[False]] = {}

    def plain(self, data: bytes) -> Voice | None:
        """Return what its client understands if `data` is one whole POST to inference, else None.

        After such a request the connection goes on.
        """
        head, _, body = data.partition(b"\r\n\r\n")
        first = head[: head.find(b"\r")]  # a head of one line has no length, and is not plain
        voice = self._lines.get(first)
        if voice is None:
            voice = self._learn(first)
        return voice if voice and length_of(head.lower()) == len(body) else None

    def _learn(self, first: bytes) -> Voice | Literal[False]:
        plain = self._of_inference(first)
        if len(first) <= LONGEST_KEPT:
            if len(self._lines) >= MOST_KEPT:
                self._lines.clear()
            self._lines[first] = plain
        return plain

    def _of_inference(self, first: bytes) -> Voice | Literal[False]:
        try:
            line = read_line(first)
        except GatewayError:
            return False
        if line.method != "POST" or not line.minor:
            return False
        lane = self._lane(line.target.path)
        return lane.tier is Tier.INFERENCE and lane.voice


def length_of(head: bytes) -> int | None:
    """Return the length of the body by a head in lower case, None where there is any doubt."""
    if head.count(b"\r") != head.count(b"\r\n"):
        return None
    told: list[bytes] = _TELLING.findall(head)
    return int(told[0]) if len(told) == 1 and told[0] else None
