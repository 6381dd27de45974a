"""The attempt loop: steps of a plan, one after the other, until one answers.

Deciding is `dragoman.upstream.moves`, attempting is `dragoman.upstream.attempt`;
this file connects them, and tells health and wallet what was learnt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import TypeVar

from msgspec import Struct, field

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.clock import Clock
from dragoman.net.types import Transport
from dragoman.providers.dialect import Dialect, Fault, Kind
from dragoman.routing.types import Plan, Step
from dragoman.upstream.asking import asked
from dragoman.upstream.attempt import Answered, Attempt, Opened, answer, stream
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failure import SOON_S, sum_up
from dragoman.upstream.faults import NOBODYS, AttemptFailed, Try, given_up, hung, without_secret
from dragoman.upstream.gatherer import Watch
from dragoman.upstream.hangs import NOBODY, UNWATCHED, Waiter
from dragoman.upstream.health import OUTAGE_S, HealthBoard
from dragoman.upstream.line import Line, Signer
from dragoman.upstream.moves import Move, next_move
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.patience import Timekeeper
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Native
from dragoman.wire.messages import TEXT_ONLY

Result = TypeVar("Result", Opened, Answered)

LEAST_S = 2.0
"""Another attempt that has less time than this is not begun."""


class Journey(Struct, kw_only=True):
    """One request on its way through the endpoints. `tries` grows with every attempt."""

    call: ChatCall
    plan: Plan
    requested: tuple[str, ...]
    deadline: float
    who: str = ""
    """The hash of the caller's key."""
    tries: list[Try] = []
    used: set[tuple[str, str]] = set()
    """(endpoint, credential) pairs that were tried."""
    sent: list[bytes] = []
    """The bodies that went upstream."""
    slice_tokens: int | None = None
    """How much output is held at first of an answer that may be longer, if money is limited."""
    watch: Watch | None = None
    """Who sees a whole answer that comes as a stream; None where the client gets a stream."""
    under_way: Attempt | None = None
    """The attempt that is being made, or that has brought what is being read."""
    alone: bool = False
    """Whether the client has left, and nobody waits for another attempt."""


