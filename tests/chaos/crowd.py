"""Clients that never rest: streams, whole answers, and some that hang up on the way.

What a client was told that its request cost is remembered: it must be what is on record.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

NANO = 1_000_000_000
PATIENCE_S = 60.0
PAUSE_S = 0.05
LEAVES = 0.1
"""How many hang up after the first bytes."""
SHED = 529
"""Stands for a 503 that has nothing to do with what was taken away: the machine is too busy."""
WRONG = frozenset({400, 401, 402, 403, 404, 429})
"""What says that it is the client's fault, or its money's."""


class Crowd:
    """A crowd of clients of one gateway, which may vanish at any time, and come back."""

    def __init__(self, port: int, keys: Sequence[str], model: str) -> None:
        self.told: dict[int, int] = {}
        """Number of a request that was answered in full -> what it cost, in nano-USD."""
        self.statuses: Counter[int] = Counter()
        self.asked = 0
        self.advised = True
        """Whether each 503 said when to come again."""
        self._latest = 0
        self._port = port
        self._keys = keys
        self._model = model
        self._numbers = count(1)
        self._random = Random(2)
        self._tasks: list[asyncio.Task[None]] = []

    def gather(self, size: int) -> None:
        """Let so many clients begin."""
        self._tasks = [asyncio.create_task(self._ask_on()) for _ in range(size)]

    async def disperse(self) -> None:
        """Let each finish what it is doing."""
        for task in self._tasks:
            task.cancel("enough")
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def is_served(self, within_s: float) -> None:
        """Return once one that asks from now on is answered in full. Raises TimeoutError."""
        now = self.asked
        async with asyncio.timeout(within_s):
            while self._latest <= now:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    def faults(self) -> list[str]:
        """Return what ended clients that should never end, and what none should be told."""
        ended = [task for task in self._tasks if task.done() and not task.cancelled()]
        found = [repr(cause) for task in ended if (cause := task.exception()) is not None]
        found += [f"{self.statuses[each]} were told {each}" for each in WRONG & set(self.statuses)]
        return found if self.advised else [*found, "a 503 came without Retry-After"]

    async def _ask_on(self) -> None:
        while True:
            number = next(self._numbers)
            self.asked = number
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._ask_at_random(number)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(PAUSE_S)

    async def probe(self, key: str) -> int:
        """Ask once with another key; return the status, 0 if there was no answer."""
        status = await self._ask(next(self._numbers), key, stream=False)
        return 503 if status == SHED else status

    async def _ask_at_random(self, number: int) -> None:
        chance = self._random.random
        stream, leaves, capped = chance() < 0.6, chance() < LEAVES, chance() < 0.5
        more: dict[str, Any] = {"max_tokens": 100} if capped else {}
        key = self._random.choice(self._keys)
        status = await self._ask(number, key, stream=stream, leaves=leaves, **more)
        if leaves:
            return
        if status != SHED:
            self.statuses[status] += 1
        if status not in {0, 200}:
            await asyncio.sleep(PAUSE_S)

    async def _ask(
        self, number: int, key: str, *, stream: bool, leaves: bool = False, **more: Any
    ) -> int:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "user", "content": f"request {number}"}],
            "user": str(number),
            "stream": stream,
            **more,
        }
        answer = await self._exchange(request(key, body), most=400 if leaves else -1)
        status, content = (0, b"") if leaves else parsed(answer)
        if status == 503:
            self.advised &= b"\r\nretry-after: " in answer.lower()
            status = SHED if b"gateway_overloaded" in content else 503
        if status == 200 and (cost := cost_of(content, stream=stream)) is not None:
            self.told[number] = cost
            self._latest = max(self._latest, number)
        return status

    async def _exchange(self, said: bytes, most: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(said)
            return await reader.read(most)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def request(key: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = (
        "POST /api/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def parsed(answer: bytes) -> tuple[int, bytes]:
    """Return the status and the body of an answer, which may have been cut anywhere."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 3:
        return 0, b""
    if b"chunked" in head.lower():
        body = b"".join(line + b"\n" for line in body.split(b"\n") if line.startswith(b"data: "))
    return int(words[1]), body


def cost_of(content: bytes, *, stream: bool) -> int | None:
    """Return what an answer says that it cost, None if it is not whole or failed."""
    if not stream:
        with suppress(ValueError):
            return round(float(json.loads(content)["usage"]["cost"]) * NANO)
        return None
    events = [line[6:].strip() for line in content.split(b"\n") if line.startswith(b"data: ")]
    if not events or events[-1] != b"[DONE]":
        return None
    last = json.loads(events[-2])
    return None if "error" in last else round(float(last["usage"]["cost"]) * NANO)
