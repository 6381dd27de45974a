"""The door of a server that speaks TLS: clients count from the moment that they come in.

A connection is one of HTTP only after its handshake, which takes as long as the client likes, up
to a limit. Who does not even begin it is, like who sends no request, the first to go
when there is no room; uncounted, such clients would use up every file that may be open.
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
            Greeting(self._floor, self._loop, str(peer[0])).begin(place, self._context)


class Greeting:
    """One handshake. Fulfils `Held`: it holds the place that the connection will have."""

    __slots__ = ("_floor", "_loop", "_origin", "_task", "due")

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self.due = loop.time() + floor.limits.header_s
        self._floor = floor
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._origin = floor.admit(address, self)

    def begin(self, place: socket.socket, context: ssl.SSLContext) -> None:
        """Shake hands, if there is room."""
        if self._origin is None:
            place.close()
            return
        self._task = self._loop.create_task(self._greet(place, context), name="greeting")

    def over(self) -> None:
        """Give the place up, to the connection or to whoever comes."""
        if self._origin is not None:
            self._floor.release(self._origin, self)

    def overdue(self, now: float) -> None:  # noqa: ARG002 - of every deadline there is just one
        """End a handshake that takes too long."""
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
