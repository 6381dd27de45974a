"""What goes on when its client has hung up: answers that hanging up would not stop.

Where closing the connection stops neither the generation nor its bill, the answer is read on to
its end, so that what it took is known and charged. That is bounded: so many at once in a process,
so long, and so many bytes of a stream. What goes beyond is cancelled like all others, and charged
by what had come of it. The request's own task goes on; it only speaks to nobody.
"""

import asyncio
from collections.abc import Callable

from dragoman.upstream.attempt import Attempt
from dragoman.upstream.options import UpstreamOptions

GiveUp = Callable[[], None]
Stays = Callable[[GiveUp], bool]
"""Asked when the client hangs up: whether the request goes on. It is told how to end it then."""


def hears(attempt: Attempt) -> bool:
    """Whether the provider notices that nobody listens any more: of whole answers none does."""
    return attempt.call.stream and attempt.line.provider.cancels


class Lingers:
    """The requests that go on without their client."""

    def __init__(self, options: UpstreamOptions) -> None:
        self._options = options
        self.count = 0
        """How many there are."""

    def admit(self, give_up: GiveUp) -> "Linger | None":
        """Let one more go on, until its bounds call `give_up`. None when there is no room."""
        options = self._options
        if self.count >= options.linger_requests or not options.linger_s:
            return None
        return Linger(self, give_up, options)

    def began(self) -> None:
        """Count one more."""
        self.count += 1

    def ended(self) -> None:
        """Count one less."""
        self.count -= 1


class Linger:
    """One request without its client: an outlet that leads nowhere. It ends once."""

    __slots__ = ("_bytes_left", "_give_up", "_lingers", "_timer")

    def __init__(self, lingers: Lingers, give_up: GiveUp, options: UpstreamOptions) -> None:
        self._lingers = lingers
        self._give_up = give_up
        self._bytes_left = options.linger_bytes
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            options.linger_s, give_up
        )
        lingers.began()

    def put(self, events: bytes, now: float) -> bool:  # noqa: ARG002 - an outlet is told the time
        """Drop events; after too many of them give up."""
        self._bytes_left -= len(events)
        if self._bytes_left < 0:
            self._give_up()
            return False
        return True

    async def ready(self) -> None:
        """Return at once, unless the request has been given up."""
        await asyncio.sleep(0)

    def finish(self, events: bytes) -> None:
        """Drop the last events."""

    def end(self) -> None:
        """Make room for another."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._lingers.ended()
