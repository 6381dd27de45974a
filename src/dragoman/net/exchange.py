"""One answer: bytes from a connection in, status, headers and body chunks out.

The HTTP/1.1 state of one request lives here, around a parser made for it, so that
nothing of one answer can leak into the next. Knows no sockets: whatever carries it
is a `Carrier`. Deadlines are plain numbers that a sweep compares, never timers.
"""

import asyncio
from collections.abc import Callable
from typing import Self

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from dragoman.net import head as heads
from dragoman.net.types import STALE_S, Carrier, Limits, NetError, Phase

# Unread bytes beyond which the peer is made to wait. A reader takes all there is,
# so the low mark at which the peer may go on is an empty buffer. Whose client does not
# read holds this much, and what waits to be sent to the client; who reads gains nothing by more.
HIGH_WATER = 64 * 1024

# How much may still come, and for how long, of an answer that nobody reads to its end.
MOST_LET_PASS = 16 * 1024
LONGEST_LET_PASS_S = 1.0
MOST_INTERIM = 16  # answers before the answer (RFC 9110, 15.2) are few where they are at all


class Exchange:
    """Fulfils `dragoman.net.types.Response`, and is the iterator over its own body.

    One task reads at a time. A reader that is cancelled while it waits closes the
    exchange. `head_deadline` is monotonic time, as is the `now` of `sweep`.
    """

    __slots__ = (
        "_buffered", "_carrier", "_closed", "_complete", "_error", "_expects_body", "_framing_size",
        "_gathers", "_head_deadline", "_head_done", "_heard", "_interim", "_limits", "_loop",
        "_may_pass", "_parser", "_parts", "_paused", "_quiet_since", "_reusable", "_sink",
        "_under_way", "_waiter", "idle_s", "on_body", "raw_head", "status",
    )  # fmt: skip

    def __init__(
        self,
        carrier: Carrier,
        method: str,
        limits: Limits,
        head_deadline: float,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.status = 0
        self.idle_s = limits.idle_s
        self._carrier = carrier
        self._limits = limits
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._error: NetError | None = None
        self._closed = False

        self._expects_body = method != "HEAD"
        self._head_deadline = head_deadline
        self._head_done = False
        self._under_way = False  # for longer than a dead connection takes to say so
        self.raw_head = b""
        self._interim = 0
        self._framing_size = 0
        self._complete = False
        self._reusable = False
        parts: list[bytes] = []
        self._parts = parts
        self._buffered = 0
        self._paused = False
        self._gathers = False
        self._sink: Callable[[bytes], bool] | None = None

        self._heard = False  # since the last sweep
        self._quiet_since: float
        self._may_pass: int | None = None  # so many bytes after the release

        self.on_body: Callable[[bytes], None] = (
            parts.append if self._expects_body else self._unwanted
        )
        """Called by the parser for each piece of the body, which mostly takes no Python."""
        self._parser = HttpResponseParser(self)

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; of repeated headers the last. Empty until the head is in."""
        return heads.fields(self.raw_head) if self._head_done else {}

    async def head(self) -> None:
        """Return when status and headers are in. Raises NetError, closed then."""
        try:
            while not self._head_done:
                if self._error is not None:
                    self.close()
                    raise self._error
                await self._news()
        except asyncio.CancelledError:
            self.close()
            raise

    def chunks(self) -> Self:
        """Return the body's iterator: each step gives all that came since the last one."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            while not self._parts:
                if self._complete:
                    raise StopAsyncIteration
                if self._error is not None:
                    raise self._error
                await self._news()
        except asyncio.CancelledError:
            self.close()
            raise
        return self._take()

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Hand over what came and what comes, and wake nobody for it; see `Response`."""
        if not self._head_done:
            await self.head()
        if self._parts and not take(self._take()):
            return False
        self._sink = take
        try:
            await self._poured()
        except asyncio.CancelledError:
            self.close()
            raise
        wanted, self._sink = self._sink is not None, None
        return wanted

    async def _poured(self) -> None:
        while not self._complete and self._sink is not None:
            if self._error is not None:
                raise self._error
            await self._news()

    async def read(self) -> bytes:
        """Return the whole body, or what is left of it.

        Raises NetError("too_large") beyond `Limits.body_bytes`.
        """
        self._gathers = True
        if self._paused:
            self._paused = False
            self._carrier.resume()
        if not self._complete:
            await self._rest()
        if self._buffered > self._limits.body_bytes:
            self._reusable = False
            raise self._over_size()
        return self._take() if self._parts else b""

    async def _rest(self) -> None:
        self._bound_body()
        try:
            while not self._complete:
                if self._error is not None:
                    raise self._error
                await self._news()
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back if the answer came to its end, else cut it. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._sink = None
        if not self._complete:
            self._fail(NetError("eof", "the answer was closed before its end"))
        if not self._reusable:
            self._carrier.cut()
        if self._paused:
            self._carrier.resume()
        # The parser holds our bound methods: without this, every exchange would be a
        # cycle left to the garbage collector.
        del self._parser
        self._carrier.finish()

    def release(self) -> None:
        """Close, but let the little that is missing come, so that the connection can be kept.

        For an answer whose content ended before its framing did, as streams do.
        """
        if self._closed or self._complete or self._error is not None or self._until_eof:
            self.close()
            return
        self._may_pass = MOST_LET_PASS
        self._quiet_since = 0.0
        if self._parts or self._paused:
            self._take()

    def feed(self, data: bytes) -> None:
        """Take what the peer sent, at any cut."""
        if self._error is not None:
            return
        self._heard = True
        sink = self._sink
        if sink is None:
            self._gather(data)
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(NetError("protocol", str(error)))
        parts = self._parts
        if parts:
            self._framing_size = 0
            if not sink(parts.pop() if len(parts) == 1 else self._joined()):
                self._sink = None
        elif not self._complete:
            self._count_framing(len(data))
        if self._sink is None or self._complete:
            self._wake()

    def _gather(self, data: bytes) -> None:
        """Take what nobody has handed over to him at once."""
        if not self._head_done:
            self.raw_head += data
        parts = self._parts
        before = len(parts)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(NetError("protocol", str(error)))
        came = parts[before:]
        for part in came:
            self._buffered += len(part)
        if self._may_pass is not None:
            self._let_pass(self._may_pass - len(data))
        elif self._complete:
            if self._waiter is not None:
                self._wake()
        elif not came:
            self._count_framing(len(data))
        else:
            self._framing_size = 0
            if self._gathers:
                self._bound_body()
            else:
                self._keep()

    def _keep(self) -> None:
        """Tell who waits, and reads next, that something came; if nobody does, stop the peer."""
        if self._waiter is not None:
            self._wake()
        elif self._buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self._carrier.pause()

    def lost(self, phase: Phase, detail: str) -> None:
        """Take note that the connection is gone; `eof` ends a body that has no other end."""
        if phase == "eof" and self._error is None and self._until_eof:
            self._complete = True
            self._wake()
            return
        unheard = not (self.raw_head or self._interim or self._under_way)
        self._fail(NetError(phase, detail, reused=self._carrier.reused and unheard))
        if self._may_pass is not None:
            self.close()

    def sweep(self, now: float) -> None:
        """Fail the exchange if its head or the next bytes of its body are overdue.

        Silence counts only while somebody waits for bytes: a reader that is slow
        itself, and thereby makes the peer wait, is no fault of the peer.
        """
        if self._may_pass is not None:
            self._quiet_since = self._quiet_since or now
            if now - self._quiet_since >= LONGEST_LET_PASS_S:
                self.close()
        elif not self._head_done:
            self._under_way = now - self._head_deadline + self._limits.head_s >= STALE_S
            if now >= self._head_deadline:
                self._fail(NetError("head", f"no answer within {self._limits.head_s:g} s"))
        elif self._waiter is None or self._heard:
            self._heard = False
            self._quiet_since = now
        elif now - self._quiet_since >= self.idle_s:
            self._fail(NetError("idle", f"no bytes for {self.idle_s:g} s"))

    def on_message_begin(self) -> None:
        """Called by the parser: a second answer is one that nobody asked for, and is not read."""
        if self._complete:
            raise NetError("protocol", "an answer that nobody asked for")

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of a head, interim answers included."""
        if self._head_done or self._error is not None:
            return
        head, _, rest = self.raw_head.lstrip(b"\r\n").partition(heads.END)
        status = self._parser.get_status_code()
        if status < 200 and 100 <= status != 101:
            self._pass_over(rest)
            return
        limits = self._limits
        if len(head) > limits.head_bytes or head.count(b"\r\n") > limits.head_fields:
            self._fail(NetError("too_large", heads.excess(head, limits)))
            return
        if refusal := heads.refusal(head, status):
            self._fail(NetError("protocol", refusal))
            return
        self.raw_head = head
        self.status = status
        self._head_done = True
        if not self._expects_body:
            self.on_message_complete()
        self._wake()

    def _unwanted(self, _: bytes) -> None:
        """Take note of a body where there must be none."""
        self._reusable = False

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer, interim ones included."""
        if self._head_done and not self._complete:
            self._complete = True
            self._reusable = self._parser.should_keep_alive()

    def _pass_over(self, rest: bytes) -> None:
        """Drop an interim answer; `rest` is what came after its head."""
        self.raw_head = rest
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self._fail(NetError("too_large", f"more than {MOST_INTERIM} interim answers"))

    def _bound_body(self) -> None:
        if self._buffered > self._limits.body_bytes and not self._complete:
            self._fail(self._over_size())

    @property
    def _until_eof(self) -> bool:
        """Whether the body ends where the connection does."""
        return self._head_done and heads.ends_with_connection(self.raw_head)

    def _over_size(self) -> NetError:
        return NetError("too_large", f"a body over {self._limits.body_bytes} bytes")

    def _count_framing(self, size: int) -> None:
        # The parser gathers a field without telling us until it ends, so heads and
        # trailers are bounded by what came in since the last byte of a body.
        self._framing_size += size
        if self._framing_size > self._limits.head_bytes and not self._complete:
            self._fail(
                NetError("too_large", f"head or trailers over {self._limits.head_bytes} bytes")
            )

    def _let_pass(self, left: int) -> None:
        """Drop what came after the release; part from the connection at the end, or at too much."""
        self._parts.clear()
        self._buffered = 0
        self._may_pass = left
        if self._complete or self._error is not None or left < 0:
            self.close()

    def _take(self) -> bytes:
        parts = self._parts
        chunk = parts.pop() if len(parts) == 1 else self._joined()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._carrier.resume()
        return chunk

    def _joined(self) -> bytes:
        chunk = b"".join(self._parts)
        self._parts.clear()
        return chunk

    def _news(self) -> asyncio.Future[None]:
        """Return what is done when something has come. A plain future: a chunk costs no more."""
        assert self._waiter is None, "an answer is read by one task at a time"
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # asks the system for the process, so once
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None:
            return
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: NetError) -> None:
        if self._complete:
            self._reusable = False
            return
        if self._error is None:
            self._error = error
            self._carrier.cut()
            self._wake()
