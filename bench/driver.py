"""The gateway in one process, without sockets: its server, called as the event loop calls it.

A client that has its request ready, and an upstream that answers at once, stand where
connections would, so that a request takes the same path, byte by byte, each time. What
is left out is the kernel. `bench.instructions` counts what it does.
Run it as `python -m bench.driver DIRECTORY KIND COUNT`.
"""

import asyncio
import json
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

import uvloop

from bench import upstream
from bench.client import request
from dragoman.app import build
from dragoman.config import Settings, load
from dragoman.core.clock import Clock
from dragoman.node.process import settle
from dragoman.office import keys
from dragoman.office.premises import open_premises
from dragoman.web.server.answer import LAST_CHUNK, date_line
from dragoman.web.server.connection import Connection
from dragoman.web.server.floor import Floor
from dragoman.web.server.listener import Server

CHUNKS: Final = 50
KINDS: Final = {"plain": upstream.PLAIN, "stream": b"".join(upstream.stream(CHUNKS))}
MODEL: Final = "bench/model"
ENDPOINTS: Final = 20
STILL_S: Final = 100_000.0
REST_S: Final = 0.01
"""Timers as short as this run: who rests between two slices of work goes on."""
NOWHERE: Final = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Message = MutableMapping[str, Any]


class Pipe(asyncio.Transport):
    """What takes whatever is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": _Deaf(), "peername": ("127.0.0.1", 50_000)}.get(name, default)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        """There is nothing that could be stopped."""

    def resume_reading(self) -> None:
        """There is nothing that was stopped."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""


class Answering(Pipe):
    """A connection whose peer answers each request, whole, in the next turn of the loop."""

    def __init__(self, protocol: asyncio.Protocol, answer: bytes) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer = answer

    def write(self, _: bytes | bytearray | memoryview) -> None:
        asyncio.get_running_loop().call_soon(self._protocol.data_received, self._answer)

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class Asking(Pipe):
    """A connection whose peer asks one thing after the other, and reads each answer to its end."""

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = Connection(floor, loop)
        self._protocol.connection_made(self)
        self._loop = loop
        self._last = b""
        self._status = 0
        self._answered: asyncio.Future[int]

    async def ask(self, raw: bytes, last: bytes) -> int:
        """Ask once, and return the status. An answer is at its end with its `last` bytes."""
        self._last = last
        self._status = 0
        self._answered = self._loop.create_future()
        self._protocol.data_received(raw)
        return await self._answered

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._status:
            self._status = int(data[9:12])
        if data[-len(self._last) :] == self._last:
            self._answered.set_result(self._status)


def _stilled(delay: float) -> float:
    return delay if delay <= REST_S else delay + STILL_S


class _Deaf:
    """A socket that takes any option, and never has anything to read."""

    pipe: Final = os.pipe()

    def setsockopt(self, *_: int) -> None:
        """Take it."""

    def fileno(self) -> int:
        """Return the end of a pipe that nobody writes to."""
        return self.pipe[0]


class Loop(uvloop.Loop):
    """The loop of production, whose connections lead to `Answering` and whose timers stand still.

    How often what runs in the background comes round depends on how long a run takes, which
    is what must not be counted. No deadline is needed where every answer comes at once.
    """

    answer = b""

    def call_later(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        delay, *rest = arguments
        return super().call_later(_stilled(delay), *rest, **options)

    def call_at(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        when, *rest = arguments
        return super().call_at(when + STILL_S, *rest, **options)

    async def create_connection(self, *arguments: Any, **_: Any) -> Any:
        """Return a connection that is open already, for the protocol that is made first."""
        protocol = arguments[0]()
        transport = Answering(protocol, self.answer)
        protocol.connection_made(transport)
        return transport, protocol


def settings(directory: Path) -> Settings:
    """Return settings with so many endpoints."""
    file = directory / "dragoman.yaml"
    price = {"prompt": 0.000001, "completion": 0.000002}
    host = {
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "none",
        "models": {MODEL: {"upstream": "plain", "context": 128_000, "price": price}},
    }
    hosts = {f"host-{number:02}": host for number in range(ENDPOINTS)}
    file.write_text(json.dumps({"providers": hosts}))
    return Settings(options=load(file, {}), file=file, data=directory / "data", environ={})


async def drive(directory: Path, kind: str, count: int) -> None:
    """Start the application, ask it so many times, and stop it."""
    premises = open_premises(directory / "data")
    chosen = settings(directory)
    try:
        made = keys.create("bench", prefix="sk-dm-v1-", pepper=premises.pepper, now=0.0)
        key, _ = premises.ledger.run_now(made)
        app: Any = build(chosen, premises, Clock())
        told: asyncio.Queue[Message] = asyncio.Queue()
        started = asyncio.Event()

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                started.set()

        told.put_nowait({"type": "lifespan.startup"})
        life = asyncio.create_task(app({"type": "lifespan"}, told.get, send))
        await started.wait()
        server = Server(app, chosen.options.server, lambda _: None)
        server.floor.date = date_line(0.0)
        client = Asking(server.floor, asyncio.get_running_loop())
        await client.ask(NOWHERE, b"}")  # of the control plane, once that has been imported
        settle()  # as `dragoman serve` does
        raw = request("/api/v1/chat/completions", key, MODEL, stream=kind != "plain")
        for _ in range(count):
            status = await client.ask(raw, b"}" if kind == "plain" else LAST_CHUNK)
            if status != 200:
                raise SystemExit(f"the gateway answers {status}")
        told.put_nowait({"type": "lifespan.shutdown"})
        await life
    finally:
        premises.close()


def main(directory: Path, kind: str, count: int) -> None:
    """Drive on a loop of our own."""
    loop = Loop()
    loop.answer = KINDS[kind]
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(drive(directory, kind, count))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # what an interpreter does at its end is nobody's request
