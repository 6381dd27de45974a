"""One request and its answer: what an ASGI application calls `receive` and `send`.

ASGI 3.0, HTTP & WebSocket specification 2.3: after the body `receive` waits until
the client has left, and `send` to one that has left does nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from dragoman.core.errors import GatewayError, Internal, Unavailable
from dragoman.web.server import answer
from dragoman.web.server.answer import CHUNKED, NO_BODY, UNTIL_CLOSED, Framing
from dragoman.web.server.floor import Floor, Message
from dragoman.web.server.head import Head
from dragoman.web.server.refusals import overloaded, rendered
from dragoman.web.server.scope import Address, scope_of
from dragoman.web.voices import Voice

EXCHANGE = "dragoman.exchange"
"""The extension of the scope by which an application may do without messages: the exchange."""

MOST_AT_EASE: Final = 16 * 1024
"""Bytes of a part that can wait for the end of a turn, whatever else waits."""


class Line(Protocol):
    """The connection that an exchange goes over."""

    floor: Floor
    loop: asyncio.AbstractEventLoop
    peer: Address
    outgoing: list[bytes]
    """What goes out once all that is ready has run. Whoever adds the first says so to the floor."""
    unsent: int
    """Bytes of it; they mean nothing while it is empty."""
    room: asyncio.Event | None
    """What to wait for before more is sent, since it would pile up."""

    def write(self, data: bytes, *, more: bool) -> asyncio.Event | None:
        """Send data, soon if there is more; return what to wait for when it would pile up."""

    def take_in(self, *, wanted: bool) -> None:
        """Have the body come, or pause."""

    def flush(self) -> None:
        """Hand over what is outgoing."""

    def answered(self, exchange: "Exchange", *, closes: bool) -> None:
        """Go on to the next request, or close."""

    def drop(self) -> None:
        """Close at once."""


class Exchange:
    """One request of a connection. `left` once nobody waits for the answer any longer."""

    __slots__ = (
        "_awaited",
        "_begun",
        "_complete",
        "_events",
        "_framing",
        "_line",
        "_on_leave",
        "_parts",
        "_sent",
        "_size",
        "_start",
        "_told",
        "closes",
        "head",
        "left",
        "task",
    )

    MOST_HELD = 256 * 1024
    """Bytes of a body that wait for the application before the client has to."""

    def __init__(self, line: Line, head: Head, whole: bytes | None = None) -> None:
        """Begin with the `whole` body, if it has come."""
        self.head = head
        self.left = False
        self.closes = not head.keep_alive
        self._line = line
        self._parts: list[bytes] = [] if whole is None else [whole]
        self._size = 0  # of a part of the body
        self._complete = whole is not None  # the body is all there
        self._told = False  # the application has all of it
        self._awaited = head.expects
        self._events: asyncio.Event | None = None
        self._start: Message | None = None
        self._begun = False
        self.task: asyncio.Task[None] | None = None
        self._on_leave: Callable[[], None] | None = None

    def start(self) -> None:
        """Have the request served, now that there is time."""
        line = self._line
        scope = scope_of(self.head, line.floor, line.peer)
        scope["extensions"] = {EXCHANGE: self}
        line.floor.running.add(self)
        # Not by the loop's `create_task`: uvloop's numbers a task before it names it.
        self.task = asyncio.Task(self._serve(scope), loop=line.loop, name="request")

    def turn_away(self, retry_after_s: int) -> None:
        """Answer that there is no time. The connection goes on, if the request is complete."""
        closes = self.closes = self.closes or not self._complete or self._line.floor.draining
        bodiless = self.head.line.method == "HEAD"
        floor = self._line.floor
        refused = overloaded(
            retry_after_s, floor.date, self.voice, bodiless=bodiless, closes=closes
        )
        self._line.write(refused, more=False)
        self._end()

    @property
    def voice(self) -> Voice:
        """What the client understands."""
        return self._line.floor.app.lane(self.head.line.target.path).voice

    @property
    def begun(self) -> bool:
        """Whether some of the answer is on its way."""
        return self._begun

    @property
    def is_awaited(self) -> bool:
        """Whether the body is for the client to send, and not for us to ask for."""
        return not self._awaited and self._size < self.MOST_HELD

    def cancel(self) -> None:
        """Have the application stop."""
        if self.task is not None:
            self.task.cancel()

    def leave(self) -> None:
        """Note that nobody waits for the answer."""
        if not self.left:
            self._over()
            if self._on_leave is not None:
                self._on_leave()

    def watch(self, on_leave: Callable[[], None] | None) -> None:
        """Call a function when the client leaves before its answer is complete, None for none.

        It spares a task that waits for `receive` through the whole of a stream.
        """
        self._on_leave = on_leave
        if self.left and on_leave is not None:
            on_leave()

    def take(self, part: bytes, *, last: bool) -> None:
        """Take a part of the body as it comes."""
        if part:
            self._parts.append(part)
            self._size += len(part)
            if self._size >= self.MOST_HELD and not last:
                self._line.take_in(wanted=False)
        self._complete = last
        if self._events is not None:
            self._events.set()

    async def receive(self) -> Message:
        """Return what has come of the body, and once it all did, that the client has left."""
        while True:
            if self.left:
                return {"type": "http.disconnect"}
            if self._parts or (self._complete and not self._told):
                return self._request()
            if self._awaited and not self._begun:
                self._awaited = False
                self._line.write(answer.CONTINUE, more=False)
            if self._events is None:
                self._events = asyncio.Event()
            self._events.clear()
            await self._events.wait()

    def whole(self) -> bytes | None:
        """Return the body if it is all there and nobody had any of it, else None: `receive` it."""
        if self.left or self._told or not self._complete:
            return None
        return self._body()

    def reply(self, status: int, fields: bytes, body: bytes) -> None:
        """Send a whole answer. `fields` are lines beyond doubt, the length of `body` among them.

        A line is `name: value` and CR LF. Nothing may have been sent before.
        """
        if self.left:
            return
        line = self._line
        if line.floor.draining or not self._complete:
            self.closes = True
        if self.closes:
            fields += b"connection: close\r\n"
        if self.head.line.method == "HEAD":
            body = b""
        self._begun = True
        self._finish(b"%b%b%b\r\n%b" % (answer.STATUS_LINES[status], line.floor.date, fields, body))

    def put(self, data: bytes) -> asyncio.Event | None:
        """Send a part of an answer that has begun; return what to wait for when it piles up.

        Most of a stream goes this way, so the line is not asked to do what takes three steps.
        """
        line = self._line
        outgoing = line.outgoing
        if self.left or outgoing or len(data) > MOST_AT_EASE or self._framing is not CHUNKED:
            return self._put_at_length(data)
        part = b"%x\r\n%b\r\n" % (len(data), data)
        outgoing.append(part)
        line.unsent = len(part)
        line.floor.flush_soon(line.flush, line.loop)
        return line.room

    def _put_at_length(self, data: bytes) -> asyncio.Event | None:
        """Send a part of any size and framing, behind what waits to go out."""
        if self.left:
            return None
        return self._line.write(self._wrapped(data, more=True), more=True)

    async def send(self, message: Message) -> None:
        """Send a part of the answer. Its head goes out with the first part of its body.

        Raises RuntimeError when the application does not keep to ASGI, ValueError
        when a field of the answer has a line break in it.
        """
        if self.left:
            return
        kind = message["type"]
        if kind == "http.response.start" and self._start is None:
            self._start = message
            return
        if kind != "http.response.body" or self._start is None:
            raise RuntimeError(f"{kind} does not come here")
        body = message.get("body", b"")
        more = message.get("more_body", False)
        data = self._wrapped(body, more=more)
        if not more:
            self._finish(data)
        elif (piled_up := self._line.write(data, more=True)) is not None:
            await piled_up.wait()

    def _request(self) -> Message:
        body = self._body()
        return {"type": "http.request", "body": body, "more_body": not self._complete}

    def _body(self) -> bytes:
        """Return what has come of the body since the last time."""
        body = b"".join(self._parts)
        self._parts.clear()
        if self._size >= self.MOST_HELD:
            self._line.take_in(wanted=True)
        self._size = 0
        self._told = self._complete
        return body

    def _wrapped(self, body: bytes, *, more: bool) -> bytes:
        """Return what goes out for a part of the body, with the head before the first."""
        head = b""
        if not self._begun:
            head = self._head(body, more=more)
            self._begun = True
        if self._framing is CHUNKED and body and more:
            return b"%b%x\r\n%b\r\n" % (head, len(body), body)
        if self._framing is NO_BODY:
            return head
        self._sent += len(body)
        length = self._framing.length
        if length is not None and (self._sent > length or (not more and self._sent < length)):
            self._line.drop()
            raise RuntimeError(f"the answer has {self._sent} bytes, and said {length}")
        if self._framing is CHUNKED:
            chunk = answer.chunk(body) if body else b""
            return head + chunk if more else b"%b%b%b" % (head, chunk, answer.LAST_CHUNK)
        return head + body if head else body

    def _head(self, body: bytes, *, more: bool) -> bytes:
        start = self._start or {}
        self._sent = 0
        status, fields = start["status"], list(start["headers"])
        names = dict(fields)
        length = names.get(b"content-length")
        if status in answer.WITHOUT_BODY:
            self._framing = NO_BODY
        elif length is not None:
            self._framing = Framing(length=int(length))
        elif not more:
            self._framing = Framing(length=len(body))
            fields.append((b"content-length", b"%d" % len(body)))
        elif self.head.line.minor:
            self._framing = CHUNKED
            fields.append((b"transfer-encoding", b"chunked"))
        else:
            self._framing, self.closes = UNTIL_CLOSED, True
        if self.head.line.method == "HEAD":
            self._framing = NO_BODY
        if self._line.floor.draining or not self._complete:
            self.closes = True
        if self.closes and b"connection" not in names:
            fields.append((b"connection", b"close"))
        return answer.head(status, fields, self._line.floor.date)

    def _over(self) -> None:
        self.left = True
        if self._events is not None:
            self._events.set()

    def _finish(self, data: bytes) -> None:
        """Send the last of an answer behind what this turn of the event loop has to write down.

        The journal is written once a turn: nobody is to see an end that it does not hold.
        """
        self._over()
        if self.task is None:
            self._part(data)
        else:
            self._line.loop.call_soon(self._part, data)

    def _part(self, data: bytes) -> None:
        self._line.write(data, more=False)
        self._line.answered(self, closes=self.closes)

    def _end(self) -> None:
        self._over()
        self._line.answered(self, closes=self.closes)

    async def _serve(self, scope: Message) -> None:
        try:
            await self._line.floor.serve(scope, self.receive, self.send)
        finally:
            self._line.floor.running.discard(self)
            self._on_leave = None
            if not self.left:
                self._fail()

    def _fail(self) -> None:
        """End an answer that the application did not."""
        if self._begun:
            self._line.drop()
            return
        error: GatewayError = Internal("the application gave no answer")
        if self._line.floor.draining:  # which cancels what has not even come in
            error = Unavailable("The gateway is stopping.", retry_after_s=1)
        bodiless = self.head.line.method == "HEAD"
        self.closes = True
        self._finish(rendered(error, self._line.floor.date, self.voice, bodiless=bodiless))
