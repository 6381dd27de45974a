"""CPU of the HTTP client alone, per request over kept connections: `python -m bench.http_client`.

The upstream runs in a process of its own and does next to nothing; what is counted is
the time of this process alone (`time.process_time`).
"""

import asyncio
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection as Pipe
from typing import cast

import uvloop

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.types import Limits, Request

REQUESTS = 20_000
CALLERS = 32
ANSWER_BODY = b"x" * 1500
FIELDS = (
    "Content-Type: application/json", "Date: Sat, 21 Nov 2026 00:00:00 GMT", "Server: bench",
    "x-request-id: req_0123456789abcdef", "openai-processing-ms: 120", "Via: 1.1 bench",
    "x-ratelimit-limit-requests: 10000", "x-ratelimit-remaining-requests: 9999",
)  # fmt: skip
HEADERS = (
    ("Authorization", "Bearer sk-0123456789abcdef0123456789abcdef"),
    ("Content-Type", "application/json"),
    ("User-Agent", "dragoman"),
)


def whole() -> bytes:
    """Return the upstream's answer to everything."""
    fields = "\r\n".join(FIELDS)
    head = f"HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {len(ANSWER_BODY)}\r\n\r\n"
    return head.encode() + ANSWER_BODY


class Upstream(asyncio.Protocol):
    """Answers each read with the same bytes: requests here come one at a time and whole."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, _: bytes) -> None:
        self._transport.write(self._answer)


def serve(told: Pipe) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        answer = whole()
        server = await loop.create_server(lambda: Upstream(answer), "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


async def measure(port: int, callers: int, requests: int) -> tuple[float, float]:
    """Return the CPU and the time on the wall of one request, in microseconds."""
    client = HttpClient(Clock(), pool=PoolOptions(per_host=callers))
    sweeping = asyncio.create_task(client.run())
    request = Request(
        method="POST", url=f"http://127.0.0.1:{port}/v1/chat", headers=HEADERS, body=b"y" * 600
    )
    limits = Limits()

    async def call(times: int) -> None:
        for _ in range(times):
            response = await client.send(request, limits)
            await response.read()
            response.close()

    async def calls(times: int) -> None:
        await asyncio.gather(*(call(times // callers) for _ in range(callers)))

    await calls(requests // 10)
    cpu, wall = time.process_time(), time.perf_counter()
    await calls(requests)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    sweeping.cancel()
    await client.aclose()
    return cpu / requests * 1e6, wall / requests * 1e6


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    upstream = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    upstream.start()
    port = ours.recv()
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    for callers in (1, CALLERS):
        found = [uvloop.run(measure(port, callers, requests)) for _ in range(3)]
        cpu, wall = min(found)
        print(f"{callers:3} callers: {cpu:6.1f} us of CPU, {wall:6.1f} us each (best of 3)")
    upstream.terminate()
    upstream.join()


if __name__ == "__main__":
    main()
