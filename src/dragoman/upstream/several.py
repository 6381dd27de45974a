"""One request as several: for hosts that take only so much at a time, such as one text to embed.

At most `CONCURRENT` are under way at once, so that one caller does not take all connections to
a host. The first that fails ends the others, and is how the whole attempt failed: what was
answered until then is lost, as it is where an answer breaks off. The answers are read as one,
a JSON list of them in the order of the requests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from dragoman.net.types import NetError

CONCURRENT: Final = 8
"""Requests of one caller that are under way at once."""


class Part(Struct, frozen=True, gc=False):
    """An answer; `tokens` are those that its head tells of, None where it does not."""

    body: bytes
    tokens: int | None = None


async def together(
    bodies: tuple[bytes, ...], ask: Callable[[bytes], Awaitable[Part]], most_bytes: int
) -> Part:
    """Ask with each body, and return all answers as one. Raises what the first to fail raised.

    More than `most_bytes` in all is a NetError.
    """
    if len(bodies) == 1:
        return await ask(bodies[0])
    parts = await _all(bodies, ask, most_bytes)
    told = [part.tokens for part in parts if part.tokens is not None]
    return Part(
        b"[%b]" % b",".join(part.body for part in parts),
        sum(told) if len(told) == len(parts) else None,
    )


async def _all(
    bodies: tuple[bytes, ...], ask: Callable[[bytes], Awaitable[Part]], most_bytes: int
) -> list[Part]:
    waiting = iter(enumerate(bodies))
    parts: dict[int, Part] = {}
    room = most_bytes

    async def work() -> None:
        nonlocal room
        for place, body in waiting:
            part = parts[place] = await ask(body)
            room -= len(part.body)
            if room < 0:
                raise NetError("too_large", f"the answers have more than {most_bytes} bytes")

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONCURRENT, len(bodies))):
                group.create_task(work())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [parts[place] for place in range(len(bodies))]
