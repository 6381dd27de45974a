"""A small HTTP proxy on a socket of loopback: tunnels, and requests in absolute form.

It knows one upstream, whatever name it is asked for, so that names can be made up.
"""

import asyncio
import ssl
from contextlib import suppress

REFUSAL = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


class Forwarder:
    """Listens, notes the heads of what it was asked, and hands bytes to and fro."""

    def __init__(self, upstream_port: int, authorization: str = "") -> None:
        self._upstream_port = upstream_port
        self._authorization = authorization
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()
        self.asked: list[str] = []
        self.port = 0
        self.says: bytes | None = None
        """What it answers to everything; None: it does as it was asked."""

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._answer(reader, writer)
        finally:
            writer.transport.abort()
            self._running.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.decode())
        expected = f"Proxy-Authorization: {self._authorization}\r\n"
        if self.says is not None:
            writer.write(self.says)
            await reader.read()
            return
        if self._authorization and expected not in self.asked[-1]:
            writer.write(REFUSAL)
            await reader.read()
            return
        there = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        if head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        else:
            there[1].write(head)
        try:
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
        finally:
            there[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
