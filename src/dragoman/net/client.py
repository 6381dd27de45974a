"""The HTTP/1.1 client: takes a turn, finds or opens a connection, sends, hands over the answer.

Fulfils `Transport`. Follows no redirects, keeps no cookies, decodes no content and
repeats nothing: whoever calls decides what to do about a failure.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache

from msgspec import Struct

from dragoman.core.clock import Clock
from dragoman.net.connection import Connection
from dragoman.net.dial import Dialer
from dragoman.net.exchange import Exchange
from dragoman.net.pool import Counts, Lane
from dragoman.net.proxy import Proxies, Proxy
from dragoman.net.request import Headers, encode_head, with_length
from dragoman.net.resolver import Resolver, SystemResolver
from dragoman.net.tls import ClientContext, secure_context
from dragoman.net.types import Limits, NetError, Request
from dragoman.net.url import Origin, locate

# Heads that are remembered. Callers repeat theirs but for the body.
_HEADS = 1024

NO_PROXIES = Proxies()


class PoolOptions(Struct, frozen=True, kw_only=True):
    """How many connections there may be, and for how long they are kept unused."""

    per_host: int = 200
    total: int = 10_000
    keepalive_s: float = 55.0
    sweep_s: float = 1.0


USUAL = PoolOptions()


class Opening(Struct, frozen=True):
    """What requests that differ in their body only have in common."""

    origin: Origin
    proxy: Proxy | None
    head: bytes


def _contexts(ca_file: str | None) -> Callable[[], ClientContext]:
    """Return what makes the TLS context. A bad `ca_file` is found at once, not on first use."""
    if ca_file is None:
        return secure_context
    context = secure_context(ca_file)
    return lambda: context


class HttpClient:
    """Sends requests over kept connections, at most so many per origin and in all.

    Its owner runs `run` for as long as it is in use, or calls `sweep` itself, and
    `aclose` at the end.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ca_file: str | None = None,
        pool: PoolOptions = USUAL,
        proxies: Proxies = NO_PROXIES,
        resolve: Resolver | None = None,
    ) -> None:
        self._now = clock.monotonic
        self._dialer = Dialer(_contexts(ca_file), resolve or SystemResolver())
        self._pool = pool
        self._proxies = proxies
        self._lanes: dict[Origin, Lane[Connection]] = {}
        self._opening = lru_cache(maxsize=_HEADS)(self._write_opening)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def counts(self) -> Counts:
        """Gauges over all origins."""
        return sum((lane.counts for lane in self._lanes.values()), Counts())

    async def send(self, request: Request, limits: Limits) -> Exchange:
        """Return the answer once its head is in. Raises NetError.

        Raises ValueError for a URL or headers that cannot be written as one request.
        """
        method, body = request.method, request.body
        opening = self._opening(method, request.url, request.headers)
        if self._closed:
            raise NetError("pool", "the client is closed")
        lane = self._lanes.get(opening.origin) or self._new_lane(opening.origin)
        if not lane.enter():
            await lane.wait(self._now() + limits.pool_s)
        connection = lane.take() or await self._open(lane, opening, limits)
        loop = self._loop
        if loop is None:  # to ask costs a system call, so once
            loop = self._loop = asyncio.get_running_loop()
        exchange = Exchange(connection, method, limits, self._now() + limits.head_s, loop)
        connection.start(exchange, with_length(opening.head, method, len(body)), body, loop)
        try:
            await exchange.head()
        except NetError as error:
            if error.reused:
                lane.drop_kept()
            raise
        if opening.proxy is not None and exchange.status == 407:
            exchange.close()
            raise NetError("proxy", f"{opening.proxy}: 407 Proxy Authentication Required")
        return exchange

    async def run(self) -> None:
        """Sweep every `sweep_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._pool.sweep_s)
            self.sweep(self._now())

    def sweep(self, now: float) -> None:
        """Fail what is overdue at monotonic time `now`, and cut connections kept too long."""
        for origin, lane in tuple(self._lanes.items()):
            lane.sweep(now, self._pool.keepalive_s)
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

    def _write_opening(self, method: str, url: str, headers: Headers) -> Opening:
        location = locate(url)
        proxy = self._proxies.route(location.origin)
        forwarder = proxy if location.origin.scheme == "http" else None
        head = encode_head(method, location, headers, forwarder)
        return Opening(location.origin, proxy, head)

    def _new_lane(self, origin: Origin) -> Lane[Connection]:
        lane = self._lanes[origin] = Lane(self._pool.per_host)
        return lane

    async def _open(self, lane: Lane[Connection], opening: Opening, limits: Limits) -> Connection:
        with ExitStack() as turn:
            turn.callback(lane.leave)
            self._make_room()
            connection = await self._dialer.dial(opening.origin, opening.proxy, limits, lane)
            if self._closed:
                connection.cut()
                raise NetError("pool", "the client is closed")
            if connection.closing:
                raise NetError("eof", "the peer closed the connection as soon as it was open")
            lane.opened(connection)
            turn.pop_all()
        return connection

    def _make_room(self) -> None:
        """Let a connection that is kept unused give way when there are too many in all."""
        if sum(lane.size for lane in self._lanes.values()) <= self._pool.total:
            return
        if not any(lane.spare() for lane in self._lanes.values()):
            raise NetError("pool", f"all {self._pool.total} connections are in use")
