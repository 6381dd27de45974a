"""Hosts that take requests and say nothing: told by what several wait for in vain.

A count of faults sees nothing until the first patience ends, and by then everybody waits. So
streams note since when they have heard nothing. Once a second it is looked which endpoints
hang: several streams have waited there for longer than is usual, and none has begun meanwhile.
Those that can go on elsewhere are told to. What the streams of one key alone wait for counts
for that key only: it may have asked for what takes long. Whole answers are not watched, since
their first byte comes after their last token, and own credentials are their accounts' affair.
"""

import math
from collections.abc import Callable

from msgspec import Struct

from dragoman.upstream.patience import Patience

SEVERAL = 3
"""So many streams have to be silent: of fewer each may have asked for what takes long."""
LEAST_S, MOST_S = 4.0, 60.0
TIMES_USUAL = 3.0
"""A stream is silent for too long after so many times what nearly all take to begin."""
SHARE = 0.25
"""And after this share of its patience, where too little is known to say what is usual."""
OLD_S = 2.0
"""Who has heard nothing for so long from an endpoint that hangs need not wait any longer."""

Usual = Callable[[str], float | None]
"""In how many seconds nearly all answers of an endpoint begin, None where that is not known."""


class Hang(Struct, frozen=True):
    """An endpoint that hangs; `who` is the key whose streams alone wait, empty if several do."""

    endpoint: str
    who: str


def _never() -> bool:
    return False


class Waiter(Struct, frozen=True):
    """Whose stream waits, as the hash of a key, and who can tell if it has elsewhere to go."""

    who: str = ""
    can_go_on: Callable[[], bool] = _never


NOBODY = Waiter()


class Silence:
    """A stream that waits for its first content. `ended` once it was told to go on elsewhere."""

    __slots__ = ("ended", "endpoint", "heard_at", "patience", "patience_s", "waiter")

    def __init__(
        self,
        endpoint: str,
        patience: Patience,
        patience_s: float,
        now: float,
        waiter: Waiter = NOBODY,
    ) -> None:
        self.endpoint = endpoint
        self.patience = patience
        self.patience_s = patience_s
        self.heard_at = now
        """When something came, content or not; at first, when it was asked."""
        self.waiter = waiter
        self.ended = False

    def borne_s(self, usual_s: float | None) -> float:
        """Return for how long it is no sign of a hang."""
        if usual_s is None:
            return self.patience_s * SHARE
        return min(MOST_S, max(LEAST_S, TIMES_USUAL * usual_s))

    def end(self) -> None:
        """Have the stream fail now, as it does when its patience ends."""
        self.ended = True
        self.patience.end()


class Hangs:
    """The streams that wait, by endpoint, and when one last began."""

    __slots__ = ("_began_at", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, set[Silence]] = {}
        self._began_at: dict[str, float] = {}

    def begin(self, silence: Silence) -> None:
        """Watch a stream. Whoever does says when it is over."""
        self._waiting.setdefault(silence.endpoint, set()).add(silence)

    def over(self, silence: Silence, began_at: float | None) -> None:
        """Watch a stream no longer, which began with its content, or failed: then None."""
        endpoint = silence.endpoint
        waiting = self._waiting[endpoint]
        waiting.discard(silence)
        if not waiting:
            del self._waiting[endpoint]
        if began_at is not None:
            self._began_at[endpoint] = began_at

    def look(self, now: float, usual: Usual) -> list[Hang]:
        """Return which endpoints hang for whom, and tell their streams that can to go on."""
        many = [each for each, waiting in self._waiting.items() if len(waiting) >= SEVERAL]
        found = [self._hang(endpoint, now, usual(endpoint)) for endpoint in many]
        hangs = [hang for hang in found if hang is not None]
        for hang in hangs:
            for silence in self._waiting[hang.endpoint]:
                waiter = silence.waiter
                waits = not silence.ended and now - silence.heard_at >= OLD_S
                if waits and hang.who in {"", waiter.who} and waiter.can_go_on():
                    silence.end()
        return hangs

    def _hang(self, endpoint: str, now: float, usual_s: float | None) -> Hang | None:
        borne = {
            silence: borne_s
            for silence in self._waiting[endpoint]
            if now - silence.heard_at >= (borne_s := silence.borne_s(usual_s))
        }
        if len(borne) < SEVERAL:
            return None
        if now - self._began_at.get(endpoint, -math.inf) < min(borne.values()) / 2:
            return None
        keys = {silence.waiter.who for silence in borne}
        return Hang(endpoint, keys.pop() if len(keys) == 1 else "")


UNWATCHED = Hangs()
"""For streams that say nothing about an endpoint."""
