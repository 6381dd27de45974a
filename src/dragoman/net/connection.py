"""One TCP or TLS connection: carries one exchange after another, and waits between them.

Glue between asyncio's transport and `Exchange`, which holds all that is HTTP.
Opening connections is `dragoman.net.dial`'s job.
"""

import asyncio
import ssl
from typing import cast

from dragoman.net.exchange import Exchange
from dragoman.net.pool import Lane
from dragoman.net.types import Phase


class Connection(asyncio.Protocol):
    """Fulfils `Carrier` for its exchange, `Poolable` for its lane."""

    __slots__ = ("_exchange", "_kept_since", "_lane", "_tcp", "_transport", "_uses")

    def __init__(self, lane: "Lane[Connection]") -> None:
        self._lane = lane
        self._tcp: asyncio.Transport
        self._transport: asyncio.Transport
        self._exchange: Exchange | None = None
        self._uses = 0
        self._kept_since: float | None = None

    @property
    def reused(self) -> bool:
        """Whether it has carried an exchange before the present one."""
        return self._uses > 1

    @property
    def closing(self) -> bool:
        """Whether it can no longer carry a request."""
        return self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop when TCP is up."""
        self._tcp = self._transport = cast("asyncio.Transport", transport)

    def secured(self, transport: asyncio.Transport) -> None:
        """Speak through `transport`, which is TLS over what `connection_made` brought."""
        self._transport = transport

    def start(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Send a request, in one write, whose answer goes to `exchange`."""
        self._exchange = exchange
        self._uses += 1
        self._kept_since = None
        self._transport.writelines((head, body))

    def data_received(self, data: bytes) -> None:
        """Called by the transport. Bytes that nobody asked for end the connection."""
        if self._exchange is None:
            self.cut()
            return
        self._exchange.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport, once, however the connection ended."""
        self._lane.lost(self)
        if self._exchange is not None:
            self._exchange.lost(_phase(exc), str(exc or "the peer closed the connection"))

    def pause(self) -> None:
        """Stop reading from the peer."""
        if not self.closing:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading from the peer."""
        if not self.closing:
            self._transport.resume_reading()

    def cut(self) -> None:
        """Break the connection off now; what was not sent is dropped."""
        self._transport.abort()

    def finish(self) -> None:
        """Part from the exchange: be kept, unless cut or still sending, and leave the lane."""
        self._exchange = None
        # Asked of TCP: a TLS transport forgets what it has handed on.
        if self._tcp.get_write_buffer_size():
            self.cut()
        if not self.closing:
            self._lane.keep(self)
        self._lane.leave()

    def sweep(self, now: float, keepalive_s: float) -> None:
        """Fail an overdue exchange, or cut a connection kept for `keepalive_s` unused."""
        if self._exchange is not None:
            self._exchange.sweep(now)
        elif self._kept_since is None:
            self._kept_since = now
        elif now - self._kept_since >= keepalive_s:
            self.cut()


def _phase(exc: Exception | None) -> Phase:
    if isinstance(exc, ssl.SSLError):
        return "tls"
    return "reset" if exc else "eof"
