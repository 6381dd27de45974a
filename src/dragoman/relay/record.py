"""The record of a request that has ended: all that became known of it, in one row. Pure."""

from typing import Protocol

from dragoman.core.notes import Note, bounded
from dragoman.records.types import Attempt, Generation
from dragoman.relay.bill import Bill, fee_ppm
from dragoman.relay.books import Charge
from dragoman.relay.meter import Meter
from dragoman.relay.visit import Visit
from dragoman.routing.types import Plan, Step
from dragoman.upstream.failover import Journey
from dragoman.upstream.faults import Try
from dragoman.wire.hub import Piece

CLIENT_LEFT = 499
"""The status on record when the client hung up; nobody is there to read it."""
API_TYPE = "completions"
SHORT_S = 0.05
"""Below this the time between first and last content says nothing about speed."""
NOT_ENDED = Piece(index=0, delta={})


class Ended(Protocol):
    """A request that has ended."""

    visit: Visit
    plan: Plan
    journey: Journey
    meter: Meter
    step: Step | None
    notes: list[Note]


def generation(
    turn: Ended, bill: Bill, charge: Charge, status: int, error_type: str | None
) -> Generation:
    """Return the record of a request that ended with this status."""
    visit, meter, step = turn.visit, turn.meter, turn.step
    call, caller, journey = visit.call, visit.caller, turn.journey
    end = next(iter(meter.ends.values())) if meter.ends else NOT_ENDED
    model = provider = provider_name = endpoint = None
    if step is not None:
        served = step.endpoint
        model, endpoint = served_model(step), served.id
        provider, provider_name = served.provider, served.provider_name
    latency_ms = generation_ms = None
    if meter.first_content is not None:
        latency_ms, generation_ms = _ms(meter.first_content - visit.arrived), _ms(spread_s(meter))
    tries = journey.tries
    # All in their order: to find as many by their names takes ten times as long.
    return Generation(
        visit.id,
        visit.created,
        caller.key_hash,
        " ".join(journey.requested),
        model,
        provider,
        provider_name,
        endpoint,
        meter.upstream_id,
        API_TYPE,
        turn.plan.strategy,
        call.stream,
        status == CLIENT_LEFT,  # cancelled
        status,
        error_type,
        "error" if error_type and step else end.finish_reason,
        end.native_finish_reason,
        bill.usage,
        charge.cost,
        bill.cost is not None,  # price_known
        latency_ms,
        generation_ms,
        (attempt(tries[0]),) if len(tries) == 1 else tuple(map(attempt, tries)),
        bounded(turn.notes),
        visit.session_id,
        call.user,
        visit.referer,
        visit.title,
        visit.user_agent,
        call.tags,
        meter.service_tier,
        bill.price_id,
        fee_ppm(caller),
        tuple([(draw.purse, draw.amount) for draw in charge.draws]) if charge.draws else (),
        caller.account,
        bill.is_byok,
        bill.billed,
    )


def served_model(step: Step) -> str:
    """Return the model id that an answer names: with its variant if a free tier served it."""
    endpoint = step.endpoint
    return f"{endpoint.model}:free" if endpoint.free else endpoint.model


def spread_s(meter: Meter) -> float:
    """Return the seconds from the first content to the last."""
    first, last = meter.first_content, meter.last_content
    return 0.0 if first is None or last is None else last - first


def tokens_a_second(tokens: int, meter: Meter, latency_s: float) -> float | None:
    """Return how fast an answer came, from its first content on where that says anything."""
    speaking_s = spread_s(meter)
    took_s = speaking_s if speaking_s > SHORT_S else latency_s
    return tokens / took_s if tokens and took_s > 0 else None


def attempt(one: Try) -> Attempt:
    """Return the record of one call to one endpoint."""
    step, fault = one.step, one.fault
    endpoint = step.endpoint
    return Attempt(
        endpoint=endpoint.id,
        provider=endpoint.provider,
        provider_name=endpoint.provider_name,
        model=step.target.model,
        status=one.status,
        code=None if fault is None else fault.code or fault.error_type,
        latency_ms=_ms(one.latency_s),
        error=None if fault is None else fault.message,
        is_byok=step.byok is not None,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000) if seconds > 0 else 0
