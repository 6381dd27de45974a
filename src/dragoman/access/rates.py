"""The arithmetic of rate limits: GCRA, in whole nanoseconds. Pure.

A bucket holds a minute's worth and refills without pause, as those of OpenAI and
Anthropic do. All that is remembered of it is one time, its TAT: the moment at which it
will be full again (the *theoretical arrival time* of ITU-T I.371, generic cell rate
algorithm). A unit moves that time by `unit_ns`; what would move it further ahead than
the bucket is large has to wait.
"""

from typing import Annotated

from msgspec import Meta, Struct

MINUTE_NS = 60 * 10**9
MOST = 10**9

Count = Annotated[int, Meta(ge=1, le=MOST)]


class Rates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests a minute, tokens a minute, requests at once. None: no limit."""

    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None


NO_RATES = Rates()


class Bound(Struct, frozen=True):
    """Whom some rates bind: `scope` is key, account or address, `id` which one."""

    scope: str
    id: str
    rates: Rates


class Rate(Struct, frozen=True):
    """A bucket of `burst` units, one of which comes back every `unit_ns`."""

    unit_ns: int
    burst: int

    @property
    def size_ns(self) -> int:
        """How long an empty bucket takes to be full."""
        return self.unit_ns * self.burst


def per_minute(limit: int) -> Rate:
    """Return a bucket of `limit` units a minute; what does not divide is rounded to be stricter."""
    return Rate(-(-MINUTE_NS // limit), limit)


def taken(tat: int, now: int, units: int, rate: Rate) -> tuple[int, int]:
    """Take `units` at `now`: return the new TAT, and 0, or how long to wait for them.

    A TAT further ahead than a full bucket takes, as a clock that was set back leaves it,
    counts as a bucket that is just empty. So nobody waits longer than that for one unit.
    """
    after = _sound(tat, now, rate) + units * rate.unit_ns
    return after, max(0, after - now - rate.size_ns)


def left(tat: int, now: int, rate: Rate) -> int:
    """Return how many whole units the bucket holds."""
    return (rate.size_ns - (_sound(tat, now, rate) - now)) // rate.unit_ns


def corrected(tat: int, now: int, more: int, rate: Rate) -> int:
    """Return the TAT once it is known that `more` units were used than taken, or fewer."""
    return max(tat, now) + more * rate.unit_ns


def _sound(tat: int, now: int, rate: Rate) -> int:
    return min(max(tat, now), now + rate.size_ns)
