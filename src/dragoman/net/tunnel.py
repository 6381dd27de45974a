"""A way through a proxy to a host that we speak TLS with (RFC 9110, 9.3.6).

The proxy is asked to CONNECT, answers with a head, and from then on hands bytes to and
fro. What it may say, and what that means, is decided here; it is `dragoman.net.dial`
that connects and waits.
"""

import asyncio
import re

from dragoman.net.proxy import Proxy
from dragoman.net.types import NetError, Phase
from dragoman.net.url import Origin

MOST_SAID = 16 * 1024

_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}(?: [^\r\n]{0,100})?)[^\r\n]*\r\n")


class Tunnel:
    """The proxy's answer to CONNECT. A connection hears it in place of an exchange."""

    __slots__ = ("_opened", "_said", "_what")

    def __init__(self, origin: Origin, proxy: Proxy) -> None:
        self._what = f"{proxy} opened no tunnel to {origin.host}:{origin.port}"
        self._said = b""
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def opened(self) -> None:
        """Return when bytes go through. Raises NetError("proxy") if they never will."""
        await self._opened

    def feed(self, data: bytes) -> None:
        """Take what the proxy sent."""
        self._said += data
        if _END in self._said:
            self._end(_refusal(self._said))
        elif len(self._said) > MOST_SAID:
            self._end(f"an answer over {MOST_SAID} bytes")

    def lost(self, _: Phase, detail: str) -> None:
        """Take note that the connection is gone."""
        self._end(detail)

    def sweep(self, now: float) -> None:
        """Nothing is overdue here: who connects has a limit of its own."""

    def _end(self, refusal: str) -> None:
        if self._opened.done():
            return
        if refusal:
            self._opened.set_exception(NetError("proxy", f"{self._what}: {refusal}"))
        else:
            self._opened.set_result(None)


def connect_head(origin: Origin, proxy: Proxy) -> bytes:
    """Return the request for a tunnel to `origin`."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *proxy.credential_lines()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _refusal(said: bytes) -> str:
    """Return why an answer is no consent, or an empty text when it is."""
    head, _, rest = said.partition(_END)
    match = _STATUS.match(head + b"\r\n")
    if match is None:
        return "what answered speaks no HTTP/1.1"
    status = match[1].decode("latin-1")
    if not status.startswith("2"):
        return status
    return "it spoke before TLS did" if rest else ""
