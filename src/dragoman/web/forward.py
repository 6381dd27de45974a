"""Hands requests for the control plane on to the process that has it, and its answers back.

Both are our own server: what reaches the far one was read and bounded here before. It
comes by a Unix socket that only this node's processes can open, so what is said there of
the client (its address, its scheme) is believed; what the client itself said of that is
taken out first. A client that leaves takes its request along.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from socket import socket
from typing import Final

from msgspec import structs

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.net.connection import Connection
from dragoman.net.exchange import Exchange
from dragoman.net.head import pairs
from dragoman.net.pool import Lane
from dragoman.net.request import with_length
from dragoman.net.types import Limits, NetError
from dragoman.web.inference import Scope
from dragoman.web.intake import body, headers_of
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Headers, Receive, Send
from dragoman.web.server.exchange import EXCHANGE

AT_ONCE: Final = 200
KEPT_S: Final = 30.0
SWEEP_S: Final = 1.0
LIMITS: Final = Limits(head_s=600.0, idle_s=600.0, pool_s=10.0, head_bytes=64 * 1024)

ABOUT_CLIENT: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
OF_ONE_HOP: Final = frozenset(
    {
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"date",
        b"expect",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that are about a connection and not about the message (RFC 9110, section 7.6.1)."""
HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
AWAY: Final = "The control plane is not there just now."

Dial = Callable[[Path], socket]
"""Connects to a Unix socket at once. Raises OSError."""

_log = logging.getLogger(__name__)


class Forward:
    """An ASGI application that has another process answer, whose server is at `path`.

    While `is_missed`, nobody is made to wait for it.
    """

    def __init__(
        self,
        path: Path,
        dial: Dial,
        options: ServerOptions,
        clock: Clock,
        is_missed: Callable[[], bool] = bool,
    ) -> None:
        self._path = path
        self._is_missed = is_missed
        self._dial = dial
        self._options = structs.replace(options, body_bytes=options.management_body_bytes)
        self._now = clock.monotonic
        self._lane: Lane[Connection] = Lane(AT_ONCE)

    async def run(self) -> None:
        """Keep deadlines, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._lane.sweep(self._now(), KEPT_S)

    async def aclose(self) -> None:
        """Cut every connection."""
        self._lane.close()
        await self._lane.emptied()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Raises Unavailable when the other process is not there."""
        if self._is_missed():
            raise Unavailable(AWAY, retry_after_s=1)
        whole = await body(headers_of(scope["headers"]), receive, self._options)
        head = with_length(head_of(scope), scope["method"], len(whole))
        exchange = (scope.get("extensions") or {}).get(EXCHANGE)
        if exchange is not None and exchange.task is not None:
            exchange.watch(exchange.task.cancel)
        answer = await self._sent(scope["method"], head, whole)
        try:
            await _passed_on(answer, send)
        except NetError as error:
            # The answer has begun, so all that is left is not to end it: the server cuts it.
            _log.warning("forward.broken_off problem=%s", error)
        finally:
            answer.close()

    async def _sent(self, method: str, head: bytes, whole: bytes) -> Exchange:
        """Return the answer once its head is in.

        What changes something is not sent again once it has left: it may have been done.
        """
        while True:
            try:
                return await self._attempt(method, head, whole)
            except NetError as error:
                if not (error.reused and (error.phase == "send" or method in HARMLESS)):
                    raise Unavailable(AWAY, retry_after_s=1) from error
                self._lane.drop_kept()  # they died with the process that had them

    async def _attempt(self, method: str, head: bytes, whole: bytes) -> Exchange:
        lane = self._lane
        if not lane.enter():
            await lane.wait(self._now() + LIMITS.pool_s)
        connection = lane.take() or await self._opened()
        exchange = Exchange(connection, method, LIMITS, self._now() + LIMITS.head_s)
        connection.start(exchange, head, whole, asyncio.get_running_loop())
        await exchange.head()
        return exchange

    async def _opened(self) -> Connection:
        loop = asyncio.get_running_loop()
        with ExitStack() as turn:
            turn.callback(self._lane.leave)
            try:
                place = self._dial(self._path)
            except OSError as error:
                raise NetError("refused", str(error)) from error
            _, connection = await loop.create_unix_connection(
                lambda: Connection(self._lane), sock=place
            )
            if connection.closing:
                raise NetError("eof", "the connection was closed as soon as it was open")
            self._lane.opened(connection)
            turn.pop_all()
        return connection


def head_of(scope: Scope) -> bytes:
    """Return a request's head for the other process, all but its length."""
    fields = _between_us(scope["headers"], ABOUT_CLIENT)
    if scope.get("client"):
        fields.append((b"x-forwarded-for", scope["client"][0].encode()))
    fields.append((b"x-forwarded-proto", scope["scheme"].encode()))
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    line = b"%b %b HTTP/1.1\r\n" % (scope["method"].encode(), target)
    return line + b"".join(b"%b: %b\r\n" % field for field in fields)


async def _passed_on(answer: Exchange, send: Send) -> None:
    headers = _between_us(pairs(answer.raw_head), frozenset())
    if length := answer.headers.get("content-length"):
        headers.append((b"content-length", length.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for part in answer.chunks():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _between_us(fields: Headers, unwanted: frozenset[bytes]) -> Headers:
    """Return the fields that travel on: not those of one hop, as `Connection` names more of."""
    named = {
        name.strip()
        for field, value in fields
        if field == b"connection"
        for name in value.lower().split(b",")
    }
    return [pair for pair in fields if pair[0] not in OF_ONE_HOP | unwanted | named]
