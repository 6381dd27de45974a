"""The HTTP/1.1 client: takes a turn, finds or opens a connection, sends, hands over the answer.

Fulfils `Transport`. Follows no redirects, keeps no cookies, decodes no content and
repeats nothing: whoever calls decides what to do about a failure.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache

from dragoman.core.clock import Clock
from dragoman.net.connection import Connection
from dragoman.net.dial import Dialer, Resolver, secure_context, system_resolver
from dragoman.net.exchange import Exchange
from dragoman.net.pool import Counts, Lane
from dragoman.net.request import encode_head
from dragoman.net.types import Limits, NetError, Request
from dragoman.net.url import Origin, locate


def _contexts(ca_file: str | None) -> Callable[[], ssl.SSLContext]:
    """Return what makes the TLS context. A bad `ca_file` is found at once, not on first use."""
    if ca_file is None:
        return secure_context
    context = secure_context(ca_file)
    return lambda: context


class HttpClient:
    """Sends requests over kept connections, at most `connections_per_host` per origin.

    Its owner runs `run` for as long as it is in use, or calls `sweep` itself, and
    `aclose` at the end.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ca_file: str | None = None,
        connections_per_host: int = 200,
        keepalive_s: float = 55.0,
        sweep_s: float = 1.0,
        resolve: Resolver = system_resolver,
    ) -> None:
        self._now = clock.monotonic
        self._dialer = Dialer(_contexts(ca_file), resolve)
        self._connections_per_host = connections_per_host
        self._keepalive_s = keepalive_s
        self._sweep_s = sweep_s
        self._lanes: dict[Origin, Lane[Connection]] = {}
        self._locate = lru_cache(maxsize=1024)(locate)
        self._closed = False

    @property
    def counts(self) -> Counts:
        """Gauges over all origins."""
        return sum((lane.counts for lane in self._lanes.values()), Counts())

    async def send(self, request: Request, limits: Limits) -> Exchange:
        """Return the answer once its head is in. Raises NetError.

        Raises ValueError for a URL or headers that cannot be written as one request.
        """
        location = self._locate(request.url)
        head = encode_head(request, location)
        if self._closed:
            raise NetError("pool", "the client is closed")
        lane = self._lane(location.origin)
        if not lane.enter():
            await lane.wait(self._now() + limits.pool_s)
        connection = lane.take() or await self._open(lane, location.origin, limits)
        exchange = Exchange(connection, request.method, limits, self._now() + limits.head_s)
        connection.start(exchange, head, request.body)
        await exchange.head()
        return exchange

    async def run(self) -> None:
        """Sweep every `sweep_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._sweep_s)
            self.sweep(self._now())

    def sweep(self, now: float) -> None:
        """Fail what is overdue at monotonic time `now`, and cut connections kept too long."""
        for origin, lane in tuple(self._lanes.items()):
            lane.sweep(now, self._keepalive_s)
            if lane.vacant:
                del self._lanes[origin]

    async def aclose(self) -> None:
        """Cut every connection, answers still being read included, and wait until they are gone."""
        self._closed = True
        lanes = tuple(self._lanes.values())
        for lane in lanes:
            lane.close()
        for lane in lanes:
            await lane.emptied()

    def _lane(self, origin: Origin) -> Lane[Connection]:
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = Lane(self._connections_per_host)
        return lane

    async def _open(self, lane: Lane[Connection], origin: Origin, limits: Limits) -> Connection:
        with ExitStack() as turn:
            turn.callback(lane.leave)
            connection = await self._dialer.dial(origin, limits, lane)
            if self._closed:
                connection.cut()
                raise NetError("pool", "the client is closed")
            if connection.closing:
                raise NetError("eof", "the peer closed the connection as soon as it was open")
            lane.opened(connection)
            turn.pop_all()
        return connection
