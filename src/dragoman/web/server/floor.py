"""What all connections share: the application, the limits, and who is there.

`sweep` is the one timer of all deadlines: it looks at every connection that is due.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from typing import Any, Protocol

from msgspec import Struct, structs

from dragoman.core.clock import Clock
from dragoman.core.errors import GatewayError
from dragoman.web import shedding
from dragoman.web.lanes import Lane, Tier
from dragoman.web.server.answer import date_line
from dragoman.web.server.deadlines import Limits
from dragoman.web.server.entrance import Entrance, Request
from dragoman.web.server.glance import Glance
from dragoman.web.server.head import HeadReader, read_line
from dragoman.web.server.memory import Memory
from dragoman.web.server.origins import Origin, Origins
from dragoman.web.server.proxies import Proxies
from dragoman.web.server.refusals import Excuses
from dragoman.web.server.target import path_in
from dragoman.web.shedding import Pressure
from dragoman.web.voices import IN_CHAT, Voice

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Tell = Callable[[Callable[[float], None], float], object]
"""Calls a function of one connection so that its failing concerns no other."""

MOST_AT_ONCE = 250
"""How many connections one sweep tells, at some 50 µs each."""

_log = logging.getLogger(__name__)


class Application(Protocol):
    """An ASGI application that knows its routes."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and stop."""

    def lane(self, path: str) -> Lane:
        """Say what a request for this path may be."""


class Held(Protocol):
    """A connection, as the floor knows it. Once the time is `due`, it is told."""

    due: float

    def overdue(self, now: float) -> None:
        """Do what has to be done."""

    def drop(self) -> None:
        """Close at once."""

    def give_way(self) -> None:
        """Close for a newcomer, by whom the place is taken."""

    def farewell(self) -> None:
        """Close if idle; else after the request under way."""


class Running(Protocol):
    """A request under way."""

    def cancel(self) -> None:
        """Have the application stop."""


class Caps(Struct, frozen=True):
    """How many at once: connections in all and of one address, and requests.

    `excused` are connections beyond those that there is room for, which are told so.
    """

    connections: int
    per_address: int
    requests: int
    excused: int = 64


