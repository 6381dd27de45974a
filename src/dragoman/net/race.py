"""Several addresses of a host, of which the first to answer is taken (RFC 8305, "Happy Eyeballs").

Where a network has IPv6 in its names but not in its routes, connections to such an address
are swallowed. That costs a fraction of a second, and not the time that a connection may take.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

T = TypeVar("T")

HEAD_START_S = 0.25
"""How long an address has before the next is tried beside it (RFC 8305, section 5)."""


def in_turns(addresses: Sequence[str]) -> list[str]:
    """Return the addresses, of both families in turns, first what came first (section 4)."""
    is_first = ":" in addresses[0]
    preferred = [each for each in addresses if (":" in each) is is_first]
    others = [each for each in addresses if (":" in each) is not is_first]
    pairs = zip_longest(preferred, others)
    return [each for pair in pairs for each in pair if each is not None]


async def first_to_answer(
    addresses: Sequence[str],
    connect: Callable[[str], Coroutine[Any, Any, T]],
    discard: Callable[[T], None],
    head_start_s: float = HEAD_START_S,
) -> T:
    """Return what `connect` returns for the first address to answer.

    Each is tried when the one before it has failed, or had its head start. When all fail, the
    failure is that of the last one to do so. Attempts that are not needed any more are
    cancelled; what one of them brings all the same is given to `discard`.
    """
    waiting = deque(in_turns(addresses))
    racing: set[asyncio.Task[T]] = set()
    lost = _losing(discard)
    try:
        while True:
            if waiting:
                racing.add(asyncio.create_task(connect(waiting.popleft())))
            patience_s = head_start_s if waiting else None
            done, _ = await asyncio.wait(
                racing, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
            )
            racing -= done
            won = [each for each in done if not each.exception()]
            if won:
                racing.update(won[1:])
                return won[0].result()
            if not (racing or waiting):
                return done.pop().result()  # raises
    finally:
        for each in racing:
            each.add_done_callback(lost)
            each.cancel()


def _losing(discard: Callable[[T], None]) -> Callable[[asyncio.Task[T]], None]:
    def lost(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and not task.exception():
            discard(task.result())

    return lost
