"""Where requests wait until the event loop has time for them: a few are let in each turn.

Work that has begun competes with all that began before it. So what comes too fast waits
here, where it costs next to nothing and can still be refused, and the loop's turns stay short.

In an overload nothing is read until it has been chosen. Whoever comes within a turn is a
newcomer; when the turn ends, those who came last are let in, and the others are told no,
one after the other, which costs less than half of what it does in between.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

from dragoman.web import shedding
from dragoman.web.voices import Voice


class Request(Protocol):
    """A request whose head has been read. `left` once nobody waits for the answer."""

    left: bool

    def start(self) -> None:
        """Have it served."""

    def turn_away(self, retry_after_s: int) -> None:
        """Answer that there is no time for it."""


class Newcomer(Protocol):
    """A connection with something to read. It may be gone, or have been read, by the time."""

    def come_in(self) -> None:
        """Read it, and go on as if there were no overload."""

    def brush_off(self, refusals: Mapping[Voice, bytes]) -> bool:
        """Answer that there is no time, without reading it; False if it has to be read."""


class Entrance:
    """Lets requests in. `overloaded` while so many come that some are turned away.

    `refusals` makes the answers for those who are brushed off, given when to come back.
    """

    __slots__ = (
        "_entered",
        "_last",
        "_monotonic",
        "_most",
        "_newcomers",
        "_now",
        "_refusals",
        "_refused",
        "_rng",
        "_turning",
        "_waiting",
        "overloaded",
    )

    def __init__(
        self,
        rng: Random,
        refusals: Callable[[int], Mapping[Voice, bytes]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.overloaded = False
        self._refusals = refusals
        self._rng = rng
        self._monotonic = monotonic
        self._waiting: deque[tuple[float, Request]] = deque()
        self._newcomers: list[Newcomer] = []
        self._turning = False
        self._entered = 0  # in this turn
        self._most = shedding.LET_IN  # to enter in this turn
        self._refused = 0  # in this tick
        self._last = 0.0
        self._now = 0.0  # the time waited, without pauses of the loop

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def is_clear(self) -> bool:
        """Say whether nobody waits, and nobody has to be turned away."""
        return not (self._waiting or self.overloaded)

    @property
    def crowded(self) -> bool:
        """Whether it is worth knowing how late somebody comes."""
        return self.overloaded or shedding.newest_first(len(self._waiting))

    def come(self, newcomer: Newcomer, loop: asyncio.AbstractEventLoop) -> None:
        """Decide at the end of the turn about one who comes in an overload."""
        self._newcomers.append(newcomer)
        if not self._turning:
            self._have_turn(loop)

    def arrive(self, request: Request, loop: asyncio.AbstractEventLoop, *, late: bool) -> None:
        """Let a request in, now or when there is time. Who comes late has waited before."""
        if self._waiting or self._entered >= self._most:
            waits = self._waiting.appendleft if late else self._waiting.append
            waits((self._waiting[0][0] if late and self._waiting else self._now, request))
            return
        if not self._turning:
            self._have_turn(loop)
        self._entered += 1
        request.start()

    def refuse(self) -> int:
        """Note that somebody is turned away, and return in how many seconds to come back."""
        self._refused += 1
        return shedding.back_after_s(self._rng)

    def tick(self) -> None:
        """Take note that `TICK_S` have passed: an overload is over when nobody was refused."""
        self.overloaded = self.overloaded and self._refused > 0
        self._refused = 0

    def close(self) -> None:
        """Turn away all who wait."""
        self._cut(0)
        self._brush_off(0)

    def _have_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turning = True
        self._last = self._monotonic()
        loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let in the next ones: what has begun is served in between."""
        self._entered = 0
        self._most = shedding.admits(len(self._newcomers), overloaded=self.overloaded)
        if not (self._waiting or self._newcomers):
            self._turning = False
            return
        now = self._monotonic()
        self._now += min(now - self._last, shedding.LONGEST_TURN_S)
        self._last = now
        if self._waiting:
            oldest_s = self._now - self._waiting[0][0]
            if shedding.overloads(oldest_s, len(self._waiting)):
                self.overloaded = True
                self._cut(shedding.ROOM)
            self._let_in()
        if self._newcomers:
            self._choose()
        loop.call_soon(self._turn, loop)

    def _let_in(self) -> None:
        waiting = self._waiting
        take = waiting.pop if shedding.newest_first(len(waiting)) else waiting.popleft
        while waiting and self._entered < self._most:
            request = take()[1]
            if not request.left:
                self._entered += 1
                request.start()

    def _choose(self) -> None:
        """Let in those who came last, keep a few at hand, and tell the others no."""
        came = self._newcomers
        while came and self._entered < self._most:
            came.pop().come_in()
        self._brush_off(shedding.ROOM)

    def _brush_off(self, room: int) -> None:
        came = self._newcomers
        over = max(len(came) - room, 0)
        self._newcomers = came[over:]
        if not over:
            return
        refusals = self._refusals(shedding.back_after_s(self._rng))
        self._refused += over
        for each in came[:over]:
            if not each.brush_off(refusals):
                each.come_in()

    def _cut(self, room: int) -> None:
        while len(self._waiting) > room:
            request = self._waiting.popleft()[1]
            if not request.left:
                request.turn_away(self.refuse())
