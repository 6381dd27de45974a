"""A wire to PostgreSQL that a test can hold still or cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

PIECE = 65_536


class Tap:
    """Passes bytes on, both ways, unless told otherwise."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        who = self._parts.netloc.rpartition("@")[0]
        return f"postgresql://{who}@127.0.0.1:{self.port}{self._parts.path}"

    def stall(self) -> None:
        """Let nothing through, and tell nobody."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Break every connection there is."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = parse_qs(self._parts.query).get("host", [self._parts.hostname or "127.0.0.1"])[0]
        port = self._parts.port or 5432
        if unquote(host).startswith("/"):
            behind = await asyncio.open_unix_connection(f"{unquote(host)}/.s.PGSQL.{port}")
        else:
            behind = await asyncio.open_connection(host, port)
        self._writers |= {writer, behind[1]}
        for source, target in ((reader, behind[1]), (behind[0], writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(PIECE):
                await self._flowing.wait()
                target.write(piece)
                await target.drain()
        target.transport.abort()

    async def close(self) -> None:
        self.cut()
        for pump in [*self._pumps]:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[Tap]:
    """Have a wire to the server at `url`."""
    tap = Tap(url)
    async with await asyncio.start_server(tap.serve, "127.0.0.1", 0) as server:
        tap.port = server.sockets[0].getsockname()[1]
        yield tap
        await tap.close()
