"""A time limit on what a task awaits, at the price of one timer for all of them.

`asyncio.timeout` does the same and can be moved. But every attempt has a limit, hardly
one ever runs out, and to set and stop a timer for each costs more than to note it down.
"""

import asyncio
import math
from types import TracebackType

REST_S = 0.02
"""After the timer has rung it is silent for so long. To ring is to look at every limit: where
thousands wait for a host that hangs, each of them runs out at a moment of its own."""
ROUNDING_S = 0.001
"""By how much a timer may come early: uvloop counts in milliseconds."""


class Timekeeper:
    """The limits that run at present, in one event loop, and the timer for the next to run out.

    `wakes` is when the timer rings; `running` is the loop, once that is known.
    """

    __slots__ = ("_timer", "running", "waits", "wakes")

    def __init__(self) -> None:
        self.waits: set[Patience] = set()
        self.wakes = math.inf
        self.running: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the running loop, which is looked up once: each time costs a system call."""
        if self.running is None:
            self.running = asyncio.get_running_loop()
        return self.running

    def wake_at(self, due: float) -> None:
        """Have the timer ring when a limit is due. It is left to ring even when that has ended."""
        loop = self.loop()
        if self._timer is not None:
            self._timer.cancel()
        self.wakes = due
        self._timer = loop.call_later(max(0.0, due - loop.time()), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.wakes = math.inf
        now = self.loop().time() + ROUNDING_S
        for wait in [each for each in self.waits if each.due <= now]:
            self.waits.discard(wait)
            wait.expire()
        if self.waits:
            self.wake_at(max(now + REST_S, min(each.due for each in self.waits)))


class Patience:
    """`with Patience(keeper, s):` cancels what is awaited inside after `s` seconds.

    That comes out as a TimeoutError.
    """

    __slots__ = ("_cancellations", "_expired", "_keeper", "_task", "due")

    def __init__(self, keeper: Timekeeper, seconds: float) -> None:
        loop = keeper.running or keeper.loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._keeper = keeper
        self._task = task
        self._expired = False
        self.due = loop.time() + seconds

    def __enter__(self) -> None:
        """Begin to wait."""
        self._cancellations = self._task.cancelling()
        keeper = self._keeper
        keeper.waits.add(self)
        if self.due < keeper.wakes:
            keeper.wake_at(self.due)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End the limit. Raises TimeoutError for its own cancellation, and no other's."""
        if not self._expired:
            self._keeper.waits.discard(self)
            return
        by_others = self._task.uncancel() > self._cancellations
        if kind is asyncio.CancelledError and not by_others:
            raise TimeoutError from error

    def end(self) -> None:
        """Do now what is done when it runs out. To be called inside the `with` only."""
        if not self._expired:
            self._keeper.waits.discard(self)
            self.expire()

    def expire(self) -> None:
        """Cancel what is awaited."""
        self._expired = True
        self._task.cancel()
