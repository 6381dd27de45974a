"""The way out: one HTTP answer per request, whole or as a stream that shows it lives.

`Pulse` is the one timer of all streams: once a second it sends a comment into those
that were silent too long, which also commits the 200 of a stream whose first content
does not come (OpenRouter, api_reference/streaming: `: OPENROUTER PROCESSING`).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from dragoman.core.clock import Clock
from dragoman.store.turns import rest
from dragoman.web.options import ServerOptions
from dragoman.wire.sse import PROCESSING

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Headers = list[tuple[bytes, bytes]]

CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"X-Generation-Id,X-OpenRouter-Cost,Retry-After,request-id,x-request-id",
    ),
]
JSON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Authorization"),
]
EVENTS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]

MOST_EFFORT = 500
"""How many streams are looked at between two rests."""
EFFORT_OF_COMMENT = 20
"""What a comment costs more than a look."""


async def reply(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send a whole answer. `headers` come on top of the length and CORS."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*CORS, (b"content-length", b"%d" % len(body)), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


class Line(Protocol):
    """An answer of our own server, which has begun."""

    def put(self, data: bytes) -> asyncio.Event | None:
        """Send a part of it; return what to wait for when it piles up."""


class Stream:
    """One answer on its way out as events. Nothing is committed before the first write.

    `line` is the exchange of our own server, if it is ours: it takes events without a message.
    `give_up` ends the request; it is called when its client does not read.
    """

    __slots__ = (
        "_comment", "_give_up", "_headers", "_held", "_room", "_send", "_straight", "_writing",
        "began", "line", "quiet_since",
    )  # fmt: skip

    def __init__(
        self, send: Send, headers: Headers, now: float, give_up: Callable[[], None]
    ) -> None:
        self.began = False
        self.line: Line | None = None
        self._give_up = give_up
        self.quiet_since = now
        self._send = send
        self._headers = headers
        self._writing = False
        self._held = b""  # put, and not yet sent
        self._room: asyncio.Event | None = None
        self._straight: Callable[[bytes], asyncio.Event | None] | None = None
        """The way of events that need not wait: the head is out, and no comment is under way."""
        self._comment: asyncio.Task[None] | None = None

    def put(self, events: bytes, now: float) -> bool:
        """Send events, and say whether the client keeps up, as most do; else await `ready`."""
        self.quiet_since = now
        send = self._straight
        if send is None:
            self._held += events
            return False
        room = send(events)
        if room is None:
            return True
        self._room = room
        return False

    async def ready(self) -> None:
        """Return once all that was put is on its way, and there is room for more.

        Whoever is cancelled here may still `end` the answer: nothing that was put is lost.
        """
        if self._comment is not None:
            await asyncio.shield(self._comment)
        held, self._held = self._held, b""
        if held:
            await self.write(held, self.quiet_since)
        elif self._room is not None:
            await self._wait_for(self._room)
            self._room = None

    def finish(self, events: bytes) -> None:
        """Have the last events sent with the end."""
        self._held += events

    async def write(self, data: bytes, now: float) -> None:
        """Send events, after the head if they are the first."""
        if self._comment is not None:
            await self._comment
        self._writing = True
        self.quiet_since = now
        try:
            if not self.began:
                await self._begin()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._clear_way()
        finally:
            self._writing = False

    def _clear_way(self) -> None:
        if self.line is not None:
            self._straight = self.line.put

    async def _wait_for(self, room: asyncio.Event) -> None:
        self._writing = True
        try:
            await room.wait()
        finally:
            self._writing = False

    async def committed(self) -> bool:
        """Say whether the 200 is out, once a comment that may carry it is."""
        if self._comment is not None:
            await self._comment
        return self.began

    async def end(self) -> None:
        """End the answer."""
        if self._comment is not None:
            await self._comment
        if not self.began:
            await self._begin()
        held, self._held = self._held, b""
        await self._send({"type": "http.response.body", "body": held, "more_body": False})

    def is_quiet(self, now: float, for_s: float) -> bool:
        """Whether nothing was sent for so long, and nothing is being sent."""
        return not self._writing and self._comment is None and now - self.quiet_since >= for_s

    def is_stuck(self, now: float, for_s: float) -> bool:
        """Whether what is being sent has not left for so long, since the client does not read."""
        sending = self._writing or self._comment is not None
        return sending and now - self.quiet_since >= for_s

    def abandon(self) -> None:
        """Stop sending, and end the request."""
        if self._comment is not None:
            self._comment.cancel()
        self._give_up()

    def comment(self, now: float) -> "asyncio.Task[None]":
        """Start sending a comment; whoever writes next waits for it."""
        self.quiet_since = now
        self._straight = None
        task = self._comment = asyncio.get_running_loop().create_task(self._send_comment())
        return task

    async def _send_comment(self) -> None:
        try:
            if not self.began:
                await self._begin()
            await self._send({"type": "http.response.body", "body": PROCESSING, "more_body": True})
            self._clear_way()
        finally:
            self._comment = None

    async def _begin(self) -> None:
        self.began = True
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [*CORS, *EVENTS, *self._headers],
            }
        )


class Pulse:
    """Keeps all open streams alive."""

    def __init__(self, clock: Clock, options: ServerOptions) -> None:
        self._clock = clock
        self._options = options
        self._streams: set[Stream] = set()
        self._comments: set[asyncio.Task[None]] = set()

    def open(self, send: Send, headers: Headers, give_up: Callable[[], None]) -> Stream:
        """Return a stream that is looked after until `close`."""
        stream = Stream(send, headers, self._clock.monotonic(), give_up)
        self._streams.add(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """Stop looking after a stream."""
        self._streams.discard(stream)

    async def beat(self) -> None:
        """Send a comment into every stream that has been silent too long; give up unread ones.

        Streams that began together are due together, so a crowd of them is served in parts
        and whatever else there is to do comes in between.
        """
        effort = 0
        for stream in tuple(self._streams):
            effort += EFFORT_OF_COMMENT if self._look_after(stream) else 1
            if effort >= MOST_EFFORT:
                effort = 0
                await rest()

    def _look_after(self, stream: Stream) -> bool:
        """Do what a stream needs now, if it is still open; return whether that was much."""
        if stream not in self._streams:
            return False
        now = self._clock.monotonic()
        patience_s = self._options.keepalive_s if stream.began else self._options.header_hold_s
        if stream.is_stuck(now, self._options.stall_s):
            stream.abandon()
            return True
        if not stream.is_quiet(now, patience_s):
            return False
        task = stream.comment(now)
        self._comments.add(task)
        task.add_done_callback(self._comments.discard)
        return True

    async def run(self) -> None:
        """Beat until cancelled."""
        period_s = min(1.0, self._options.header_hold_s / 2, self._options.keepalive_s / 2)
        while True:
            await asyncio.sleep(period_s)
            await self.beat()
