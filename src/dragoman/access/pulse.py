"""Whether the ledger is slow or gone, judged by what it answers to anybody. Pure.

How long one caller has waited says little: a rush of first requests wait for each other. So a
lookup waits for as long as the ledger answers someone, and is given up when it has answered
nobody for a while, or answered with an error. Then each lookup is no more than a brief try
whether the ledger is back (`HASTY_S`), and whoever asked gets a 503.
"""

from msgspec import Struct
from msgspec.structs import replace

SILENCE_S = 2.0
"""So long the ledger may answer nobody, though it is asked, before it counts as gone."""
HASTY_S = 0.25
"""So long anybody waits, and nobody longer while the ledger counts as gone."""
MOST_S = 10.0
"""Longer nobody waits, whatever others are answered."""


class Pulse(Struct, frozen=True):
    """What is known of the ledger's answers. Times are those of one clock that never goes back.

    `quiet_since` is since when it owes an answer and has given none, also to who has given up;
    `failed_at` when it last answered, if that was an error.
    """

    waiting: int = 0
    quiet_since: float | None = None
    failed_at: float | None = None


def asked(pulse: Pulse, now: float) -> Pulse:
    """Return the pulse after the ledger was asked something."""
    quiet_since = now if pulse.quiet_since is None else pulse.quiet_since
    return replace(pulse, waiting=pulse.waiting + 1, quiet_since=quiet_since)


def answered(pulse: Pulse, now: float) -> Pulse:
    """Return the pulse after a good answer, whatever it said."""
    waiting = pulse.waiting - 1
    return Pulse(waiting=waiting, quiet_since=now if waiting else None)


def failed(pulse: Pulse, now: float) -> Pulse:
    """Return the pulse after an error, of the ledger or of the way to it."""
    return replace(answered(pulse, now), failed_at=now)


def abandoned(pulse: Pulse, _now: float) -> Pulse:
    """Return the pulse after somebody ceased to wait for an answer."""
    return replace(pulse, waiting=pulse.waiting - 1)


def deadline(pulse: Pulse, began: float) -> float:
    """Return until when a lookup waits that began then, unless the pulse changes before."""
    if pulse.failed_at is not None:
        return max(began, pulse.failed_at) + HASTY_S
    quiet_since = began if pulse.quiet_since is None else pulse.quiet_since
    return max(began + HASTY_S, min(quiet_since + SILENCE_S, began + MOST_S))
