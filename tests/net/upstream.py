"""An upstream that does as a test says, byte by byte, on a real socket of loopback.

A script is a coroutine over a `Peer`, one run per connection. What a script raises
makes the test fail when the upstream is closed, unless the client had left.
"""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

Script = Callable[["Peer"], Awaitable[None]]


def answer(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """Return an answer framed by its length, with more header fields if given."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    """Return an answer in chunks (RFC 9112, 7.1)."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (*chunks, b""))


class Peer:
    """The upstream's end of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        self._asked = asked
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Return the next request, head and body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        _, announced, rest = head.lower().partition(b"content-length: ")
        length = int(rest.split(b"\r\n")[0]) if announced else 0
        body = await self._reader.readexactly(length)
        self._asked.set()
        return head + body

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Return when the client has closed its end, or reset the connection."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return

    async def end(self) -> None:
        """Close the connection once what was sent has left."""
        self._writer.close()

    def cut_off(self) -> None:
        """End the connection as somebody on the way would: nothing of TLS's own end is sent."""
        peer: socket.socket = self._writer.get_extra_info("socket")
        with socket.socket(fileno=os.dup(peer.fileno())) as same:
            same.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Answer with a TCP reset from here on."""
        linger = struct.pack("ii", 1, 0)
        peer: socket.socket = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


class Upstream:
    """A listening socket that runs `script` for each connection."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._scheme = "https" if tls else "http"
        self._failures: list[BaseException] = []
        self._running: set[asyncio.Task[None]] = set()
        self.port = 0
        self.accepted = 0
        self.asked = asyncio.Event()
        """Set when a request has been read."""
        self.all_gone = asyncio.Event()
        """Set while no connection is open, seen from here."""

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/v1/chat"

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        assert not self._failures, self._failures

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self.all_gone.clear()
        self.accepted += 1
        try:
            await self._script(Peer(reader, writer, self.asked))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as failure:
            self._failures.append(failure)
            raise
        finally:
            writer.transport.abort() if task.cancelling() else writer.close()
            self._running.discard(task)
            if not self._running:
                self.all_gone.set()
