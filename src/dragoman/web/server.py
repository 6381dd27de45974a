"""The HTTP server: uvicorn with httptools, told how we want to be served.

Provisional, see `docs/decisions`: the application is plain ASGI, so another server
is a matter of this file.
"""

import socket
from collections.abc import Callable

import uvicorn
from uvicorn.config import Config

from dragoman.web.edge import Edge
from dragoman.web.options import ServerOptions

BACKLOG = 4096
KEEP_ALIVE_S = 75


class Server(uvicorn.Server):
    """A server that says when and where it listens, and how many requests it waits for to stop."""

    def __init__(
        self,
        edge: Edge,
        options: ServerOptions,
        on_start: Callable[[str], None],
        on_drain: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(
            Config(
                edge,
                host=options.host,
                port=options.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=round(options.drain_s),
            )
        )
        self._on_start = on_start
        self._on_drain = on_drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the address: with port 0 only the system knows it."""
        await super().startup(sockets)
        self._on_start(self._url())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests end, until `drain_s` or a second Ctrl-C, and then the application.

        After a second Ctrl-C uvicorn itself would not wait for the application, and
        what it has not yet recorded would be lost.
        """
        if self.server_state.tasks:
            self._on_drain(len(self.server_state.tasks))
        await super().shutdown(sockets)
        if self.force_exit:
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()

    def _url(self) -> str:
        address = self.servers[0].sockets[0].getsockname()
        host, port = address[0], address[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
