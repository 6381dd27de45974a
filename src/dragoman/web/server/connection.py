"""One connection of a client: requests one after the other, each with its exchange.

Reading goes on while a request is served, since that is how the client's leaving is
noticed. What comes early, the next request, waits, and when it is too much, the client.
"""

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from dragoman.core.errors import GatewayError, Overloaded, RequestTooSlow, Unreadable
from dragoman.web.server.chunks import Chunks
from dragoman.web.server.deadlines import LINGER_S, LONGEST_LINGER_S, Arrival, body_delay
from dragoman.web.server.exchange import Exchange
from dragoman.web.server.floor import Floor, Held
from dragoman.web.server.head import EMPTY_LINE, Head, Repeated
from dragoman.web.server.origins import Origin
from dragoman.web.server.refusals import overloaded, rendered, too_large
from dragoman.web.server.sockets import waited_s
from dragoman.web.shedding import LATE_S
from dragoman.web.voices import Voice

MOST_UNSENT: Final = 64 * 1024
"""Bytes that may wait to be sent before the application has to."""
MOST_EARLY: Final = 64 * 1024
"""Bytes of later requests that are held while one is served."""


class Connection(asyncio.Protocol):
    """Turns the bytes of one client into exchanges. `due` is when the sweep shall look."""

    __slots__ = (
        "_began", "_buffer", "_chunks", "_closing", "_exchange", "_heads", "_is_new", "_last",
        "_left", "_lingers", "_most", "_origin", "_paused", "_piled", "_received", "_to_come",
        "_transport", "due", "floor", "loop", "outgoing", "peer", "room", "unsent",
    )  # fmt: skip

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop) -> None:
        self.floor = floor
        self.due = math.inf
        self.loop = loop
        self._origin: Origin[Held] | None = None
        self._exchange: Exchange | None = None
        self._heads = Repeated(floor.reader)
        self._buffer = b""
        self.outgoing: list[bytes] = []
        self.unsent = 0
        self._to_come = False  # some of the request's body
        self._closing = False
        self._is_new = True
        self._lingers = False
        self._paused = False
        self.room: asyncio.Event | None = None  # set when there is room to write again

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of streams
        """Take the client in, or tell it that there is no room."""
        self._transport = transport
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.peer = (str(peer[0]), int(peer[1]))
        self._origin = self.floor.admit(self.peer[0], self)
        if self._origin is None:
            self._tell_full(lingers=self.floor.excuse(self))
            return
        self.due = self.loop.time() + self.floor.limits.header_s

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        if self._closing:
            if self._lingers and not self.floor.draining:
                self.due = min(self.loop.time() + LINGER_S, self._began + LONGEST_LINGER_S)
            return
        if self._exchange is None:
            entrance = self.floor.entrance
            if entrance.overloaded and not self._buffer:
                self._buffer = data
                entrance.come(self, self.loop)
            else:
                self._on_head(data)
        elif self._to_come:
            self._on_body(data)
        else:
            self._buffer += data
            if len(self._buffer) > MOST_EARLY:
                self.take_in(wanted=False)

    def come_in(self) -> None:
        """Read what came in an overload."""
        if self._buffer and self._exchange is None and not self._closing:
            data, self._buffer = self._buffer, b""
            self._on_head(data)

    def brush_off(self, refusals: Mapping[Voice, bytes]) -> bool:
        """Refuse what came in an overload unread; False if that cannot be."""
        floor = self.floor
        if self._exchange is not None or floor.draining:
            return False
        voice = floor.plain(self._buffer)
        if voice is None:
            return False
        self._buffer = b""
        self._transport.write(refusals[voice])
        if self.room is None:
            self.due = self.loop.time() + floor.limits.idle_s
        return True

    def eof_received(self) -> None:
        """Take the client for gone: one that will not read an answer does the same."""
        if self._exchange is not None:
            self._exchange.leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        """Note that the client is gone, whoever closed."""
        self._closing = True
        self.due = math.inf
        self._buffer = b""
        self.floor.release(self._origin, self)
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None
        self._make_room()

    def pause_writing(self) -> None:
        """Have the application wait: the client does not read as fast as it is written to."""
        self.room = asyncio.Event()
        self._piled = self._transport.get_write_buffer_size()
        self.due = self.loop.time() + self.floor.limits.stall_s

    def resume_writing(self) -> None:
        """Have the application go on."""
        self._make_room()
        if self._closing:
            return
        if self._exchange is None:
            self._await_request()
        else:
            self.due = self.loop.time() if self._to_come else math.inf

    def write(self, data: bytes, *, more: bool) -> asyncio.Event | None:
        """Send data; return what to wait for when more would only pile up.

        What is written within one turn of the event loop goes out together, since to
        write costs several times what it costs to make a chunk.
        """
        if self._closing:
            return None
        outgoing = self.outgoing
        if more or outgoing:
            first = not outgoing
            outgoing.append(data)
            self.unsent = len(data) if first else self.unsent + len(data)
            if not more or self.unsent >= MOST_UNSENT:
                self.flush()
            elif first:
                self.floor.flush_soon(self.flush, self.loop)
        elif not self._transport.is_closing():
            self._transport.write(data)
        return self.room

    def flush(self) -> None:
        """Hand over what was written."""
        outgoing = self.outgoing
        if outgoing:
            transport = self._transport
            if not transport.is_closing():
                transport.write(b"".join(outgoing))
            outgoing.clear()

    def take_in(self, *, wanted: bool) -> None:
        """Read on, or pause."""
        if self._paused is not wanted or self._transport.is_closing():
            return
        self._paused = not wanted
        if wanted:
            self._last = self.loop.time()
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def answered(self, exchange: Exchange, *, closes: bool) -> None:
        """Go on to the next request, or close."""
        if exchange is not self._exchange:
            return
        self._exchange = None
        if closes or self.floor.draining:
            self._close(lingers=self._to_come or bool(self._buffer))
            return
        if self._origin is not None:
            self._origin.quiet[self] = None
        if self._paused:
            self.take_in(wanted=True)
        if self.room is None:
            self._await_request()

    def drop(self) -> None:
        """Close at once."""
        self._closing = True
        self.due = math.inf
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None
        self._make_room()
        self._transport.abort()

    def give_way(self) -> None:
        """Close for a newcomer; who never had an answer is told why, if that may be.

        Its request may be there, unread: in a burst most come within one turn of the event loop.
        """
        self._origin = None
        if self._is_new and self._exchange is None and self.floor.excuse(self):
            self._tell_full(lingers=True)
        else:
            self.drop()

    def farewell(self) -> None:
        """Close if idle; else after the request under way, or the one that has begun to come."""
        if self._exchange is None and not self._buffer and not self._closing:
            self._close(lingers=False)

    def overdue(self, now: float) -> None:
        """Do what a deadline asks for."""
        if self.room is not None or (self._closing and not self._lingers):
            self._on_unread(now)
        elif self._lingers:
            self.drop()
        elif self._exchange is None and self._buffer:
            seconds = self.floor.limits.header_s
            late = RequestTooSlow(f"The request did not arrive within {seconds:g} s.")
            self._refuse(late, self.floor.voice(self._buffer))
        elif self._exchange is None:
            self._close(lingers=False)
        elif self._to_come:
            self._on_slow_body(self._exchange, now)
        else:
            self.due = math.inf

    def _await_request(self) -> None:
        """Wait for the next request, which may be here."""
        if self._buffer:
            early, self._buffer = self._buffer, b""
            self._on_head(early)
        else:
            self.due = self.loop.time() + self.floor.limits.idle_s

    def _on_head(self, data: bytes) -> None:
        early = self._buffer
        if early:
            data = early + data
        try:
            found = self._heads.read(data)
        except GatewayError as error:
            self._refuse(error, self.floor.voice(data.removeprefix(EMPTY_LINE)))
            return
        if found is not None:
            self._buffer = b""
            self._begin(*found)
            return
        self._buffer = data
        if not early and self.room is None:
            self.due = min(self.due, self.loop.time() + self.floor.limits.header_s)

    def _begin(self, head: Head, rest: bytes) -> None:
        floor = self.floor
        lane = floor.app.lane(head.line.target.path)
        late = False
        if not floor.is_at_ease():
            late = floor.crowded and self._is_new and waited_s(self._transport) > LATE_S
            if retry_after_s := floor.refusal(lane, late=late):
                self._is_new = False
                self._turn_away(head, rest, retry_after_s, lane.voice)
                return
        self._is_new = False
        length = head.length
        if length is not None and length > lane.body_bytes:
            bodiless = head.line.method == "HEAD"
            self._refuse(too_large(lane.body_bytes), lane.voice, bodiless=bodiless)
            return
        if length is not None and length <= len(rest):  # it has come whole, as most do
            self._exchange = exchange = Exchange(self, head, rest[:length])
            self._buffer = rest[length:]
            self._has_come()
            floor.take_on(exchange, lane, self.loop, late=late)
            return
        self._exchange = exchange = Exchange(self, head)
        self._left, self._most, self._received = length or 0, lane.body_bytes, 0
        self._chunks = Chunks() if length is None else None
        self._to_come = True
        self.due = self._began = self._last = self.loop.time()
        floor.take_on(exchange, lane, self.loop, late=late)
        if rest:
            self._on_body(rest)

    def _turn_away(self, head: Head, rest: bytes, retry_after_s: int, voice: Voice) -> None:
        """Say that there is no time, and go on if the request has come whole: it is cheaper."""
        floor = self.floor
        closes = len(rest) != head.length or not head.keep_alive or floor.draining
        bodiless = head.line.method == "HEAD"
        date = floor.date
        refused = overloaded(retry_after_s, date, voice, bodiless=bodiless, closes=closes)
        self.write(refused, more=False)
        if closes:
            self._close(lingers=True)
        elif self.room is None:
            self._await_request()

    def _on_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if self._chunks is None:
            end = self._left
            part, rest = (data, b"") if len(data) <= end else (data[:end], data[end:])
            self._left -= len(part)
            done = not self._left
        else:
            try:
                part = self._chunks.feed(data)
            except Unreadable as error:
                self._break_off(exchange, error)
                return
            done = self._chunks.done
            rest = self._chunks.rest if done else b""
        self._received += len(part)
        if self._received > self._most:
            self._break_off(exchange, too_large(self._most))
            return
        if done:
            self._to_come = False
            self._buffer = rest
            self._has_come()
        else:
            self._last = self.loop.time()
        exchange.take(part, last=done)

    def _has_come(self) -> None:
        """Note that the request is complete: from here on it is for us to act."""
        if self.room is None:
            self.due = math.inf
        if self._origin is not None:
            self._origin.quiet.pop(self, None)

    def _on_slow_body(self, exchange: Exchange, now: float) -> None:
        if not exchange.is_awaited:
            self._began, self._last = self._began + now - self._last, now
            return
        arrival = Arrival(self._began, self._last, self._received)
        if delay := body_delay(arrival, now, self.floor.limits):
            self._break_off(exchange, RequestTooSlow(delay))

    def _on_unread(self, now: float) -> None:
        size = self._transport.get_write_buffer_size()
        if size < self._piled:
            self._piled, self.due = size, now + self.floor.limits.stall_s
            return
        self.drop()

    def _break_off(self, exchange: Exchange, error: GatewayError) -> None:
        """End a request that will not arrive as it should."""
        self._exchange = None
        exchange.leave()
        if exchange.begun:
            self.drop()
        else:
            self._refuse(error, exchange.voice)

    def _tell_full(self, *, lingers: bool) -> None:
        error = Overloaded("The gateway has no room for another connection.", retry_after_s=1)
        self._transport.write(rendered(error, self.floor.date))
        self._close(lingers=lingers)
        self.due = min(self.due, self.loop.time() + LINGER_S)

    def _refuse(self, error: GatewayError, voice: Voice, *, bodiless: bool = False) -> None:
        """Answer in place of the application, and close."""
        self.write(rendered(error, self.floor.date, voice, bodiless=bodiless), more=False)
        self._close(lingers=True)

    def _close(self, *, lingers: bool) -> None:
        """Close once everything is sent.

        A client that is still sending would lose the answer to a reset (RFC 9112, section
        9.6), so for a while what it sends is read and thrown away. TLS sees to that itself.
        """
        self._closing, self._buffer = True, b""
        now = self.loop.time()
        if lingers and self._transport.can_write_eof() and not self._transport.is_closing():
            self._lingers = True
            self._began, self.due = now, now + LINGER_S
            self.take_in(wanted=True)
            self._transport.write_eof()
            return
        self._piled = self._transport.get_write_buffer_size()
        self.due = now + self.floor.limits.stall_s
        self._transport.close()

    def _make_room(self) -> None:
        if self.room is not None:
            self.room.set()
            self.room = None
