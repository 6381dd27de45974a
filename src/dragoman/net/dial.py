"""From an origin to an open connection: addresses, TCP, TLS, each with its own limit.

Each step is told apart in the NetError it raises, since a name that does not
resolve, a port that refuses and a certificate that does not fit call for
different remedies. Which addresses are allowed is the resolver's decision.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from dragoman.net.connection import Connection
from dragoman.net.pool import Lane
from dragoman.net.proxy import Proxy
from dragoman.net.race import HEAD_START_S, first_to_answer
from dragoman.net.remembered import Remembered
from dragoman.net.resolver import Resolver
from dragoman.net.tls import ClientContext
from dragoman.net.tunnel import Tunnel, connect_head
from dragoman.net.types import Limits, NetError, Phase
from dragoman.net.url import Origin

# Errors that say nothing about the peer: we are out of something ourselves.
_OWN_SHORTAGE = frozenset({
    errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL,
})  # fmt: skip

# Answers may take minutes; without probes a NAT forgets a silent connection.
_PROBE_S = 60
_PROBES = 5

Opened = tuple[asyncio.Transport, Connection]


class _Lookup:
    """A name that is being looked up, and how many wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: "asyncio.Task[Sequence[str]]") -> None:
        self.task = task
        self.waiting = 0


class _Lookups:
    """Looks a name up once for all who want it at the same time, and for nobody who has gone."""

    __slots__ = ("_resolve", "_under_way")

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve
        self._under_way: dict[tuple[str, int], _Lookup] = {}

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        place = host, port
        lookup = self._under_way.get(place)
        if lookup is None:
            lookup = _Lookup(asyncio.create_task(self._ask(host, port)))
            self._under_way[place] = lookup
        lookup.waiting += 1
        try:
            return await asyncio.shield(lookup.task)
        finally:
            # Also when it is just one who gives up: who comes now had better ask anew.
            if self._under_way.get(place) is lookup:
                del self._under_way[place]
            lookup.waiting -= 1
            if not lookup.waiting:
                lookup.task.cancel()

    async def _ask(self, host: str, port: int) -> Sequence[str]:
        return await self._resolve(host, port)


class Dialer:
    """Opens connections."""

    __slots__ = ("_context", "_known", "_lookups", "_make_context", "_making")

    def __init__(self, make_context: Callable[[], ClientContext], resolve: Resolver) -> None:
        self._make_context = make_context
        self._context: ClientContext | None = None
        self._making = asyncio.Lock()
        self._lookups = _Lookups(resolve)
        self._known = Remembered()

    async def dial(
        self, origin: Origin, proxy: Proxy | None, limits: Limits, lane: Lane[Connection]
    ) -> Connection:
        """Return a connection to `origin`, which tells `lane` when it is lost. Raises NetError.

        By a proxy it leads through a tunnel where the origin speaks TLS, and else only
        to the proxy, which takes requests in absolute form.
        """
        first = origin if proxy is None else proxy.origin
        try:
            addresses = await self._addresses(first, limits)
            # Before connecting: nothing may come between a connection and its handshake.
            context = await self._verifying() if "https" in {origin.scheme, first.scheme} else None
            transport, connection = await _connect(addresses, first.port, limits, lane)
        except NetError as error:
            if proxy is None:
                raise
            raise NetError(error.phase, f"{proxy}: {error.detail}") from error
        with ExitStack() as unless_open:
            unless_open.callback(transport.abort)
            _keep_known(transport)
            if context is not None and first.scheme == "https":
                transport = await _secure(transport, connection, context, first.host, limits.tls_s)
            if context is not None and proxy is not None and origin.scheme == "https":
                await _tunnel(connection, origin, proxy, limits.connect_s)
                await _secure(transport, connection, context, origin.host, limits.tls_s)
            unless_open.pop_all()
        return connection

    async def _addresses(self, origin: Origin, limits: Limits) -> Sequence[str]:
        host, known, now = origin.host, self._known, asyncio.get_running_loop().time
        if addresses := known.instead(host, now()):
            return addresses
        try:
            async with asyncio.timeout(limits.dns_s):
                addresses = await self._lookups.addresses(host, origin.port)
        except TimeoutError:
            if addresses := known.failed(host, None, now()):
                return addresses
            raise NetError("dns", f"{host} not resolved in {limits.dns_s:g} s") from None
        except (OSError, UnicodeError) as error:
            if addresses := known.failed(host, error, now()):
                return addresses
            short = isinstance(error, OSError) and error.errno in _OWN_SHORTAGE
            raise NetError("pool" if short else "dns", f"{host}: {error}") from error
        if not addresses:
            raise NetError("dns", f"{host} has no address")
        known.found(host, addresses, now())
        return addresses

    async def _verifying(self) -> ClientContext:
        """Return the context, made on first use: reading the roots takes a tenth of a second.

        It is made once, however many want it first: a crowd of them would hold megabytes each.
        """
        async with self._making:
            if self._context is None:
                self._context = await asyncio.to_thread(self._make_context)
        return self._context


async def _connect(
    addresses: Sequence[str], port: int, limits: Limits, lane: Lane[Connection]
) -> Opened:
    """Connect to the first address that answers. Raises NetError."""
    loop = asyncio.get_running_loop()

    async def connect(address: str) -> Opened:
        try:
            return await loop.create_connection(lambda: Connection(lane), address, port)
        except OSError as error:
            phase: Phase = "pool" if error.errno in _OWN_SHORTAGE else "refused"
            detail = f"{address} port {port}: {error.strerror or error}"
            raise NetError(phase, detail) from error

    try:
        async with asyncio.timeout(limits.connect_s):
            if len(addresses) == 1:
                return await connect(addresses[0])
            head_start_s = min(HEAD_START_S, limits.connect_s / len(addresses))
            return await first_to_answer(addresses, connect, _abort, head_start_s)
    except TimeoutError:
        named = ", ".join(addresses)
        raise NetError("connect", f"{named} port {port} did not answer in time") from None


def _abort(opened: Opened) -> None:
    opened[0].abort()


async def _secure(
    transport: asyncio.Transport,
    connection: Connection,
    context: ClientContext,
    host: str,
    tls_s: float,
) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    if transport.is_closing():
        raise NetError("tls", "the peer closed the connection, or spoke before it was greeted")
    try:
        async with asyncio.timeout(tls_s):
            secured = await loop.start_tls(transport, connection, context, server_hostname=host)
    except TimeoutError:
        raise NetError("tls", f"no handshake within {tls_s:g} s") from None
    except OSError as error:
        raise NetError("tls", str(error) or "the peer closed the connection") from error
    if secured is None:
        raise NetError("tls", "the peer closed the connection")
    connection.secured(secured, context)
    return secured


async def _tunnel(connection: Connection, origin: Origin, proxy: Proxy, connect_s: float) -> None:
    tunnel = Tunnel(origin, proxy)
    connection.ask(tunnel, connect_head(origin, proxy))
    try:
        async with asyncio.timeout(connect_s):
            await tunnel.opened()
    except TimeoutError:
        raise NetError("connect", f"{proxy} opened no tunnel within {connect_s:g} s") from None


def _keep_known(transport: asyncio.Transport) -> None:
    peer = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
