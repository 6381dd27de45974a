"""The life of a request, from arrival to record. Start reading here.

    shape     aliases, variants, provider names: what does the caller mean?
    plan      which endpoints may serve it, in what order, and why not the others
    attempt   call one after the other until one brings content
    relay     pass the answer on, measuring it
    settle    price what was used, write the record
    end       tell the client what it cost, then `[DONE]`

`Turn` carries one request through these steps; `dragoman.relay.chat` walks them for
chat completions. Whatever happens, `Turn.close` writes exactly one record, and it
does not await, so that a client who hangs up cannot prevent it.
"""

from asyncio import CancelledError
from types import TracebackType
from typing import Self

from msgspec import Struct

from dragoman.catalog.types import Catalog
from dragoman.core.errors import GatewayError, Internal, OwnError
from dragoman.core.money import NanoUsd, usd
from dragoman.core.notes import Note
from dragoman.ledger.cost import FREE, Cost, cost_of
from dragoman.records.types import Attempt, Generation
from dragoman.relay.meter import Meter
from dragoman.relay.visit import Desk, Visit
from dragoman.routing.metadata import RouterMetadata, router_metadata
from dragoman.routing.plan import plan
from dragoman.routing.refusal import refusal
from dragoman.routing.types import Ask, Plan, Step
from dragoman.shaping.ask import ask
from dragoman.upstream.failover import Journey
from dragoman.upstream.faults import Try
from dragoman.wire.answers import ROUTING, Billing, Stamp, encode
from dragoman.wire.usage import Usage

CLIENT_LEFT = 499
"""The status on record when the client hung up; nobody is there to read it."""

SHORT_S = 0.05
"""Below this the time between first and last content says nothing about speed."""


class Bill(Struct, frozen=True):
    """What was used and what it costs. `cost` is None when no price is known."""

    usage: Usage
    cost: Cost | None

    def billing(self) -> Billing:
        """Return the costs as the usage object shows them."""
        if self.cost is None:
            return Billing(cost=None, upstream=None, prompt=None, completion=None)
        total = usd(self.cost.total)
        return Billing(
            cost=total,
            upstream=total,
            prompt=usd(self.cost.prompt),
            completion=usd(self.cost.completion),
        )


def begin(desk: Desk, visit: Visit) -> "Turn":
    """Shape and plan a request. Raises the GatewayError that says why it cannot be served."""
    catalog = desk.catalog()
    wants, notes = ask(visit.call, catalog, desk.rng)
    the_plan = plan(wants, catalog, desk.upstream.health.seen, desk.rng)
    turn = Turn(desk, visit, catalog, wants, the_plan)
    turn.notes += notes
    if not the_plan.steps:
        raise turn.failed(refusal(the_plan, wants, catalog))
    return turn


