"""Who counts requests for a node: Redis, where it is set; else this process, at its part.

A node whose state is in files of its own is alone, and its part is the whole.
"""

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from msgspec import Struct

from dragoman.access.limiter import DividedLimiter, Limiter, LocalLimiter
from dragoman.access.options import RedisOptions
from dragoman.access.presence import Presence
from dragoman.core.clock import Clock
from dragoman.office.premises import Premises

SHARED = "dragoman.access.shared"


async def _nothing_open() -> None:
    """Stand in for the closing of what was never opened."""


class Turnstile(Struct, frozen=True, kw_only=True):
    """A limiter, what runs beside it, and how it is closed."""

    limiter: Limiter
    presence: Presence | None = None
    loops: tuple[Callable[[], Awaitable[None]], ...] = ()
    aclose: Callable[[], Awaitable[None]] = _nothing_open


def turnstile(
    premises: Premises, clock: Clock, redis: RedisOptions, *, is_alone: bool
) -> Turnstile:
    """Return who counts for the node that lives here. `is_alone`: nobody shares its database."""
    local: Limiter = LocalLimiter(lambda: int(clock.monotonic() * 1e9))
    loops: tuple[Callable[[], Awaitable[None]], ...] = ()
    presence = None
    if not is_alone:
        presence = Presence(premises.ledger, premises.node(), clock)
        local, loops = DividedLimiter(local, presence.alive), (presence.run,)
    if redis.url is None:
        return Turnstile(limiter=local, presence=presence, loops=loops)
    module: Any = import_module(SHARED)  # a client that most do without, and 15 MB
    shared = module.RedisLimiter(redis.url, redis.prefix, local)
    return Turnstile(
        limiter=shared, presence=presence, loops=(*loops, shared.run), aclose=shared.aclose
    )
