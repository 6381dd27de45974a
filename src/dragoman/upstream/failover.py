"""The attempt loop: steps of a plan, one after the other, until one answers.

Deciding is `dragoman.upstream.moves`, attempting is `dragoman.upstream.attempt`;
this file connects them, and tells health and wallet what was learnt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import TypeVar

from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Provider
from dragoman.core.clock import Clock
from dragoman.net.types import Transport
from dragoman.providers.dialect import Dialect, Fault, Kind
from dragoman.routing.types import Plan, Step
from dragoman.upstream.attempt import Answered, Attempt, Line, Opened, answer, stream
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.faults import AttemptFailed, Try, sum_up
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.moves import Move, next_move
from dragoman.upstream.options import UpstreamOptions
from dragoman.wire.chat import ChatCall

Result = TypeVar("Result", Opened, Answered)

LEAST_S = 2.0
"""Another attempt that has less time than this is not begun."""


class Journey(Struct, kw_only=True):
    """One request on its way through the endpoints. `tries` grows with every attempt."""

    call: ChatCall
    plan: Plan
    requested: tuple[str, ...]
    deadline: float
    tries: list[Try] = []
    used: set[tuple[str, str]] = set()
    """(endpoint, credential) pairs that were tried."""
    sent: list[bytes] = []
    """The bodies that went upstream."""


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

    async def open(self, journey: Journey, providers: Mapping[str, Provider]) -> Opened:
        """Return the first stream to bring content. Raises the GatewayError that sums up."""
        return await self._first(journey, providers, stream)

    async def fetch(self, journey: Journey, providers: Mapping[str, Provider]) -> Answered:
        """Return the first whole answer. Raises the GatewayError that sums up."""
        return await self._first(journey, providers, answer)

    async def _first(
        self,
        journey: Journey,
        providers: Mapping[str, Provider],
        make: Callable[[Attempt], Awaitable[Result]],
    ) -> Result:
        while (move := self._move(journey)) is not None:
            if move.pause_s:
                await asyncio.sleep(move.pause_s)
            if journey.tries and journey.deadline - self.clock.monotonic() < LEAST_S:
                break
            attempt = self._attempt(journey, move.step, providers[move.step.endpoint.provider])
            started = self.clock.monotonic()
            try:
                result = await make(attempt)
            except AttemptFailed as failed:
                self._failed(journey, attempt, failed.fault, started)
            else:
                self._worked(journey, attempt, started)
                return result
        raise sum_up(journey.tries, journey.requested)

    def _move(self, journey: Journey) -> Move | None:
        return next_move(
            journey.plan.steps,
            journey.tries,
            self.options,
            lambda step: self._credential(journey, step) is not None,
            self.rng,
        )

    def _credential(self, journey: Journey, step: Step) -> Credential | None:
        """Return the best credential that this request has not used at this endpoint."""
        endpoint = step.endpoint
        now = self.clock.monotonic()
        for credential in self.wallet.usable(endpoint.provider, endpoint.id, now):
            if (endpoint.id, credential.id) not in journey.used:
                return credential
        return None

    def _attempt(self, journey: Journey, step: Step, provider: Provider) -> Attempt:
        credential = self._credential(journey, step)
        if credential is None:
            mine = self.wallet.usable(provider.slug, step.endpoint.id, self.clock.monotonic())
            credential = mine[0] if mine else None
        if credential is not None:
            journey.used.add((step.endpoint.id, credential.id))
        scheme = provider.base_url.partition("://")[0]
        line = Line(
            provider=provider,
            dialect=self.dialects[provider.dialect],
            transport=self.transports[scheme],
        )
        return Attempt(
            call=journey.call,
            step=step,
            line=line,
            credential=credential,
            deadline=journey.deadline,
            options=self.options,
            clock=self.clock,
            sent=journey.sent,
        )

    def _worked(self, journey: Journey, attempt: Attempt, started: float) -> None:
        latency_s = self.clock.monotonic() - started
        journey.tries.append(Try(step=attempt.step, latency_s=latency_s, status=200))
        if attempt.credential is not None:
            self.wallet.worked(attempt.credential)

    def _failed(self, journey: Journey, attempt: Attempt, fault: Fault, started: float) -> None:
        now = self.clock.monotonic()
        journey.tries.append(
            Try(step=attempt.step, latency_s=now - started, status=fault.status, fault=fault)
        )
        learn(self.health, self.wallet, attempt, fault, now)


def learn(health: HealthBoard, wallet: Wallet, attempt: Attempt, fault: Fault, now: float) -> None:
    """Hold a fault against whom it concerns: an endpoint, a credential, or nobody.

    A caller's own mistake is nobody's fault, and neither is our own want of connections;
    a rate limit is no outage.
    """
    endpoint, credential = attempt.step.endpoint, attempt.credential
    if fault.kind in {Kind.CALLER, Kind.LOCAL}:
        return
    if fault.kind is Kind.RATE:
        wait_s = health.backoff_s(endpoint.id, fault.retry_after_s)
        if credential is not None:
            wallet.limited(credential, endpoint.id, now, wait_s)
    elif fault.kind is Kind.CREDENTIAL and credential is not None:
        wait_s = wallet.refused(credential, now)
    else:
        health.failed(endpoint.id, now)
        return
    if wallet.all_resting(endpoint.provider, endpoint.id, now):
        health.cool(endpoint.id, now, wait_s)
