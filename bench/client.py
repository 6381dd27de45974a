"""Honest clients: requests sent at a rate, whatever becomes of them, and what became of them.

An open loop: a request is sent when its time has come, over a kept connection if
one is free and a new one if none is, as many callers that know nothing of each
other would. A thread sleeps between two sends, since a loop's own timers are no
finer than a millisecond. Times are from the moment a request is handed to its
connection, or to the system to be connected, to the last byte of its answer.
Run it as `python -m bench.client`, a `Drive` in JSON on its input, for a process of its own.
"""

import asyncio
import itertools
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast

import httptools
import msgspec
import uvloop

from bench.process import allow_many_files

GRACE_S: Final = 5.0
PROMPT: Final = "Tell me about the weather in Constantinople. " * 40


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """How to drive: where to, how often a second, for how long.

    `kept` is whether connections are used again; without, each request needs a new one.
    `closed` sends instead from so many connections, each the next request when the last
    is answered. `sources` are the addresses to come from, in turns; no more than
    `most_open` connections are open, and what finds none is lost.
    """

    port: int
    path: str
    key: str
    model: str
    rate: float
    seconds: float
    kept: bool = True
    closed: int = 0
    sources: tuple[str, ...] = ("127.0.0.1",)
    most_open: int = 8000


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What became of requests: times of those answered with 200, in ms, and the other statuses.

    `in_time` of them came before the drive was over. `statuses` counts answers by status;
    `advised` those not 200 that carry Retry-After; `lost` requests without a whole
    answer; `seconds` how long the drive took.
    """

    times_ms: list[float]
    in_time: int
    statuses: dict[int, int]
    advised: int
    lost: int
    seconds: float

    @property
    def answered(self) -> int:
        """How many requests were answered with 200."""
        return len(self.times_ms)

    @property
    def refused(self) -> int:
        """How many requests were answered with anything else."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def percentile_ms(self, share: float) -> float:
        """Return the time within which this share of the answers came; infinite without any."""
        return percentile(self.times_ms, share)


