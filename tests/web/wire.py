"""A server without sockets: its floor, an application that keeps what it is asked, a transport."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from dragoman.core.clock import Clock
from dragoman.web.lanes import Lane, Tier
from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server.connection import Connection
from dragoman.web.server.deadlines import Limits
from dragoman.web.server.floor import Caps, Floor
from dragoman.web.server.head import HeadReader
from dragoman.web.server.proxies import Proxies
from dragoman.web.voices import voice_of

LIMITS = Limits(header_s=10, body_s=120, body_stall_s=15, idle_s=75, stall_s=30)
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
Work = Callable[[Message, Receive, Send], Awaitable[None]]


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the method, the path and the body."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    said = f"{scope['method']} {scope['path']} ".encode() + body
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


class App:
    """An application that notes every request which reaches it."""

    def __init__(self, work: Work = echo, *, body_bytes: int = 1000) -> None:
        self.work = work
        self.body_bytes = body_bytes
        self.asked: list[Message] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.asked.append({**scope, "extensions": {}})
        await self.work(scope, receive, send)

    def lane(self, path: str) -> Lane:
        tiers = {"/healthz": Tier.HEALTH, "/readyz": Tier.READINESS}
        return Lane(tiers.get(path, Tier.INFERENCE), self.body_bytes, voice_of(path))


class Carrier(asyncio.Transport):
    """A transport that keeps what is written, and may be as slow as a test wants."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        super().__init__()
        self.peer = peer
        self.sent = b""
        self.waiting = 0
        self.reads = True
        self.ended = False
        self.closed = False
        self.aborted = False
        self.ends = True
        self._lost: Callable[[Exception | None], None] = lambda _: None

    def carry(self, line: Connection) -> None:
        self._lost = line.connection_lost
        line.connection_made(self)

    def write(self, data: Any) -> None:
        assert not self.closed
        assert not self.ended
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high or 0) > (low or 0)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self.peer, 4711) if name == "peername" else default

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return self.ends

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        assert self.reads
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        self.reads = True

    def close(self) -> None:
        self.closed = True
        if not self.waiting:
            self._lost(None)

    def abort(self) -> None:
        self.closed = self.aborted = True
        self._lost(None)


class Scene:
    """A floor, and clients that come to it. The event loop's time moves when told."""

    def __init__(
        self,
        app: App | None = None,
        *,
        connections: int = 100,
        per_address: int = 100,
        requests: int = 100,
        proxies: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
    ) -> None:
        self.app = app or App()
        self.memory = 0.1  # the share that is used
        self.excused = 5
        caps = Caps(connections, per_address, requests, self.excused)
        self.floor = Floor(
            self.app, HeadReader(hosts), Proxies(proxies), LIMITS, caps, lambda: self.memory
        )
        self.floor.date = b"date: now\r\n"
        self.clock = Clock(wall=lambda: 0.0)
        self.loop = asyncio.get_running_loop()

    def client(self, peer: str = "127.0.0.1") -> tuple[Connection, Carrier]:
        line, carrier = Connection(self.floor, self.loop), Carrier(peer)
        carrier.carry(line)
        return line, carrier

    def later(self, seconds: float) -> None:
        """Sweep as if so many seconds had passed for whoever is due by then."""
        self.sweep(self.loop.time() + seconds)

    def sweep(self, now: float) -> bool:
        return self.floor.sweep(now, self.clock, lambda tell, at: tell(at))


async def settled() -> None:
    """Let what is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


def is_still(line: Connection) -> bool:
    """Whether no deadline waits for this connection."""
    return math.isinf(line.due)


class Watching:
    """An application that reads its body and then waits for the client to leave."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.app = App(self._work)

    async def _work(self, _: Message, receive: Receive, send: Send) -> None:
        while not self.heard or self.heard[-1]["type"] != "http.disconnect":
            self.heard.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"too late"})