class Turn:
    """One request on its way, and all that becomes known of it."""

    def __init__(
        self, desk: Desk, visit: Visit, catalog: Catalog, wants: Ask, the_plan: Plan
    ) -> None:
        self.visit = visit
        self.providers = catalog.providers
        self.plan = the_plan
        self.meter = Meter(desk.clock)
        self.notes: list[Note] = []
        self.step: Step | None = None
        self.journey = Journey(
            call=visit.call,
            plan=the_plan,
            requested=tuple(dict.fromkeys(target.asked for target in wants.targets)),
            deadline=visit.arrived + desk.upstream.options.request_s,
        )
        self._ask = wants
        self._desk = desk
        self._bill = Bill(Usage(), FREE)
        self._closed = False

    def chose(self, step: Step, notes: tuple[Note, ...]) -> Stamp:
        """Note who answers; return what every part of the answer carries."""
        self.step = step
        self.notes += notes
        return Stamp(
            id=self.visit.id,
            created=int(self.visit.created),
            model=served_model(step),
            provider=step.endpoint.provider_name,
        )

    def settle(self) -> Bill:
        """Price what was used. An answer that brought nothing and did not end is free."""
        usage = self.meter.usage(self.visit.call)
        step = self.step
        if step is None or (usage.completion == 0 and not self.meter.ends):
            self._bill = Bill(usage, FREE)
        else:
            self._bill = Bill(usage, cost_of(usage, step.endpoint.price))
        return self._bill

    def broke(self, error: GatewayError) -> Bill:
        """End an answer in `error`. What was seen is free, unless it was us who ended it."""
        now = self._desk.clock.monotonic()
        if now > self.journey.deadline or isinstance(error, OwnError):
            self.settle()
        else:
            self._bill = Bill(self.meter.usage(self.visit.call), FREE)
            if self.step is not None:
                self._desk.upstream.health.failed(self.step.endpoint.id, now)
        self.failed(error)
        return self._bill

    def failed(self, error: GatewayError) -> GatewayError:
        """Write the record of a request that ends in `error`, and return it with its routing."""
        if self.visit.wants_metadata and error.code != 500:
            error.routing = self._metadata()
        self.close(error.code, error.type)
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Write the record if nothing has: a client who hung up pays for what was produced."""
        if self._closed:
            return
        if isinstance(error, CancelledError | GeneratorExit):
            self.settle()
            self.close(CLIENT_LEFT)
        else:
            self.close(Internal.status, Internal.error_type)

    def close(self, status: int = 200, error_type: str | None = None) -> None:
        """Write the record, once, and tell health how the endpoint did."""
        if self._closed:
            return
        self._closed = True
        if status == 200:
            self._report_health()
        self._desk.record(self._generation(status, error_type))

    def metadata_member(self) -> bytes:
        """Return `,"openrouter_metadata":{…}` if the caller asked for it, else nothing."""
        if not self.visit.wants_metadata:
            return b""
        return ROUTING + encode(self._metadata())

    def _metadata(self) -> RouterMetadata:
        return router_metadata(
            self.plan,
            self._ask,
            [_attempt(one) for one in self.journey.tries],
            self.step.endpoint if self.step else None,
            tuple(self.notes),
        )

    def _report_health(self) -> None:
        if self.step is None:
            return
        latency_s = self.journey.tries[-1].latency_s
        tokens, spread_s = self._bill.usage.completion, self._spread_s()
        took_s = spread_s if spread_s > SHORT_S else latency_s
        self._desk.upstream.health.succeeded(
            self.step.endpoint.id,
            self._desk.clock.monotonic(),
            latency_s,
            tokens / took_s if tokens and took_s > 0 else None,
        )

    def _spread_s(self) -> float:
        first, last = self.meter.first_content, self.meter.last_content
        return 0.0 if first is None or last is None else last - first

    def _generation(self, status: int, error_type: str | None) -> Generation:
        visit, meter, step, bill = self.visit, self.meter, self.step, self._bill
        end = next(iter(meter.ends.values()), None)
        first = meter.first_content
        endpoint = step.endpoint if step else None
        return Generation(
            id=visit.id,
            created_at=visit.created,
            key_hash=visit.caller.key_hash,
            requested=" ".join(self.journey.requested),
            model=served_model(step) if step else None,
            provider=endpoint.provider if endpoint else None,
            provider_name=endpoint.provider_name if endpoint else None,
            endpoint=endpoint.id if endpoint else None,
            upstream_id=meter.upstream_id,
            strategy=self.plan.strategy,
            streamed=visit.call.stream,
            cancelled=status == CLIENT_LEFT,
            status=status,
            error_type=error_type,
            finish_reason=_finish(end.finish_reason if end else None, error_type, step),
            native_finish_reason=end.native_finish_reason if end else None,
            usage=bill.usage,
            cost_nanos=bill.cost.total if bill.cost else NanoUsd(0),
            price_known=bill.cost is not None,
            latency_ms=None if first is None else _ms(first - visit.arrived),
            generation_ms=None if first is None else _ms(self._spread_s()),
            attempts=tuple(map(_attempt, self.journey.tries)),
            notes=tuple(self.notes),
            session_id=visit.session_id,
            user=visit.call.user,
            referer=visit.referer,
            title=visit.title,
            user_agent=visit.user_agent,
            tags=visit.call.tags,
            service_tier=meter.service_tier,
        )


def served_model(step: Step) -> str:
    """Return the model id that an answer names: with its variant if a free tier served it."""
    endpoint = step.endpoint
    return f"{endpoint.model}:free" if endpoint.free else endpoint.model


def _finish(reason: str | None, error_type: str | None, step: Step | None) -> str | None:
    return "error" if error_type and step else reason


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _attempt(one: Try) -> Attempt:
    endpoint, fault = one.step.endpoint, one.fault
    return Attempt(
        endpoint=endpoint.id,
        provider=endpoint.provider,
        provider_name=endpoint.provider_name,
        model=one.step.target.model,
        status=one.status,
        code=fault.code or fault.error_type if fault else None,
        latency_ms=_ms(one.latency_s),
        error=fault.message if fault else None,
    )