class Floor:
    """The connections, the requests under way, and what decides about them.

    While `draining` connections close after their answer. `memory` tells which share is used.
    """

    def __init__(
        self,
        app: Application,
        reader: HeadReader,
        proxies: Proxies,
        limits: Limits,
        caps: Caps,
        memory: Callable[[], float] | None = None,
    ) -> None:
        self.app = app
        self.serve = app.__call__  # once: an object is slower to call than its method
        self.reader = reader
        self.proxies = proxies
        self.limits = limits
        self.running: set[Running] = set()
        self.draining = False
        self.date = b""
        self.scheme = "http"
        self.address: tuple[str, int] | None = None
        self._most_requests = caps.requests
        self._origins: Origins[Held] = Origins(caps.connections, caps.per_address)
        self._held: set[Held] = set()
        self._excused: set[Held] = set()
        self._most_excused = caps.excused
        self._flushes: list[Callable[[], None]] = []
        self._few = shedding.few(caps.requests)
        self._lag_s = 0.0
        self._calm = True
        self._memory = memory or Memory().share
        self._used = 0.0
        self._stopping = False
        self._usual = limits
        self._thrifty = structs.replace(limits, idle_s=limits.idle_s * shedding.THRIFT)
        self._rng = Random()  # noqa: S311 - spreads when clients come back, no secret
        self._refused = 0
        self.entrance = Entrance(self._rng, self._excuses)
        self.plain = Glance(app.lane).plain

    def admit(self, address: str, line: Held) -> Origin[Held] | None:
        """Take in a connection, for which another may have to go. None when there is no room."""
        if self._used >= shedding.SHUT:
            return None
        origins = self._origins
        origin = origins.of(address)
        crowded = origins.crowded(origin, exempt=self.proxies.trusts(address))
        if crowded is not None:
            victim = next(iter(crowded.quiet), None)
            self._refused += 1
            if victim is None:
                return None
            self.release(crowded, victim)
            victim.give_way()
            origin = origins.of(address)
        origins.add(origin, line)
        self._held.add(line)
        return origin

    def excuse(self, line: Held) -> bool:
        """Keep a connection that was not taken in until it has been told; False for most of many.

        Else a flood of those would use up the files that are left.
        """
        if len(self._excused) >= self._most_excused or self._used >= shedding.SHUT:
            return False
        self._excused.add(line)
        return True

    def release(self, origin: Origin[Held] | None, line: Held) -> None:
        """Let a connection go. Once is enough, but twice does no harm."""
        if origin is None:
            self._excused.discard(line)
        elif line in self._held:
            self._held.discard(line)
            self._origins.remove(origin, line)

    def flush_soon(self, flush: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Have a connection send what it has, by its `flush`, once all that is ready has run."""
        flushes = self._flushes
        if not flushes:
            loop.call_soon(self._flush)
        flushes.append(flush)

    def is_at_ease(self) -> bool:
        """Say whether there is time for everybody who comes, so that nobody is refused."""
        return self._calm and len(self.running) < self._few and self.entrance.is_clear()

    @property
    def crowded(self) -> bool:
        """Whether requests wait for others, so that it matters how late one comes."""
        return self.entrance.crowded

    def refusal(self, lane: Lane, *, late: bool) -> int | None:
        """Return in how many seconds to come back with a request that cannot be taken on."""
        entrance = self.entrance
        if self._calm and not entrance.overloaded and len(self.running) < self._few:
            return None
        pressure = Pressure(
            len(self.running),
            self._lag_s,
            entrance.waiting,
            entrance.overloaded,
            late,
            self._used,
            self._stopping,
        )
        refused = shedding.refuses(lane.tier, pressure, self._most_requests)
        return entrance.refuse() if refused else None

    def take_on(
        self, request: Request, lane: Lane, loop: asyncio.AbstractEventLoop, *, late: bool
    ) -> None:
        """Have a request served as soon as there is time, and who asks for health at once."""
        if lane.tier is Tier.HEALTH or lane.tier is Tier.READINESS:
            request.start()
        else:
            self.entrance.arrive(request, loop, late=late)

    def tick(self, late_s: float) -> None:
        """Take note of by how much the event loop was late, and of how much memory is left."""
        self._lag_s = shedding.smoothed(self._lag_s, late_s)
        used = self._used = self._memory()
        self.limits = self._thrifty if used >= shedding.THRIFTY else self._usual
        self.draining = self._stopping or used >= shedding.DRAINING
        self._calm = not self._stopping and shedding.is_calm(self._lag_s, used)
        self.entrance.tick()

    def sweep(self, now: float, clock: Clock, tell: Tell) -> bool:
        """Tell connections whose time has come, and take the time for all answers.

        Return whether there are more of them: a crowd is told in parts, so that nobody
        has to wait for all of it.
        """
        self.date = date_line(clock.wall())
        due = [each for each in (*self._excused, *self._held) if each.due <= now]
        for line in due[:MOST_AT_ONCE]:
            tell(line.overdue, now)
        self._origins.look_again()
        if self._refused:
            _log.warning("connections.crowded closed=%d held=%d", self._refused, len(self._held))
            self._refused = 0
        return len(due) > MOST_AT_ONCE

    def drain(self) -> None:
        """Say good-bye to those that wait; the others are told with their answer."""
        self.draining = self._stopping = True
        self._calm = False
        for line in list(self._held):
            line.farewell()

    def abandon(self) -> None:
        """Have every request under way stop, and none begin."""
        self.entrance.close()
        for request in list(self.running):
            request.cancel()

    def clear(self) -> None:
        """Close whatever is still open."""
        for line in (*self._excused, *self._held):
            line.drop()

    def voice(self, head: bytes) -> Voice:
        """Return what the client understands of whose head so much has come."""
        first, ends, _ = head.partition(b"\r\n")
        try:
            path = read_line(first).target.path if ends else path_in(first)
        except GatewayError:
            path = path_in(first)
        return self.app.lane(path).voice if path else IN_CHAT

    def _excuses(self, retry_after_s: int) -> Excuses:
        return Excuses(retry_after_s, self.date)

    def _flush(self) -> None:
        flushes, self._flushes = self._flushes, []
        for flush in flushes:
            flush()

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._held)

    @property
    def empty(self) -> bool:
        """Whether every connection is gone."""
        return not self._held
