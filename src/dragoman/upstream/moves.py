"""Who is tried next: the one retry rule of the gateway. Pure.

A plan's steps are tried in order from the first, none twice, up to a number per model
and in all. A request that a provider calls faulty goes on to other *models* only, except
that one called too long may go to any endpoint that reads more. One that an endpoint's dialect
cannot say was sent to nobody: it goes on to any other endpoint, and no number is used up.
A refused or rate-limited credential gives way to the next credential of the same provider, as
often as a model may be tried, and to one that rests itself only where nobody else is left. What
one endpoint was asked with several credentials counts as once for its model. An account's own
credential has steps of its own; one that is refused or limited takes nothing from what a model
may be tried.
Only when the plan has a single step, a transient fault is met by trying it again,
twice, after a random pause (reliability: full jitter). A rate limit never is: its
hint is passed on, so that the client waits and not the gateway.

An attempt that takes several requests is different: one of them that fails would void what the
others brought, and the provider bills. So each may be made once more, also after a short wait
for a rate limit.
"""

from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step
from dragoman.upstream.faults import CREDENTIALS, Try, was_sent
from dragoman.upstream.options import UpstreamOptions

PAUSE_BASE_S = 0.5
TRIES_OF_AN_ONLY_STEP = 3
PIECE_PAUSE_S, PIECE_MOST_S = 0.25, 5.0
"""How long one of several requests waits to be made again, where its host does not say; at most."""
LOST = frozenset({"reset", "eof", "send"})
"""How connections end early, by the phase of the `NetError`."""


class Move(Struct, frozen=True):
    """The step to try now, after a pause."""

    step: Step
    pause_s: float = 0.0


def next_move(
    steps: Sequence[Step],
    tries: Sequence[Try],
    options: UpstreamOptions,
    spare_rests_s: Callable[[Step], float | None],
    rng: Random,
) -> Move | None:
    """Return what to try after `tries`, one at least; None when nothing is left to try.

    `spare_rests_s` tells for how long the best credential yet unused at a step is to be left
    alone; None where there is none.
    """
    last = tries[-1]
    if last.fault is None or sum(map(was_sent, tries)) >= options.attempts:
        return None
    spare_s = spare_rests_s(last.step) if last.fault.kind in CREDENTIALS else None
    if spare_s == 0 and _times_at(last.step, tries) < options.attempts_per_model:
        return Move(last.step)
    for step in steps:
        if _may_be_tried(step, tries, options):
            return Move(step)
    if spare_s is not None:
        return Move(last.step)
    if _may_be_tried_again(steps, tries, last.fault):
        return Move(steps[0], _pause_s(len(tries), rng))
    return None


def piece_pause_s(fault: Fault, left_s: float) -> float | None:
    """Return after how long one of several requests is made again; None where it is not.

    `left_s` is what time the attempt has. A lost connection, a 5xx, and a 429 that says how long
    to wait are worth it, unless the host asks for more time than there is.
    """
    asked_s = fault.retry_after_s
    if fault.kind is Kind.TRANSIENT and ((fault.status or 0) >= 500 or fault.code in LOST):
        pause_s = PIECE_PAUSE_S if asked_s is None else asked_s
    elif fault.kind is Kind.RATE and asked_s is not None:
        pause_s = asked_s
    else:
        return None
    return pause_s if pause_s <= PIECE_MOST_S and pause_s < left_s else None


def _times_at(step: Step, tries: Sequence[Try]) -> int:
    return sum(past.step.endpoint.id == step.endpoint.id for past in tries)


def _may_be_tried(step: Step, tries: Sequence[Try], options: UpstreamOptions) -> bool:
    of_model: set[tuple[str, str | None]] = set()
    for past in tries:
        if past.step.endpoint.id == step.endpoint.id and (
            past.step.byok is step.byok or not was_sent(past)
        ):
            return False
        if not was_sent(past):
            continue
        if past.step.target.model == step.target.model and not _is_own_affair(past):
            byok = past.step.byok
            of_model.add((past.step.endpoint.id, None if byok is None else byok.credential.id))
        if past.fault and past.fault.kind is Kind.CALLER and not _escapes(step, past, past.fault):
            return False
    return len(of_model) < options.attempts_per_model


def _is_own_affair(past: Try) -> bool:
    """Whether only the account's own credential failed: others of the model are still to try."""
    return past.step.byok is not None and past.fault is not None and past.fault.kind in CREDENTIALS


def _escapes(step: Step, past: Try, fault: Fault) -> bool:
    """Whether a request that was refused as faulty may fare better at `step`."""
    if fault.error_type == "context_length_exceeded":
        had, has = past.step.endpoint.context, step.endpoint.context
        return step.target.model != past.step.target.model or (has or 0) > (had or 0)
    return step.target.model != past.step.target.model


def _may_be_tried_again(steps: Sequence[Step], tries: Sequence[Try], fault: Fault) -> bool:
    return len(steps) == 1 and fault.kind is Kind.TRANSIENT and len(tries) < TRIES_OF_AN_ONLY_STEP


def _pause_s(tries: int, rng: Random) -> float:
    return rng.uniform(0, PAUSE_BASE_S * 2 ** (tries - 1))
