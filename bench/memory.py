"""Memory: of a gateway that has worked for long, and of each stream that is open."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from bench.client import request
from bench.contenders import Contender
from bench.load import HOLD, HOLD_TLS, PLAIN_20, Load, send
from bench.process import memory_mb

OPENING_AT_ONCE: Final = 50
SOAK_BEFORE: Final = 100_000
PATIENCE_S: Final = 30.0


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in MB after so many requests each, and its growth after the first of them."""

    requests: list[int]
    memory_mb: list[float]

    @property
    def kb_per_1000(self) -> float:
        """Return the growth in KB for each 1,000 requests: the slope of the best line."""
        return slope(self.requests, self.memory_mb) * 1e6


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the slope of the line with the least squares; 0 for fewer than two points."""
    if len(xs) < 2:
        return 0.0
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    under = sum((x - x_mean) ** 2 for x in xs)
    return over / under if under else 0.0


def soak(contender: Contender, requests: int, step_s: int = 10) -> Slope:
    """Send 100,000 requests, then so many more, reading memory after each step."""
    served, counts, sizes = 0, [], []
    while served < SOAK_BEFORE + requests:
        served += send(PLAIN_20, contender.target(PLAIN_20), PLAIN_20.model, step_s).requests
        time.sleep(1.0)
        print(f"  after {served:,} requests: {memory_mb(contender.pid):.1f} MB", flush=True)
        if served >= SOAK_BEFORE:
            counts.append(served)
            sizes.append(memory_mb(contender.pid))
    return Slope(requests=counts, memory_mb=sizes)


def per_stream_kb(contender: Contender, count: int, *, tls: bool = False) -> float:
    """Open so many streams that wait for their upstream; return what each takes, in KB.

    The first tenth is opened before memory is read for the first time: what is made
    once for many, such as a TLS context, belongs to no stream. All hosts of the
    benchmark are one origin, which by default has 1,000 connections at most.
    """
    return asyncio.run(_per_stream_kb(contender, count, HOLD_TLS if tls else HOLD))


async def _per_stream_kb(contender: Contender, count: int, load: Load) -> float:
    streams: list[_Waiting] = []
    try:
        await _open(contender, load, count // 10, streams)
        before = memory_mb(contender.pid)
        await _open(contender, load, count, streams)
        grown = memory_mb(contender.pid) - before
    finally:
        for stream in streams:
            stream.close()
    await asyncio.sleep(0.5)
    return grown * 1000 / count


class _Waiting(asyncio.Protocol):
    """A stream that has begun and is not over."""

    def __init__(self) -> None:
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if b"data: " in data and not self.began.done():
            self.began.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.began.done():
            self.began.set_exception(exc or ConnectionError("closed before the first chunk"))
            self.began.exception()  # it may have been given up, and nobody would look

    def ask(self, payload: bytes) -> None:
        """Send the request."""
        self._transport.write(payload)

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()


async def _open(contender: Contender, load: Load, count: int, streams: list[_Waiting]) -> None:
    place = urlsplit(contender.url)
    key = contender.keys.read_text().split()[0]
    payload = request(f"{place.path}/chat/completions", key, load.model, stream=True)
    turns = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one(_: int) -> None:
        loop = asyncio.get_running_loop()
        async with turns, asyncio.timeout(PATIENCE_S):
            connected: tuple[Any, _Waiting] = await loop.create_connection(
                _Waiting, place.hostname or "", place.port or 80
            )
            streams.append(connected[1])
            connected[1].ask(payload)
            await connected[1].began

    await asyncio.gather(*map(one, range(count)))