class Upstream(Struct, frozen=True, kw_only=True):
    """Everything attempts are made with."""

    transports: Mapping[str, Transport]
    """URL scheme -> what carries requests to such addresses."""
    dialects: Mapping[str, Dialect]
    wallet: Wallet
    health: HealthBoard
    options: UpstreamOptions
    clock: Clock
    rng: Random
    timekeeper: Timekeeper = field(default_factory=Timekeeper)
    signers: Mapping[str, Signer] = {}
    """A provider's `auth` -> who has requests let in, where that takes more than a header."""
    lines: dict[tuple[str, str], Line] = {}
    """How providers were last reached, by slug and dialect: good as long as a provider is the
    same row."""

    def open(self, journey: Journey, providers: Mapping[str, Provider]) -> Awaitable[Opened]:
        """Return the first stream to bring content. Raises the GatewayError that sums up."""
        return self._first(journey, providers, stream)

    def fetch(self, journey: Journey, providers: Mapping[str, Provider]) -> Awaitable[Answered]:
        """Return the first whole answer.

        Raises the GatewayError that sums up, or the one that the journey's watch ended it with.
        """
        return self._first(journey, providers, answer)

    async def _first(
        self,
        journey: Journey,
        providers: Mapping[str, Provider],
        make: Callable[[Attempt], Awaitable[Result]],
    ) -> Result:
        step = journey.plan.steps[0]
        while True:
            started = self.clock.monotonic()
            attempt = self._attempt(journey, step, providers[step.endpoint.provider], started)
            journey.under_way = attempt
            try:
                result = await make(attempt)
            except AttemptFailed as failed:
                self._failed(journey, attempt, failed.fault, started)
            except asyncio.CancelledError:
                latency_s = self.clock.monotonic() - started
                tried = Try(step=step, latency_s=latency_s, status=None, fault=given_up())
                journey.tries.append(tried)
                raise
            else:
                self._worked(journey, attempt, started)
                return result
            move = None if journey.alone else self._move(journey, journey.tries)
            if move is None:
                break
            if move.pause_s:
                await asyncio.sleep(move.pause_s)
            if journey.deadline - self.clock.monotonic() < LEAST_S:
                break
            step = move.step
        raise sum_up(journey.tries, journey.requested, self._back_in_s(journey))

    def _move(self, journey: Journey, tries: list[Try]) -> Move | None:
        now = self.clock.monotonic()

        def spare_rests_s(step: Step) -> float | None:
            endpoint = step.endpoint.id
            spare = self._unused(journey, endpoint, self._usable(step, now))
            return None if spare is None else self.wallet.rests_s(spare, endpoint, now)

        return next_move(journey.plan.steps, tries, self.options, spare_rests_s, self.rng)

    def _usable(self, step: Step, now: float) -> list[Credential]:
        if step.byok is not None:
            return [step.byok.credential]
        endpoint = step.endpoint
        return self.wallet.usable(endpoint.provider, endpoint.id, now)

    @staticmethod
    def _unused(journey: Journey, endpoint: str, usable: list[Credential]) -> Credential | None:
        """Return the best credential that this request has not used at this endpoint."""
        for credential in usable:
            if (endpoint, credential.id) not in journey.used:
                return credential
        return None

    def _best(
        self, journey: Journey, endpoint: str, usable: list[Credential], now: float
    ) -> Credential:
        """Return a credential that this request has not used, unless only one it has is well."""
        unused, first = self._unused(journey, endpoint, usable), usable[0]
        if unused is None:
            return first
        rests = self.wallet.rests_s
        return first if rests(unused, endpoint, now) and not rests(first, endpoint, now) else unused

    def _attempt(self, journey: Journey, step: Step, provider: Provider, now: float) -> Attempt:
        credential, endpoint, call = None, step.endpoint, journey.call
        usable = self._usable(step, now)
        if usable:
            credential = usable[0]
            if journey.used:
                credential = self._best(journey, endpoint.id, usable, now)
            journey.used.add((endpoint.id, credential.id))
        question = asked(call, endpoint, provider, journey.slice_tokens)
        dialect = endpoint.dialect or provider.dialect
        if call.native is not None:
            dialect = self._own_dialect(call.native, endpoint, provider) or dialect
        line = self.lines.get((provider.slug, dialect))
        if line is None or line.provider is not provider:
            line = self._new_line(provider, dialect)
        waiter, hangs = NOBODY, UNWATCHED
        if step.byok is None and question.call.stream and journey.watch is None:
            waiter = Waiter(journey.who, partial(self._can_go_on, journey, step))
            hangs = self.health.hangs
        return Attempt(
            call=question.call,
            notes=question.notes,
            step=step,
            line=line,
            credential=credential,
            deadline=journey.deadline,
            options=self.options,
            clock=self.clock,
            timekeeper=self.timekeeper,
            sent=journey.sent,
            watch=journey.watch,
            hangs=hangs,
            waiter=waiter,
        )

    def _back_in_s(self, journey: Journey) -> int:
        """Return when to come back: where all that was tried is in an outage, when that is over."""
        seen = self.health.seen_by(journey.who)
        tried = {each.step.endpoint.id for each in journey.tries}
        avoided = all(id_ in seen and seen[id_].outage for id_ in tried)
        return OUTAGE_S if avoided else SOON_S

    def _can_go_on(self, journey: Journey, step: Step) -> bool:
        """Say whether there is another attempt to make, were that at `step` found to hang."""
        if journey.alone or journey.deadline - self.clock.monotonic() < LEAST_S:
            return False
        failed = Try(step=step, latency_s=0.0, status=None, fault=hung())
        return self._move(journey, [*journey.tries, failed]) is not None

    def _own_dialect(self, native: Native, endpoint: Endpoint, provider: Provider) -> str | None:
        """Return the client's own dialect, if the provider has it for all models.

        Where text is not all that comes of a model, it may be that only one dialect tells it.
        """
        if endpoint.dialect is None and endpoint.outputs == TEXT_ONLY:
            for name in provider.also:
                if name in self.dialects and self.dialects[name].speaks == native.dialect:
                    return name
        return None

    def _new_line(self, provider: Provider, dialect: str) -> Line:
        line = self.lines[provider.slug, dialect] = Line(
            provider=provider,
            dialect=self.dialects[dialect],
            transport=self.transports[provider.base_url.partition("://")[0]],
            signer=self.signers.get(provider.auth),
        )
        return line

    def _worked(self, journey: Journey, attempt: Attempt, started: float) -> None:
        step, now = attempt.step, self.clock.monotonic()
        journey.tries.append(Try(step=step, latency_s=now - started, status=200))
        if step.byok is not None:
            self.health.rests.worked(step.byok, step.endpoint.id)
        elif attempt.credential is not None and self.wallet.worked(attempt.credential):
            self.health.opened(step.endpoint.provider, now)

    def _failed(self, journey: Journey, attempt: Attempt, fault: Fault, started: float) -> None:
        now = self.clock.monotonic()
        journey.under_way = None
        if journey.watch is not None:
            journey.watch.void()
        fault = without_secret(fault, attempt.credential)
        journey.tries.append(
            Try(step=attempt.step, latency_s=now - started, status=fault.status, fault=fault)
        )
        learn(self, attempt, fault, journey.who)


def learn(upstream: Upstream, attempt: Attempt, fault: Fault, who: str) -> None:
    """Hold a fault against whom it concerns: an endpoint, a credential, or nobody.

    `who` is the caller's key: what one key alone meets says nothing to others. A caller's own
    mistake is nobody's fault, and neither is our own want of connections, or what a dialect has
    no words for; a rate limit is no outage. What an account's own credential meets is its own
    affair.
    """
    endpoint, credential = attempt.step.endpoint, attempt.credential
    health, wallet, now = upstream.health, upstream.wallet, upstream.clock.monotonic()
    if attempt.step.byok is not None:
        health.rests.failed(attempt.step.byok, endpoint.id, fault, now)
        return
    if fault.kind in NOBODYS:
        return
    if fault.kind in {Kind.RATE, Kind.FORBIDDEN}:
        wait_s = health.backoff_s(endpoint.id, now, fault.retry_after_s)
        if credential is not None:
            wallet.limited(credential, endpoint.id, now, wait_s)
    elif fault.kind is Kind.CREDENTIAL and credential is not None:
        wait_s = wallet.refused(credential, now)
    else:
        health.failed(endpoint.id, now, who)
        return
    all_rest_s = wallet.all_rest_s(endpoint.provider, endpoint.id, now)
    if all_rest_s is not None:
        wait_s = all_rest_s
    if not wait_s:
        return
    if fault.kind is Kind.FORBIDDEN:
        health.forbade(endpoint.id, now, wait_s, who)
    elif fault.kind is Kind.CREDENTIAL:
        health.shut(endpoint.id, now, wait_s, endpoint.provider)
    else:
        health.cool(endpoint.id, now, wait_s)
