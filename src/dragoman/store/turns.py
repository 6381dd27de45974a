"""Long lists on an event loop that others wait for: gone over, and let go of, in parts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 32
"""How many records are worked on in one turn of the event loop: some 0.2 ms."""
FREED_AT_ONCE = 200
"""How many are let go of in one turn: to free a generation takes some 2 µs."""


async def in_parts(whole: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield a long sequence in parts. In between it is others' turn: requests wait for this."""
    for begin in range(0, len(whole), AT_ONCE):
        if begin:
            await asyncio.sleep(0)
        yield whole[begin : begin + AT_ONCE]


async def let_go(whole: list[Any]) -> None:
    """Empty a long list whose items nobody else has, in parts.

    A list that is dropped frees all that it holds at once: milliseconds for a thousand generations.
    """
    while whole:
        del whole[-FREED_AT_ONCE:]
        await asyncio.sleep(0)