def percentile(times: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of `times` do not exceed."""
    if not times:
        return float("inf")
    ranked = sorted(times)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def request(path: str, key: str, model: str, *, stream: bool = False) -> bytes:
    """Return a chat request as bytes."""
    messages = [{"role": "user", "content": PROMPT}]
    body = msgspec.json.encode({"model": model, "stream": stream, "messages": messages})
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Tally:
    """Counts, while the drive lasts."""

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.advised = 0
        self.lost = 0
        self.open = 0


class _Caller(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, drive: "_Driver", sent: float) -> None:
        self._driver = drive
        self._parser = httptools.HttpResponseParser(self)
        self._sent = sent
        self._advised = False
        self._waits = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._driver.tally.open += 1
        self.ask(self._sent)

    def ask(self, now: float) -> None:
        """Send the request. The answer's time counts from `now`."""
        self._sent, self._waits, self._advised = now, True, False
        self._transport.write(self._driver.payload)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_header(self, name: bytes, _: bytes) -> None:
        if name.lower() == b"retry-after":
            self._advised = True

    def on_message_complete(self) -> None:
        tally, status = self._driver.tally, self._parser.get_status_code()
        self._waits = False
        tally.statuses[status] += 1
        if status == 200:
            tally.times_ms.append((time.perf_counter() - self._sent) * 1000)
        else:
            tally.advised += self._advised
        if self._parser.should_keep_alive() and self._driver.drive.kept:
            self._driver.free(self)
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._driver.tally.open -= 1
        self._driver.gone(self)
        if self._waits:
            self._waits = False
            self._driver.tally.lost += 1
        self._driver.replace()


class _Driver:
    """Sends what is due."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.tally = _Tally()
        self.payload = request(drive.path, drive.key, drive.model)
        self._kept: list[_Caller] = []
        self._opening: set[asyncio.Task[Any]] = set()
        self._sources = itertools.cycle(drive.sources)
        self._over = False

    async def closed(self) -> None:
        """Keep so many connections busy."""
        for _ in range(self.drive.closed):
            self._open()
        await asyncio.sleep(self.drive.seconds)
        self._over = True

    async def paced(self) -> None:
        """Send at the rate."""
        loop = asyncio.get_running_loop()
        ready, alarm = os.pipe()
        os.set_blocking(ready, False)
        loop.add_reader(ready, self._due, ready)
        total = round(self.drive.rate * self.drive.seconds)
        bell = threading.Thread(target=_ring, args=(alarm, self.drive.rate, total))
        bell.start()
        await asyncio.to_thread(bell.join)
        await asyncio.sleep(0)
        loop.remove_reader(ready)
        os.close(ready)
        os.close(alarm)

    async def settle(self) -> None:
        """Wait for what is still open, for a while; what stays away is lost."""
        end = time.monotonic() + GRACE_S
        while self._busy() and time.monotonic() < end:  # noqa: ASYNC110 - seldom, and not for long
            await asyncio.sleep(0.02)
        self._over = True
        self.tally.lost += self._busy()

    def free(self, caller: _Caller) -> None:
        """Take back a connection whose request is answered."""
        if self.drive.closed and not self._over:
            caller.ask(time.perf_counter())
        else:
            self._kept.append(caller)

    def gone(self, caller: _Caller) -> None:
        """Forget a connection."""
        if caller in self._kept:
            self._kept.remove(caller)

    def replace(self) -> None:
        """In a closed loop a connection that is lost is opened anew."""
        if self.drive.closed and not self._over:
            self._open()

    def _busy(self) -> int:
        return self.tally.open - len(self._kept) + len(self._opening)

    def _due(self, ready: int) -> None:
        for _ in os.read(ready, 65536):
            if self._kept:
                self._kept.pop().ask(time.perf_counter())
            elif self.tally.open + len(self._opening) < self.drive.most_open:
                self._open()
            else:
                self.tally.lost += 1

    def _open(self) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(time.perf_counter()))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, sent: float) -> None:
        loop, drive = asyncio.get_running_loop(), self.drive
        local = (next(self._sources), 0)
        try:
            async with asyncio.timeout(drive.seconds + GRACE_S):
                await loop.create_connection(
                    lambda: _Caller(self, sent), "127.0.0.1", drive.port, local_addr=local
                )
        except OSError:  # a connection refused or timed out: TimeoutError is one
            self.tally.lost += 1
            if drive.closed and not self._over:
                loop.call_later(0.01, self.replace)


async def drive(wanted: Drive) -> Sample:
    """Send what is wanted and return what became of it."""
    driver = _Driver(wanted)
    started = time.monotonic()
    await (driver.closed() if wanted.closed else driver.paced())
    seconds = time.monotonic() - started
    tally = driver.tally
    in_time = len(tally.times_ms)
    await driver.settle()
    return Sample(
        times_ms=tally.times_ms,
        in_time=in_time,
        statuses=dict(tally.statuses),
        advised=tally.advised,
        lost=tally.lost,
        seconds=seconds,
    )


def _ring(alarm: int, rate: float, total: int) -> None:
    """Write a byte for each request that is due."""
    started, rung = time.perf_counter(), 0
    while rung < total:
        due = min(total, int((time.perf_counter() - started) * rate) + 1)
        if due > rung:
            os.write(alarm, bytes(min(due - rung, 4096)))
            rung += min(due - rung, 4096)
        time.sleep(max(0.0, started + rung / rate - time.perf_counter()))


if __name__ == "__main__":
    allow_many_files()
    sample = uvloop.run(drive(msgspec.json.decode(sys.stdin.buffer.read(), type=Drive)))
    with open(1, "wb", closefd=False) as out:
        out.write(msgspec.json.encode(sample))
