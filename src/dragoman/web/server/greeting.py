"""The door of a server that speaks TLS: clients count from the moment that they come in.

A connection is one of HTTP only after its handshake, which takes as long as the client likes, up
to a limit. Who does not even begin it is, like who sends no request, the first to go
when there is no room; uncounted, such clients would use up every file that may be open.

Where every connection is at work, to say so takes a handshake too, which costs more than many a
request that it refuses. So there are few of these in a second; all others are closed unheard.
"""

import asyncio
import errno
import socket
import ssl
from typing import Final

from dragoman.web.server.connection import Connection
from dragoman.web.server.floor import Floor

ACCEPTED_AT_ONCE: Final = 16
"""How many connections are taken in within one turn of the event loop."""
REST_S: Final = 0.1
"""How long nobody is taken in once there was no file left for a connection."""
EXCUSED_PER_S: Final = 50
"""How many are told in a second that there is no room, at some 2 ms each with a key of RSA."""
EXCUSE_S: Final = 2.0
"""How long such a client may take for its handshake."""
SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Door:
    """Takes in who comes by a socket that listens, until it is closed."""

    def __init__(
        self,
        floor: Floor,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        context: ssl.SSLContext,
    ) -> None:
        self._floor = floor
        self._loop = loop
        self._listener = listener
        self._context = context
        self._excuses = Excuses(loop)
        self._resting: asyncio.TimerHandle | None = None
        self._open()

    def close(self) -> None:
        """Take nobody in any more, and close the socket."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _open(self) -> None:
        self._resting = None
        self._loop.add_reader(self._listener, self._take_in)

    def _take_in(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                place, peer = self._listener.accept()
            except OSError as error:  # there is nobody, or he has left
                if error.errno in SHORTAGE:
                    self._loop.remove_reader(self._listener)
                    self._resting = self._loop.call_later(REST_S, self._open)
                return
            place.settimeout(0)
            place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            greeting = Greeting(self._floor, self._loop, str(peer[0]))
            if greeting.has_place or (self._excuses.are_left() and greeting.excuse()):
                greeting.begin(place, self._context)
            else:
                place.close()


class Excuses:
    """How many may still be told within this second that there is no room."""

    __slots__ = ("_left", "_loop", "_second")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._left = 0
        self._second = -1

    def are_left(self) -> bool:
        """Say whether one more may be told, and count it."""
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._left = second, EXCUSED_PER_S
        self._left -= 1
        return self._left >= 0


class Greeting:
    """One handshake. Fulfils `Held`: it holds the place that the connection will have, if any."""

    __slots__ = ("_floor", "_loop", "_origin", "_task", "due")

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self.due = loop.time() + floor.limits.header_s
        self._floor = floor
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._origin = floor.admit(address, self)

    @property
    def has_place(self) -> bool:
        """Whether there is room for the connection."""
        return self._origin is not None

    def excuse(self) -> bool:
        """Make it one for a client that is told no, if that may be; there is less time for it."""
        self.due = min(self.due, self._loop.time() + EXCUSE_S)
        return self._floor.excuse(self)

    def begin(self, place: socket.socket, context: ssl.SSLContext) -> None:
        """Shake hands."""
        self._task = self._loop.create_task(self._greet(place, context), name="greeting")

    def over(self) -> None:
        """Give the place up, to the connection or to whoever comes."""
        self._floor.release(self._origin, self)

    def overdue(self, now: float) -> None:  # noqa: ARG002 - of every deadline there is just one
        """End a handshake that takes too long."""
        self.drop()

    def give_way(self) -> None:
        """End a handshake: somebody else needs the place."""
        self.drop()

    def farewell(self) -> None:
        """End a handshake: the server stops."""
        self.drop()

    def drop(self) -> None:
        """Close at once."""
        if self._task is not None:
            self._task.cancel()
        self.over()

    async def _greet(self, place: socket.socket, context: ssl.SSLContext) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Greeted(self, self._floor, self._loop),
                place,
                ssl=context,
                ssl_handshake_timeout=self._floor.limits.header_s,
            )
        except OSError:  # of TLS, of TCP, or of time: nobody is there to be told
            place.close()
        finally:
            self.over()


class Greeted(Connection):
    """A connection that takes the place of its handshake."""

    __slots__ = ("_greeting",)

    def __init__(self, greeting: Greeting, floor: Floor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(floor, loop)
        self._greeting = greeting

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of streams
        """Take the client in."""
        self._greeting.over()
        super().connection_made(transport)
