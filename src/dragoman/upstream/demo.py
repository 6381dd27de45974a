"""The demo hosts behind the same seam as real ones: a script, played with pauses.

Addresses are `demo://<provider slug>/v1`. What is said, and how it fails, is decided
in `dragoman.providers.demo`; here it only takes its time.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from math import inf
from typing import Self
from urllib.parse import urlsplit

from dragoman.core.clock import Clock
from dragoman.net.types import Limits, NetError, Phase, Request
from dragoman.providers.demo.other_kinds import PATHS, script_of
from dragoman.providers.demo.script import Script, refused, script
from dragoman.providers.demo.speeds import SPEEDS

Sleep = Callable[[float], Awaitable[None]]

CHAT = "/v1/chat/completions"


class DemoTransport:
    """A `Transport` (`dragoman.net.types`) that reaches the demo hosts and nothing else."""

    def __init__(self, clock: Clock | None = None, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock or Clock()
        self._sleep = sleep

    async def send(self, request: Request, limits: Limits) -> "DemoResponse":
        """Return the host's answer once its head would be in. Raises NetError."""
        play = self._script(request)
        await _wait(self._sleep, play.head_s, limits.head_s, "head")
        return DemoResponse(play, limits, self._sleep)

    def _script(self, request: Request) -> Script:
        address = urlsplit(request.url)
        provider = address.hostname or ""
        if address.scheme != "demo" or provider not in SPEEDS:
            raise NetError("dns", f"{provider!r} is not a demo host")
        if request.method == "POST" and address.path in PATHS:
            return script_of(address.path, request.body, provider=provider)
        if (request.method, address.path) != ("POST", CHAT):
            return refused(404, f"Unknown request URL: {request.method} {address.path}")
        seed = secrets.randbits(64)
        return script(request.body, provider=provider, seed=seed, now=self._clock.wall())


class DemoResponse:
    """A `Response` (`dragoman.net.types`) that arrives as its script says.

    It is the iterator over its own body, so that leaving a loop early leaves nothing behind.
    """

    def __init__(self, play: Script, limits: Limits, sleep: Sleep) -> None:
        self.status = play.status
        self.headers = dict(play.headers)
        self._frames = iter(play.frames)
        self._ending = play.ending
        self.idle_s = limits.idle_s
        self._limits = limits
        self._sleep = sleep
        self._closed = False

    def chunks(self) -> Self:
        """Return the body's iterator: each step gives one frame, when its time has come."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise NetError("eof", "the answer was closed before its end")
        frame = next(self._frames, None)
        if frame is not None:
            pause_s, data = frame
            await _wait(self._sleep, pause_s, self.idle_s, "idle")
            return data
        if self._ending == "hang":
            await _wait(self._sleep, inf, self.idle_s, "idle")
        if self._ending == "cut":
            raise NetError("eof", "the demo host broke the connection, as it was asked to")
        raise StopAsyncIteration

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Hand over frames as their time comes; see `Response`."""
        async for frame in self:
            if not take(frame):
                return False
        return True

    async def read(self) -> bytes:
        """Return the whole body. Raises NetError("too_large") beyond `Limits.body_bytes`."""
        body = bytearray()
        async for chunk in self:
            body += chunk
            if len(body) > self._limits.body_bytes:
                raise NetError("too_large", f"a body over {self._limits.body_bytes} bytes")
        return bytes(body)

    def close(self) -> None:
        """Let go of the answer. Twice is fine."""
        self._closed = True

    def release(self) -> None:
        """Let go of the answer: there is no connection to keep."""
        self.close()


async def _wait(sleep: Sleep, pause_s: float, limit_s: float, phase: Phase) -> None:
    if pause_s > limit_s:
        await sleep(limit_s)
        raise NetError(phase, f"the demo host was silent for {limit_s:g} s")
    if pause_s:
        await sleep(pause_s)
