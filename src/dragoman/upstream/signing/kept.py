"""What lets in for a while: fetched once for all who wait, and used until before its end."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from dragoman.core.clock import Clock

T = TypeVar("T")

MOST = 1024
"""So many are kept, those used last."""
FRESH_S = 60.0
"""What is refused so soon after it was fetched is kept: another would be refused, too."""


class Kept(Generic[T]):
    """Values by a key, each good until a monotonic time that comes with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[T, float]] = OrderedDict()
        self._since: dict[Hashable, float] = {}
        self._fetching: dict[Hashable, asyncio.Task[tuple[T, float]]] = {}

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[tuple[T, float]]]) -> T:
        """Return the value of `key`. `fetch` returns a new one, and how many seconds it is good.

        Raises what `fetch` does, to all who wait for it.
        """
        kept = self._values.get(key)
        if kept is not None and self._clock.monotonic() < kept[1]:
            self._values.move_to_end(key)
            return kept[0]
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(fetch))
            self._fetching[key] = task
            task.add_done_callback(partial(self._done, key))
        # Who stops waiting for it does not stop it for the others.
        return (await asyncio.shield(task))[0]

    def forget(self, key: Hashable, refused: Callable[[T], bool] = lambda _: True) -> bool:
        """Forget the value of `key` if it was `refused`, and is not new.

        Say whether there will be another, which may do better.
        """
        kept = self._values.get(key)
        if kept is None or not refused(kept[0]):
            return True
        if self._clock.monotonic() - self._since[key] < FRESH_S:
            return False
        del self._values[key], self._since[key]
        return True

    async def _fetch(self, fetch: Callable[[], Awaitable[tuple[T, float]]]) -> tuple[T, float]:
        value, good_s = await fetch()
        return value, self._clock.monotonic() + good_s

    def _done(self, key: Hashable, task: asyncio.Task[tuple[T, float]]) -> None:
        del self._fetching[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._values[key] = task.result()
        self._since[key] = self._clock.monotonic()
        self._values.move_to_end(key)
        while len(self._values) > MOST:
            del self._since[self._values.popitem(last=False)[0]]
