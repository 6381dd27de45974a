"""Turns and kept connections of one origin.

A turn is the right to use one connection. There are as many turns as connections
allowed, and a new connection is only opened by who holds a turn and finds none
kept, so the limit holds without counting connections. Does no I/O itself: the
connections and the sweep come from outside.
"""

import asyncio
from collections import deque
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from dragoman.net.types import NetError

MISTRUSTED_SWEEPS = 60
"""For so many sweeps, one a second, no connection is kept to a host that answered unasked."""


class Poolable(Protocol):
    """What a lane needs to know of a connection."""

    @property
    def closing(self) -> bool:
        """Whether it can no longer carry a request."""

    def cut(self) -> None:
        """Break it off now; `Lane.lost` follows."""

    def sweep(self, now: float, keepalive_s: float) -> None:
        """Fail or cut whatever is overdue at monotonic time `now`."""


C = TypeVar("C", bound=Poolable)


class Counts(Struct, frozen=True):
    """Gauges: turns taken, connections kept idle, connections open, calls waiting."""

    busy: int = 0
    kept: int = 0
    open: int = 0
    waiting: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.busy + other.busy,
            self.kept + other.kept,
            self.open + other.open,
            self.waiting + other.waiting,
        )


class Lane(Generic[C]):
    """The connections to one origin: who may use one, which are kept, who waits."""

    __slots__ = ("_busy", "_empty", "_kept", "_limit", "_mistrusted", "_open", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy = 0
        self._mistrusted = 0  # for so many sweeps more
        self._kept: list[C] = []
        self._open: set[C] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()

    @property
    def counts(self) -> Counts:
        """How full the lane is now."""
        return Counts(self._busy, len(self._kept), len(self._open), len(self._waiting))

    @property
    def size(self) -> int:
        """How many connections there are, or will be: those kept, and a turn each of the others."""
        return self._busy + len(self._kept)

    @property
    def vacant(self) -> bool:
        """Whether the lane can be forgotten: no turn taken, no connection open, nothing to know."""
        return not self._busy and not self._open and not self._mistrusted

    def enter(self) -> bool:
        """Take a turn if one is free. Whoever got one calls `leave`, once."""
        if self._busy >= self._limit:
            return False
        self._busy += 1
        return True

    async def wait(self, deadline: float) -> None:
        """Take the next free turn, in order of arrival.

        Raises NetError("pool") when the sweep finds `deadline` (monotonic) passed,
        and at once when as many calls wait already as there are turns.
        """
        if len(self._waiting) >= self._limit:
            raise NetError("pool", f"{self._limit} calls wait already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, deadline))
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled between being handed the turn and waking up to use it.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()
            raise

    def leave(self) -> None:
        """Hand the turn to who waits longest, or free it."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1

    def opened(self, connection: C) -> None:
        """Count a connection until it is `lost`."""
        self._open.add(connection)
        self._empty.clear()

    def take(self) -> C | None:
        """Return the connection kept last, the least likely to be dead, or None."""
        while self._kept:
            connection = self._kept.pop()
            if not connection.closing:
                return connection
        return None

    def keep(self, connection: C) -> None:
        """Keep a connection that has carried a request and can carry another."""
        if self._mistrusted:
            connection.cut()
            return
        self._kept.append(connection)

    def mistrust(self) -> bool:
        """Keep no connection for a while, and none that is kept now; False if that is so already.

        An answer to nobody that is on its way when a request leaves cannot be told from its own.
        """
        was_trusted = not self._mistrusted
        self._mistrusted = MISTRUSTED_SWEEPS
        self.drop_kept()
        return was_trusted

    def drop_kept(self) -> None:
        """Cut all that is kept: where one connection has died of age, others have too."""
        for connection in tuple(self._kept):
            connection.cut()
        self._kept.clear()

    def spare(self) -> bool:
        """Cut the connection kept longest, to make room elsewhere; tell whether there was one."""
        if not self._kept:
            return False
        self._kept.pop(0).cut()
        return True

    def lost(self, connection: C) -> None:
        """Forget a connection that is gone."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()
        if connection in self._kept:
            self._kept.remove(connection)

    def sweep(self, now: float, keepalive_s: float) -> None:
        """Fail the waits and cut the connections that are overdue at `now`."""
        if self._waiting:
            waiting, self._waiting = self._waiting, deque()
            for turn, deadline in waiting:
                if turn.done():
                    continue
                if now < deadline:
                    self._waiting.append((turn, deadline))
                else:
                    turn.set_exception(NetError("pool", "no connection came free in time"))
        if self._mistrusted:
            self._mistrusted -= 1
        for connection in tuple(self._open):
            connection.sweep(now, keepalive_s)

    def close(self) -> None:
        """Fail every wait and cut every connection."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(NetError("pool", "the client is closed"))
        for connection in tuple(self._open):
            connection.cut()

    async def emptied(self) -> None:
        """Return when no connection is open any more."""
        await self._empty.wait()
