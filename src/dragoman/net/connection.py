"""One TCP or TLS connection: carries one exchange after another, and waits between them.

Glue between asyncio's transport and `Exchange`, which holds all that is HTTP.
Opening connections is `dragoman.net.dial`'s job.
"""

import asyncio
import logging
import select
import ssl
from collections.abc import Callable
from typing import Protocol, cast

from dragoman.net.pool import Lane
from dragoman.net.tls import ClientContext
from dragoman.net.types import Phase

# A body up to this size leaves in one write with its head; of a larger one there is
# never more than this beyond what the peer has taken, whatever it costs as TLS records.
PIECE = 128 * 1024

UNASKED = "the peer spoke or left before it was asked"
CUT_OFF = "the connection ended without the end of TLS: somebody may have cut it off"
ANSWER, GOODBYE = b"HTTP/1.", b" 408 "
STATUS = slice(8, 13)  # where an answer says 408 to who has been idle for too long

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a connection brings the peer's bytes to: an exchange, or a tunnel being opened."""

    def feed(self, data: bytes) -> None:
        """Take what the peer sent."""

    def lost(self, phase: Phase, detail: str) -> None:
        """Take note that the connection is gone."""

    def sweep(self, now: float) -> None:
        """Fail if overdue at monotonic time `now`."""


class Connection(asyncio.Protocol):
    """Fulfils `Carrier` for its exchange, `Poolable` for its lane."""

    __slots__ = (
        "_context", "_full", "_kept_since", "_lane", "_listener", "_reader", "_tcp", "_transport",
        "_unread", "_unsent", "_uses",
    )  # fmt: skip

    def __init__(self, lane: "Lane[Connection]") -> None:
        self._lane = lane
        self._tcp: asyncio.Transport
        self._transport: asyncio.Transport
        self._context: ClientContext | None = None
        self._listener: Listener | None = None
        self._reader: Listener | None = None  # the listener, once it has asked
        self._unread: Callable[[int], object]  # says at once whether there is something to read
        self._uses = 0
        self._kept_since: float | None = None
        self._unsent: memoryview | None = None
        self._full = False

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

    def secured(self, transport: asyncio.Transport, context: ClientContext) -> None:
        """Speak through `transport`, which is TLS over what there was before."""
        self._transport = transport
        self._context = context

    def ask(self, listener: Listener, head: bytes) -> None:
        """Send a head that is no request of an exchange, whose answer goes to `listener`."""
        self._listener = self._reader = listener
        self._transport.write(head)

    def start(
        self, exchange: Listener, head: bytes, body: bytes, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Send a request, in one write if it is small, whose answer goes to `exchange`.

        It goes out behind what is to be done in the present turn of the event loop: whoever had
        it written down first, in a file that is written once a turn, may rely on that order.
        """
        self._listener = exchange
        self._uses += 1
        self._kept_since = None
        loop.call_soon(self._send, exchange, head, body)

    def _send(self, exchange: Listener, head: bytes, body: bytes) -> None:
        transport = self._transport
        if self._listener is not exchange or transport.is_closing():
            return
        # What the system holds now is no answer, though the loop would bring it next. To look
        # costs less than a microsecond; what is still on its way cannot be told from an answer.
        if self._uses > 1 and self._unread(0):
            self._spoke_unasked()
            return
        self._reader = exchange
        if len(body) <= PIECE:
            transport.write(head + body)
            return
        transport.write(head)
        self._unsent = memoryview(body)
        self._send_on()

    def pause_writing(self) -> None:
        """Called by the transport when the peer takes less than we send."""
        self._full = True

    def resume_writing(self) -> None:
        """Called by the transport when the peer has caught up."""
        self._full = False
        self._send_on()

    def data_received(self, data: bytes) -> None:
        """Called by the transport. Bytes that nobody asked for end the connection."""
        if self._reader is None:
            if data.startswith(ANSWER) and data[STATUS] != GOODBYE and self._lane.mistrust():
                peer = self._transport.get_extra_info("peername")
                _log.warning("net.answered_unasked", extra={"peer": peer})
            self._spoke_unasked()
            return
        self._reader.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport, once, however the connection ended."""
        self._unsent = None
        self._lane.lost(self)
        if self._listener is not None:
            self._listener.lost(*self._ending(exc))

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
        self._unsent = None
        self._transport.abort()

    def finish(self) -> None:
        """Part from the exchange: be kept, unless cut or still sending, and leave the lane."""
        self._listener = self._reader = None
        # Asked of TCP: a TLS transport forgets what it has handed on.
        if self._unsent is not None or self._tcp.get_write_buffer_size():
            self.cut()
        if not self._transport.is_closing():
            if self._uses == 1:
                self._unread = _unread(self._tcp)
                if self._context is not None:
                    channel = self._transport.get_extra_info("ssl_object")
                    self._context.remember(channel, asyncio.get_running_loop().time())
            self._lane.keep(self)
        self._lane.leave()

    def sweep(self, now: float, keepalive_s: float) -> None:
        """Fail an overdue exchange, or cut a connection kept for `keepalive_s` unused."""
        if self._listener is not None:
            self._listener.sweep(now)
        elif self._kept_since is None:
            self._kept_since = now
        elif now - self._kept_since >= keepalive_s:
            self.cut()

    def _spoke_unasked(self) -> None:
        """End the connection; who was about to ask over it may do so over another."""
        if self._listener is not None:
            self._listener.lost("send", UNASKED)
        self.cut()

    def _ending(self, exc: Exception | None) -> tuple[Phase, str]:
        """Return how the connection ended: an end of TCP that TLS does not vouch for is a break."""
        if self._reader is None:
            return "send", str(exc or "the peer closed the connection")
        if exc is not None:
            return "tls" if isinstance(exc, ssl.SSLError) else "reset", str(exc)
        is_tls = self._context is not None
        if is_tls and not _has_ended(self._transport.get_extra_info("ssl_object")):
            return "reset", CUT_OFF
        return "eof", "the peer closed the connection"

    def _send_on(self) -> None:
        """Send of a large body as much as the transport wants now."""
        while self._unsent is not None and not self._full and not self.closing:
            piece, rest = self._unsent[:PIECE], self._unsent[PIECE:]
            self._unsent = rest or None
            self._transport.write(piece)


def _unread(tcp: asyncio.Transport) -> Callable[[int], object]:
    """Return what tells, without a wait, whether bytes, an end or an error of a peer are unread."""
    poll = select.poll()
    poll.register(tcp.get_extra_info("socket").fileno(), select.POLLIN)
    return poll.poll


def _has_ended(channel: ssl.SSLObject) -> bool:
    """Whether the peer said that it ends TLS (`close_notify`: RFC 8446, 6.1; RFC 9112, 9.8)."""
    try:
        channel.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
    return False
