"""One request as several: for hosts that take only so much at a time, such as one text to embed.

At most `CONCURRENT` are under way at once, so that one caller does not take all connections to
a host. One that fails is made once more, where that may help (`dragoman.upstream.moves`). The first
that fails for good ends the others, and is how the whole attempt failed: what was
answered until then is lost, as it is where an answer breaks off. The answers are read as one,
a JSON list of them in the order of the requests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from msgspec import Struct

from dragoman.net.types import NetError
from dragoman.providers.dialect import Fault
from dragoman.upstream.faults import AttemptFailed

CONCURRENT: Final = 8
"""Requests of one caller that are under way at once."""


class Part(Struct, frozen=True, gc=False):
    """An answer; `tokens` are those that its head tells of, None where it does not."""

    body: bytes
    tokens: int | None = None


Ask = Callable[[bytes], Awaitable[Part]]
Again = Callable[[Fault], float | None]
"""After how many seconds a request that failed so is made once more; None where it is not."""


async def together(bodies: tuple[bytes, ...], ask: Ask, most_bytes: int, again: Again) -> Part:
    """Ask with each body, and return all answers as one.

    Raises what the first to fail for good raised, once no other is under way any more. More than
    `most_bytes` in all is a NetError. Where there is but one, it is not made again.
    """
    if len(bodies) == 1:
        return await ask(bodies[0])
    parts = await _all(bodies, partial(_once_more, ask, again), most_bytes)
    told = [part.tokens for part in parts if part.tokens is not None]
    return Part(
        b"[%b]" % b",".join(part.body for part in parts),
        sum(told) if len(told) == len(parts) else None,
    )


async def _once_more(ask: Ask, again: Again, body: bytes) -> Part:
    try:
        return await ask(body)
    except AttemptFailed as failed:
        pause_s = again(failed.fault)
        if pause_s is None:
            raise
    await asyncio.sleep(pause_s)
    return await ask(body)


async def _all(bodies: tuple[bytes, ...], ask: Ask, most_bytes: int) -> list[Part]:
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
