"""The server's life: it starts the application, listens, and stops without cutting anything off.

On the first signal nobody new is let in, open requests may go on for `drain_s`, and
what is still open then is cancelled, which has a stream end with its one error event.
A second signal does not wait.
"""

import asyncio
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Protocol

import uvloop

from dragoman.core.clock import Clock
from dragoman.web import shedding
from dragoman.web.options import ServerOptions
from dragoman.web.server.answer import date_line
from dragoman.web.server.connection import Connection
from dragoman.web.server.deadlines import Limits, period
from dragoman.web.server.floor import Application, Caps, Floor, Message
from dragoman.web.server.greeting import ACCEPTED_AT_ONCE, Door
from dragoman.web.server.head import HeadReader
from dragoman.web.server.proxies import Colleagues, Proxies

BACKLOG = 4096
"""How many connections wait to be taken in. Of these uvloop takes one in each turn for each socket
that listens, which is too few when turns are long: so one is listened on many times over."""
UNSENT_BYTES = 128 * 1024
"""What the system may hold unsent for a connection; more would only hide a client that is slow."""
MOST_EXCUSED = 64
"""How many connections may be told at a time that there is no room, if there are files enough."""
GRACE_S = 5.0
"""How long what was cancelled may take to say so."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""To stop; the last comes from a terminal that is closed."""


class Closable(Protocol):
    """What takes clients in."""

    def close(self) -> None:
        """Take nobody in any more."""


class StartFailed(Exception):
    """The application did not come up."""


class Server:
    """One listening server. `on_start` is told where, `on_drain` how many requests it waits for."""

    def __init__(
        self,
        app: Application,
        options: ServerOptions,
        on_start: Callable[[str], None],
        on_drain: Callable[[int], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self._options = options
        self._on_start = on_start
        self._on_drain = on_drain
        self._clock = clock or Clock()
        self._limits = limits_of(options)
        self._ssl = tls(options)
        self.floor = Floor(
            app,
            HeadReader(options.hosts),
            Proxies(options.trusted_proxies),
            self._limits,
            caps_of(options, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )
        self.floor.scheme = "https" if self._ssl else "http"
        self._signals = 0
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()

    def run(self, listener: socket.socket) -> None:
        """Serve until a signal. Raises StartFailed."""
        uvloop.run(self.serve(listener))

    def stop(self) -> None:
        """Stop, with patience the first time it is said, and without it the second."""
        (self._hurrying if self._stopping.is_set() else self._stopping).set()

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a socket that is bound. Raises StartFailed."""
        loop = asyncio.get_running_loop()
        self.floor.date = date_line(self._clock.wall())
        where = self._settle_at(listener)
        with self._heeding(loop):
            async with self._alive(), asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(loop))
                servers = await self._listening(loop, listener)
                self._on_start(where)
                await self._stopping.wait()
                for server in servers:
                    server.close()
                await self._drained()
                watch.cancel()

    def _settle_at(self, listener: socket.socket) -> str:
        """Prepare for who will come by this socket; return where it is."""
        if listener.family == socket.AF_UNIX:
            self.floor.proxies = Colleagues()
            return str(listener.getsockname())
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.floor.address = listener.getsockname()[:2]
        return url_of(self.floor.scheme, *listener.getsockname()[:2])

    async def _listening(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket
    ) -> Sequence[Closable]:
        if listener.family == socket.AF_UNIX:
            make = partial(Connection, self.floor, loop)
            return [await loop.create_unix_server(make, sock=listener, backlog=BACKLOG)]
        if self._ssl is not None:
            listener.listen(BACKLOG)
            listener.settimeout(0)
            return [Door(self.floor, loop, listener, self._ssl)]
        return [
            await loop.create_server(
                lambda: Connection(self.floor, loop), sock=each, backlog=BACKLOG
            )
            for each in (listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1)))
        ]

    @contextmanager
    def _heeding(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Stop on signals, until the end: a late one must not cut off what is being recorded."""
        before = {each: signal.getsignal(each) for each in SIGNALS}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # nohup
            del before[signal.SIGHUP]
        for each in before:
            loop.add_signal_handler(each, self.stop)
        try:
            yield
        finally:
            for each, handler in before.items():
                loop.remove_signal_handler(each)
                signal.signal(each, handler)

    @asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        """Start the application, and stop it at the end (ASGI, "Lifespan Protocol")."""
        told: asyncio.Queue[Message] = asyncio.Queue()
        said: asyncio.Queue[Message] = asyncio.Queue()
        living = asyncio.ensure_future(self.floor.app({"type": "lifespan"}, told.get, said.put))
        await self._tell("startup", living, told, said)
        try:
            yield
        finally:
            await self._tell("shutdown", living, told, said)
            await living

    async def _tell(
        self,
        moment: str,
        living: asyncio.Future[None],
        told: asyncio.Queue[Message],
        said: asyncio.Queue[Message],
    ) -> None:
        told.put_nowait({"type": f"lifespan.{moment}"})
        answer = asyncio.ensure_future(said.get())
        either: set[asyncio.Future[Any]] = {living, answer}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await living
            raise StartFailed(f"the application ended at its {moment}")
        if answer.result()["type"] != f"lifespan.{moment}.complete":
            raise StartFailed(str(answer.result().get("message", "")))

    async def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure how late the event loop is, and have deadlines kept."""
        every_s = period(self._limits)
        tick_s = min(shedding.TICK_S, every_s)
        next_sweep = loop.time()
        while True:
            due = loop.time() + tick_s
            await asyncio.sleep(tick_s)
            now = loop.time()
            self.floor.tick(max(now - due, 0.0))
            if now >= next_sweep:
                more = self.floor.sweep(now, self._clock, loop.call_soon)
                next_sweep = now if more else now + every_s

    async def _drained(self) -> None:
        """Let open requests end, then cancel them, then close."""
        floor = self.floor
        floor.drain()
        if floor.running:
            self._on_drain(len(floor.running))
        await self._until(lambda: floor.empty, self._options.drain_s, hurried=True)
        floor.abandon()
        await self._until(lambda: floor.empty and not floor.running, GRACE_S, hurried=False)
        floor.clear()

    async def _until(self, is_so: Callable[[], bool], for_s: float, *, hurried: bool) -> None:
        """Wait until something is so, or for so long, or, if `hurried`, for a second signal."""
        loop = asyncio.get_running_loop()
        end = loop.time() + for_s
        while not (is_so() or loop.time() >= end or (hurried and self._hurrying.is_set())):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


def tls(options: ServerOptions) -> ssl.SSLContext | None:
    """Return how to speak TLS, None without a certificate. Raises OSError and SSLError."""
    if options.certfile is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certfile, options.keyfile)
    context.set_alpn_protocols(["http/1.1"])
    return context


def limits_of(options: ServerOptions) -> Limits:
    """Return the deadlines of the settings."""
    return Limits(
        header_s=options.header_s,
        body_s=options.body_s,
        body_stall_s=options.body_stall_s,
        idle_s=options.idle_s,
        stall_s=options.stall_s,
    )


def caps_of(options: ServerOptions, open_files: int) -> Caps:
    """Return how much may go on at once in a process that may open so many files."""
    connections = options.connections or max(open_files // 2, 1)
    return Caps(
        connections=connections,
        per_address=options.connections_per_address or max(connections // 2, 1),
        requests=options.requests or connections,
        excused=min(MOST_EXCUSED, open_files // 16),
    )


def url_of(scheme: str, host: str, port: int) -> str:
    """Return where a server is, as it can be pasted."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
