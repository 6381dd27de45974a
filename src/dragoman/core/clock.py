"""Time as an argument: the pure rooms never read a clock, they are handed one."""

import time
from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True):
    """Where the time comes from.

    `wall` is Unix time in seconds, for what people read. `monotonic` never
    jumps, for every interval and deadline.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
