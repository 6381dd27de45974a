"""Whom to turn away when there is more work than the process can do: a policy, and nothing else.

Work that is turned away before its body is read costs next to nothing; work that
is begun and not finished costs everything. So whoever is told no is told early,
those who watch the gateway last of all.
"""

import math
from random import Random

from msgspec import Struct

from dragoman.core.errors import Overloaded
from dragoman.web.lanes import Tier

TICK_S = 0.1
WINDOW_S = 1.0
"""Over how long the lag is smoothed; one long pause is no overload."""
LONGEST_S = 1.0
TOLERATED_S = {Tier.HEALTH: math.inf, Tier.INFERENCE: 0.5, Tier.CONTROL: 0.1}
"""The lag of the event loop from which on a tier is turned away."""
KEPT_FOR_INFERENCE = 0.2
"""The share of all requests at once that nobody but inference may use."""
LET_IN = 12
"""How many requests are begun in one turn of the event loop. Each turn has its cost, above all
a look at the sockets: with four requests to a turn that was a seventh of what each of them cost."""
LET_IN_OVERLOADED = 8
"""How many of those in an overload. Whoever has been let in waits some four turns for the
processor, so this is what an answer may be late by, in requests; with four less is served."""
ONE_OF = 16
"""In an overload one of so many newcomers is let in besides: however little of the processor there
is, to refuse must not be all that is done with it."""
MANY = 128
"""How many may wait to be let in before it is no longer in the order in which they came."""
PATIENCE_S = 0.5
"""How long anybody waits to be let in. A burst of a thousand requests is no overload, and neither
are two hundred streams that begin at once at a provider to whom no connection is open yet."""
CROWD = 1500
"""How many may wait: what takes longer than anybody's patience need not be waited for."""
ROOM = 8
"""How many may wait in an overload: enough to have work at hand."""
LATE_S = 0.02
"""How long the first request of a connection may have waited for the connection to be taken in."""
THRIFTY, DRAINING, FULL, SHUT = 0.85, 0.92, 0.95, 0.98
"""From which share of the memory on connections may be idle for `THRIFT` of the time only, close
after an answer, are refused what they ask for, and are not taken in."""
THRIFT = 0.25
LONGEST_TURN_S = 0.01
"""What of one turn counts as waiting: the length of a pause says nothing of how many come."""


class Pressure(Struct, frozen=True):
    """How much there is to do.

    Requests at once, by how much the event loop is late, how many wait to be let in,
    whether that is because more come than can be served, and whether this one comes late;
    the share of the memory that is used, and whether the server is about to stop.
    """

    requests: int
    lag_s: float = 0.0
    waiting: int = 0
    overloaded: bool = False
    late: bool = False
    memory: float = 0.0
    stopping: bool = False


def smoothed(lag_s: float, sample_s: float) -> float:
    """Return the lag after another sample, `TICK_S` after the last."""
    return lag_s + (min(sample_s, LONGEST_S) - lag_s) * TICK_S / WINDOW_S


def refuses(tier: Tier, pressure: Pressure, most: int) -> bool:
    """Say whether a request that comes now gets a 503. `most` is requests at once."""
    if tier is Tier.HEALTH:
        return False
    if tier is Tier.READINESS:
        return pressure.stopping
    if pressure.memory >= FULL:
        return True
    first = tier is Tier.INFERENCE
    if pressure.overloaded and (pressure.waiting >= ROOM or pressure.late or not first):
        return True
    room = most if first else few(most)
    return pressure.requests >= room or pressure.lag_s >= TOLERATED_S[tier]


def few(most: int) -> int:
    """Return below how many requests at once, of `most`, their number has nobody turned away."""
    return math.ceil(most * (1 - KEPT_FOR_INFERENCE))


def is_calm(lag_s: float, memory: float) -> bool:
    """Say whether neither the lag nor the memory in use has anybody turned away."""
    return lag_s < min(TOLERATED_S.values()) and memory < FULL


def admits(newcomers: int, *, overloaded: bool) -> int:
    """Return how many are begun in a turn of the event loop that brought so many."""
    return (LET_IN_OVERLOADED if overloaded else LET_IN) + newcomers // ONE_OF


def newest_first(waiting: int) -> bool:
    """Say whether to let in who came last, of so many.

    In a crowd not all can be served, and to serve them in order would serve each as late
    as can be. Without one, everybody's turn comes soon.
    """
    return waiting > MANY


def overloads(oldest_s: float, waiting: int) -> bool:
    """Say whether more come than can be served, given how long the first of so many has waited.

    A burst drains; when it does not, waiting helps nobody (compare CoDel, RFC 8289).
    """
    return oldest_s >= PATIENCE_S or waiting >= CROWD


def overloaded(retry_after_s: int) -> Overloaded:
    """Return the 503 for whom there is no time."""
    return Overloaded(
        "The gateway has more requests than it can serve. Try again in a moment.",
        retry_after_s=retry_after_s,
    )


def back_after_s(rng: Random) -> int:
    """Return when to come back, 1 to 5 s from now: not everybody at once."""
    return 1 + int(rng.random() * 5)
