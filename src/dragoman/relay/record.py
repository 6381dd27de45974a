"""The record of a request that has ended: all that became known of it, in one row. Pure."""

from typing import Protocol

from dragoman.core.notes import Note
from dragoman.records.types import Attempt, Generation
from dragoman.relay.bill import Bill, fee_ppm
from dragoman.relay.meter import Meter
from dragoman.relay.visit import Visit
from dragoman.routing.types import Plan, Step
from dragoman.upstream.failover import Journey
from dragoman.upstream.faults import Try
from dragoman.wire.hub import Piece

CLIENT_LEFT = 499
"""The status on record when the client hung up; nobody is there to read it."""
NOT_ENDED = Piece(index=0, delta={})


class Ended(Protocol):
    """A request that has ended."""

    visit: Visit
    plan: Plan
    journey: Journey
    meter: Meter
    step: Step | None
    notes: list[Note]


def generation(turn: Ended, bill: Bill, status: int, error_type: str | None) -> Generation:
    """Return the record of a request that ended with this status."""
    visit, meter, step = turn.visit, turn.meter, turn.step
    call, journey, first = visit.call, turn.journey, meter.first_content
    end = next(iter(meter.ends.values())) if meter.ends else NOT_ENDED
    model = provider = provider_name = endpoint = None
    if step is not None:
        served = step.endpoint
        model, endpoint = served_model(step), served.id
        provider, provider_name = served.provider, served.provider_name
    return Generation(
        id=visit.id,
        created_at=visit.created,
        key_hash=visit.caller.key_hash,
        requested=" ".join(journey.requested),
        model=model,
        provider=provider,
        provider_name=provider_name,
        endpoint=endpoint,
        upstream_id=meter.upstream_id,
        strategy=turn.plan.strategy,
        streamed=call.stream,
        cancelled=status == CLIENT_LEFT,
        status=status,
        error_type=error_type,
        finish_reason="error" if error_type and step else end.finish_reason,
        native_finish_reason=end.native_finish_reason,
        usage=bill.usage,
        cost_nanos=bill.charged,
        price_known=bill.cost is not None,
        latency_ms=None if first is None else _ms(first - visit.arrived),
        generation_ms=None if first is None else _ms(spread_s(meter)),
        attempts=tuple([attempt(one) for one in journey.tries]),
        notes=tuple(turn.notes),
        session_id=visit.session_id,
        user=call.user,
        referer=visit.referer,
        title=visit.title,
        user_agent=visit.user_agent,
        tags=call.tags,
        service_tier=meter.service_tier,
        price_id=bill.price_id,
        fee_ppm=fee_ppm(visit.caller),
        draws=bill.draws,
        is_byok=bill.is_byok,
        byok_nanos=bill.billed,
        account=visit.caller.account,
    )


def served_model(step: Step) -> str:
    """Return the model id that an answer names: with its variant if a free tier served it."""
    endpoint = step.endpoint
    return f"{endpoint.model}:free" if endpoint.free else endpoint.model


def spread_s(meter: Meter) -> float:
    """Return the seconds from the first content to the last."""
    first, last = meter.first_content, meter.last_content
    return 0.0 if first is None or last is None else last - first


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
        code=fault.code or fault.error_type if fault else None,
        latency_ms=_ms(one.latency_s),
        error=fault.message if fault else None,
        is_byok=step.byok is not None,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000) if seconds > 0 else 0
