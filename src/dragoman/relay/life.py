"""The life of a request, from arrival to record. Start reading here.

    shape     aliases, variants, provider names: what does the caller mean?
    plan      which endpoints may serve it, in what order, and why not the others
    hold      where its money is limited: set aside what it may cost
    start     write down that it is about to be sent
    attempt   call one after the other until one brings content
    relay     pass the answer on, measuring it
    settle    price what was used, write the record
    end       tell the client what it cost, then `[DONE]`

`Turn` carries one request through these steps; `dragoman.relay.chat` walks them for
chat completions. Whatever happens, `Turn.close` settles and writes down the end exactly once,
and it does not await, so that a client who hangs up cannot prevent it.
"""

from asyncio import CancelledError
from types import TracebackType
from typing import Self

from dragoman.access.types import Funds
from dragoman.catalog.types import Catalog, Provider
from dragoman.core.errors import (
    GatewayError,
    Internal,
    OwnError,
    PaymentRequired,
    PermissionDenied,
)
from dragoman.core.money import NanoUsd
from dragoman.core.notes import Note, bounded
from dragoman.ledger.acts import Progress, Start
from dragoman.ledger.belief import Seen
from dragoman.ledger.bound import prompt_tokens, with_fee
from dragoman.ledger.byok import fee_of
from dragoman.ledger.cost import FREE, NOTHING, cost_of
from dragoman.ledger.reckon import Terms, reckon
from dragoman.ledger.till import Hold
from dragoman.providers.dialect import Fault
from dragoman.relay.bill import NOTHING_USED, Bill, charged, fee_ppm
from dragoman.relay.bounds import count_free
from dragoman.relay.linger import GiveUp, Linger, hears
from dragoman.relay.meter import Meter, untold
from dragoman.relay.record import CLIENT_LEFT, attempt, generation, served_model, tokens_a_second
from dragoman.relay.sizing import sent_size, size_of
from dragoman.relay.tab import Fees, Offers, Tab, drawn_on, open_tab
from dragoman.relay.transcript import transcript_for
from dragoman.relay.visit import Desk, Visit
from dragoman.relay.waiver import Waiver, waiver
from dragoman.relay.warmth import pays_off
from dragoman.relay.wishes import wishes
from dragoman.routing.metadata import RouterMetadata, router_metadata
from dragoman.routing.plan import plan
from dragoman.routing.refusal import refusal
from dragoman.routing.types import Ask, Plan, Step
from dragoman.upstream.failover import Journey, learn
from dragoman.wire.answers import ROUTING, Stamp, encode

UNLIMITED = Hold((), 0)
"""What is set aside where nothing limits a request."""


def begin(desk: Desk, visit: Visit) -> "Turn":
    """Shape and plan a request. Raises the GatewayError that says why it cannot be served."""
    catalog = desk.catalog()
    wants, notes = wishes(desk, visit, catalog)
    health = desk.upstream.health.seen_by(visit.caller.key_hash)
    the_plan = plan(wants, catalog, health, desk.rng, pools=desk.pools)
    turn = Turn(desk, visit, catalog, wants, the_plan)
    turn.notes += notes
    if not the_plan.steps:
        raise turn.failed(refusal(the_plan, wants, catalog))
    return turn


