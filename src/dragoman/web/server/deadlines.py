"""How long a client may take, decided over figures: the sweep asks, nothing here waits.

A client that is slow costs a socket. One that has stopped costs it for nothing, so
what counts is whether it moves.
"""

from msgspec import Struct

RATE_FREE_S = 5.0
"""How long a body may be slow before its rate counts: connections are slow to start."""
LEAST_RATE = 1024
"""Bytes per second, averaged over the body so far."""
LINGER_S = 2.0
"""How long a client may pause that goes on sending to a connection which has said its last word:
most clients send all of a body before they look for an answer."""
LONGEST_LINGER_S = 30.0
"""How long such a client is listened to in all, unless the server stops."""


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds: for a head, a body, a pause in it, a pause between requests, an unread answer."""

    header_s: float
    body_s: float
    body_stall_s: float
    idle_s: float
    stall_s: float


class Arrival(Struct, frozen=True):
    """How a body has come so far. Times are monotonic; `size` is in bytes."""

    began: float
    last: float
    size: int


def body_delay(arrival: Arrival, now: float, limits: Limits) -> str | None:
    """Return what is too slow about a body that is not complete, None while it may go on."""
    took = now - arrival.began
    if took >= limits.body_s:
        return f"The body did not arrive within {limits.body_s:g} s."
    if now - arrival.last >= limits.body_stall_s:
        return f"The body stopped arriving for {limits.body_stall_s:g} s."
    if took >= RATE_FREE_S and arrival.size < LEAST_RATE * took:
        return f"The body arrives at less than {LEAST_RATE} bytes a second."
    return None


def period(limits: Limits) -> float:
    """Return how often to look, so that a deadline is kept to a fraction of itself."""
    shortest = min(
        limits.header_s, limits.body_s, limits.body_stall_s, limits.idle_s, limits.stall_s
    )
    return min(1.0, shortest / 4)
