"""Waits for the ledger as long as `pulse` says, which every answer to anybody may change."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from dragoman.access.pulse import Pulse, abandoned, answered, asked, deadline, failed
from dragoman.core.errors import Unavailable


class Patience:
    """The patience of all that one event loop asks the ledger for."""

    def __init__(self) -> None:
        self._pulse = Pulse()
        self._waiting: dict[asyncio.Timeout, float] = {}  # and when each began

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Note a question to the ledger, and what becomes of it: Unavailable is an error."""
        end: Callable[[Pulse, float], Pulse] = abandoned
        self._pulse = asked(self._pulse, self._now())
        try:
            yield
            end = answered
        except Unavailable:
            end = failed
            raise
        finally:
            self._pulse = end(self._pulse, self._now())
            self._reschedule()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Raise TimeoutError out of the block when it is no longer worth waiting for the ledger."""
        began = self._now()
        async with asyncio.timeout_at(deadline(self._pulse, began)) as limit:
            self._waiting[limit] = began
            try:
                yield
            finally:
                del self._waiting[limit]

    def _reschedule(self) -> None:
        for limit, began in self._waiting.items():
            if not limit.expired():
                limit.reschedule(deadline(self._pulse, began))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