class Turn:
    """One request on its way, and all that becomes known of it."""

    __slots__ = (
        "_ask",
        "_bill",
        "_catalog",
        "_closed",
        "_desk",
        "_noted",
        "journey",
        "linger",
        "meter",
        "notes",
        "plan",
        "providers",
        "step",
        "tab",
        "transcript",
        "visit",
        "waiver",
    )

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
            requested=_requested(wants),
            deadline=visit.arrived + desk.upstream.options.request_s,
            who=visit.caller.key_hash,
        )
        self.tab: Tab | None = None
        self.waiver: Waiver | None = None
        self.transcript = (
            None if desk.contents is None else transcript_for(visit, wants.preferences)
        )
        self.linger: Linger | None = None
        """What the request goes on as when its client has left."""
        self._ask = wants
        self._catalog = catalog
        self._desk = desk
        self._bill = NOTHING_USED
        self._noted = 0
        self._closed = False

    async def enter(self) -> None:
        """Set aside what the request may cost, and write down that it is about to be sent.

        Raises the GatewayError that says why it must not be.
        """
        desk, visit = self._desk, self.visit
        if desk.free is not None:
            await count_free(desk.free, self)
        caller = visit.caller
        terms = caller.terms
        if terms is not None and terms.funds is not None:
            await self._set_aside(terms.funds)
        hold = self.tab.hold if self.tab else UNLIMITED
        call = visit.call
        start = Start(
            visit.id,
            visit.created,
            caller.account,
            caller.key_hash,
            " ".join(self.journey.requested),
            call.stream,
            hold.amount,
            hold.purses,
            call.user,
            hold.inclusive,
        )
        desk.books.start(start)

    def chose(self, step: Step, notes: tuple[Note, ...]) -> Stamp:
        """Note who answers; return what every part of the answer carries."""
        self.step = step
        self.notes += notes
        return self.stamp(step)

    def stamp(self, step: Step) -> Stamp:
        """Return what tells of this request and of who was asked."""
        return Stamp(
            id=self.visit.id,
            created=int(self.visit.created),
            model=served_model(step),
            provider=step.endpoint.provider_name,
        )

    def follow(self) -> None:
        """Have what of the answer came written down each second."""
        self._desk.rounds.begin(self)

    def forget(self) -> None:
        """Take what came of an answer for nothing: it broke, and another may come."""
        self._desk.rounds.end(self)
        self.step = None
        self.meter = Meter(self._desk.clock)

    def stays(self, give_up: GiveUp) -> bool:
        """Say whether the request goes on though its client left, until `give_up` is called."""
        attempt = self.journey.under_way
        if self._closed or attempt is None or hears(attempt):
            return False
        self.linger = self._desk.lingers.admit(give_up)
        self.journey.alone = self.linger is not None
        return self.journey.alone

    async def _set_aside(self, funds: Funds) -> None:
        byok_fee = self._desk.byok.fee_ppm
        if funds.allowance is not None and any(
            step.byok is not None for step in self.journey.plan.steps
        ):
            self.waiver = await waiver(self._desk.cashier, funds.allowance)
        drawn = drawn_on(funds, self.visit.call.user)
        if not drawn.purses:
            return
        size = size_of(self.visit.call)
        margins = self._desk.margins.present(self._desk.clock.monotonic())
        fees = Fees(funds.fee_ppm, 0 if self.waiver else byok_fee, margins)
        self.tab, the_plan = await open_tab(
            self._desk.cashier,
            drawn,
            size,
            self.journey.plan,
            lambda steps: Offers(steps, self.providers, fees),
        )
        self.plan = self.journey.plan = the_plan
        if not the_plan.steps:
            raise refusal(the_plan, self._ask, self._catalog)
        if self.visit.call.max_tokens is None and self.tab.hold.purses:
            self.journey.slice_tokens = size.output_tokens

    def settle(self) -> Bill:
        """Charge what was used. An answer that brought nothing and did not end is free."""
        meter, step = self.meter, self.step
        if step is None or not (meter.ends or meter.usage(self.visit.call).completion):
            return self._free()
        provider = self.providers[step.endpoint.provider]
        by = Terms(meter.service_tier, fee_ppm(self.visit.caller))
        found = reckon(meter.reported, self._seen(step, provider), step.endpoint, provider, by)
        self.notes += found.notes
        used = found.usage
        if (used.cached or used.cache_write) and pays_off(step.endpoint.price):
            account, now = self.visit.caller.account, self._desk.clock.monotonic()
            self._desk.warmth.saw(account, step.target.model, now)
        if self.visit.dialect.one_choice and meter.choices > 1:
            self.notes.append(untold(meter, provider))
        bill = Bill(found.usage, found.cost, price_id=found.price_id, is_byok=step.byok is not None)
        if not bill.is_byok:
            return self._charged(bill, found.owed)
        fee = fee_of(found.cost, self._desk.byok.fee_ppm)
        owed = NOTHING if fee is None else fee.total
        if self.waiver is not None and owed:
            return self._charged(bill, NOTHING, waived=True)
        return self._charged(bill, owed)

    def _free(self) -> Bill:
        is_byok = self.step is not None and self.step.byok is not None
        bill = Bill(self.meter.usage(self.visit.call), FREE, is_byok=is_byok)
        return self._charged(bill, NOTHING)

    def _charged(self, bill: Bill, owed: NanoUsd, *, waived: bool = False) -> Bill:
        if self._bill.charge is None:
            draws = () if self.waiver is None else self.waiver.settle(used=waived)
            beyond = self._desk.ledger.charge_overrun
            self._bill = charged(self.visit.caller, self.tab, bill, owed, draws, beyond=beyond)
            if self.tab is not None and self.step is not None and owed > self.tab.hold.amount:
                here, now = self.step.endpoint.id, self._desk.clock.monotonic()
                self._desk.margins.overran(here, self.tab.bound_at(here), owed, now)
        return self._bill

    def _seen(self, step: Step, provider: Provider) -> Seen:
        visit, meter, endpoint, sent = self.visit, self.meter, step.endpoint, self.journey.sent
        call = visit.call
        size = sent_size(call, sent[-1] if sent else b"")
        return Seen(
            prompt_most=prompt_tokens(size, endpoint, endpoint.dialect or provider.dialect),
            text_bytes=call.text_bytes,
            produced_bytes=meter.produced_bytes,
            elapsed_s=meter.now() - visit.arrived,
            choices=size.choices,
            max_output=call.max_tokens,
            withheld=meter.withheld,
        )

    def note_progress(self) -> None:
        """Write down what of an answer came so far, in case that nothing more is ever known."""
        step = self.step
        if step is None or self._closed:
            return
        endpoint, usage = step.endpoint, self.meter.usage(self.visit.call)
        if usage.completion == self._noted:
            return
        self._noted = usage.completion
        cost = cost_of(usage, endpoint.price, self.meter.service_tier) or FREE
        hold = self.tab.hold if self.tab else UNLIMITED
        fee, paid, counts = fee_ppm(self.visit.caller), NOTHING, cost.total
        if step.byok is None:
            counts = NanoUsd(min(paid := with_fee(cost.total, fee), hold.amount))
        progress = Progress(
            self.visit.id,
            endpoint.id,
            endpoint.provider,
            endpoint.provider_name,
            served_model(step),
            usage.prompt,
            usage.completion,
            paid,
            hold.amount,
            min(counts, hold.included),
            None if step.byok is None else cost.total,
            fee,
        )
        self._desk.books.progress(progress)

    def gave_up(self, error: GatewayError) -> bool:
        """Say whether it was us who ended an answer in `error`: then what came is charged."""
        late = self._desk.clock.monotonic() > self.journey.deadline
        return late or isinstance(error, OwnError | PaymentRequired | PermissionDenied)

    def broke(self, error: GatewayError, fault: Fault | None) -> Bill:
        """End an answer in `error`. What was seen is free, unless it was us who ended it.

        `fault` is what the provider did; it is held against whom it would be before the first
        content: a rate limit is no outage, and a caller's mistake is nobody's fault.
        """
        if self.gave_up(error):
            self.settle()
        else:
            self._free()
            attempt = self.journey.under_way
            if fault is not None and attempt is not None:
                learn(self._desk.upstream, attempt, fault, self.journey.who)
        self.failed(error)
        return self._bill

    def failed(self, error: GatewayError) -> GatewayError:
        """Write the record of a request that ends in `error`, and return it with its routing."""
        if self.visit.wants_metadata and error.code != 500:
            error.routing = self._metadata()
        if self.transcript is not None:
            self.transcript.failed(error)
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
        if self.linger is not None:
            self.linger.end()
            status = CLIENT_LEFT
        if self.visit.permit is not None:
            self.visit.permit.used(self._bill.usage.prompt + self._bill.usage.completion)
        self._desk.rounds.end(self)
        # Both hold on to this turn: what went through it would stay, as a cycle, for the collector.
        self.journey.watch = self.journey.under_way = None
        bill = self._bill
        if bill.charge is None:
            bill = self._charged(bill, NOTHING)
        assert bill.charge is not None, "charged just now, if not before"
        self._desk.books.final(generation(self, bill, bill.charge, status, error_type), bill.charge)
        if self.transcript is not None and self._desk.contents is not None:
            self._desk.contents.put(self.transcript.content(self))

    def metadata_member(self) -> bytes:
        """Return `,"openrouter_metadata":{…}` if the caller asked for it, else nothing."""
        if not self.visit.wants_metadata:
            return b""
        return ROUTING + encode(self._metadata())

    def _metadata(self) -> RouterMetadata:
        return router_metadata(
            self.plan,
            self._ask,
            [attempt(one) for one in self.journey.tries],
            self.step,
            bounded(self.notes),
        )

    def _report_health(self) -> None:
        step, desk = self.step, self._desk
        if step is None or step.byok is not None:
            return
        latency_s = self.journey.tries[-1].latency_s
        speed = tokens_a_second(self._bill.usage.completion, self.meter, latency_s)
        health, now = desk.upstream.health, desk.clock.monotonic()
        health.succeeded(step.endpoint.id, now, latency_s, speed, self.journey.who)


def _requested(wants: Ask) -> tuple[str, ...]:
    """Return the names that the caller used, each once."""
    targets = wants.targets
    if len(targets) == 1:
        return (targets[0].asked,)
    return tuple(dict.fromkeys([target.asked for target in targets]))
