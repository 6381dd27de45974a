"""Long work on an event loop that others wait for: done in slices, with rests in between.

A request waits for whatever a turn of the loop does with each of its steps, of which it has six. So
a little work in every turn holds up all requests six times; more of it, now and then, few and once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")

WORK_S, REST_S = 0.0005, 0.002
"""After so much work others have the loop to themselves for so long."""
BUSY_S = 0.0001
"""A turn of the loop that is over sooner has served nobody: there is no need to rest, then."""
AT_ONCE = 32
"""How many records are worked on between two looks at the clock: some 0.1 ms."""
FREED_AT_ONCE = 100
"""How many are let go of: to free a generation takes some 2 µs."""


class Pace:
    """Slices of one piece of work, the first of which begins now."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._began = clock()

    async def keep(self) -> None:
        """Let others in if the slice is at its end, for longer if there were any.

        Whoever works calls this every 0.1 ms or so.
        """
        clock = self._clock
        if (now := clock()) - self._began < WORK_S:
            return
        await asyncio.sleep(0)
        if BUSY_S <= (took := clock() - now) < REST_S:
            await rest(REST_S - took)
        self._began = clock()


async def rest(seconds: float = REST_S) -> None:
    """Leave the loop to others for a while."""
    await asyncio.sleep(seconds)


async def in_parts(whole: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield a long sequence in parts, with rests as they are due."""
    pace = Pace()
    for begin in range(0, len(whole), AT_ONCE):
        await pace.keep()
        yield whole[begin : begin + AT_ONCE]


async def let_go(whole: list[Any]) -> None:
    """Empty a long list whose items nobody else has, in parts.

    A list that is dropped frees all that it holds at once: milliseconds for a thousand generations.
    """
    pace = Pace()
    while whole:
        del whole[-FREED_AT_ONCE:]
        await pace.keep()
