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
    """A server that says when and where it listens."""

    def __init__(self, edge: Edge, options: ServerOptions, on_start: Callable[[str], None]) -> None:
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the address: with port 0 only the system knows it."""
        await super().startup(sockets)
        self._on_start(self._url())

    def _url(self) -> str:
        address = self.servers[0].sockets[0].getsockname()
        host, port = address[0], address[1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
