"""Hears on a connection of its own what the nodes of a PostgreSQL server announce.

`NOTIFY` reaches who listens at that moment and is lost to all others (PostgreSQL, "NOTIFY").
So it only ever hastens a look that is taken anyway, and a connection that breaks is made anew
in peace.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from dragoman.store.sql import CHANNEL

RECONNECT_S = 1.0


class Listener:
    """Lives in one event loop, that of its connection."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._heard = asyncio.Event()

    async def wait(self, within_s: float) -> None:
        """Return when something was announced since the last time, or after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._heard.wait()
        self._heard.clear()

    async def run(self) -> None:
        """Listen until cancelled, whatever becomes of the server."""
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen(await self._connect())
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """Return when the connection has broken."""
        broken = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: broken.set())
            await connection.add_listener(CHANNEL, lambda *_: self._heard.set())
            self._heard.set()  # something may have been announced before
            await broken.wait()
        finally:
            connection.terminate()
