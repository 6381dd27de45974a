"""Values for tests of the upstream room: steps, tries and faults in one line each."""

import json
from random import Random
from typing import Any

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Endpoint, Price, Provider
from dragoman.core.money import PicoUsd
from dragoman.core.secret import Secret
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step, Target
from dragoman.upstream.faults import Try
from dragoman.wire.chat import ChatCall, parse_chat

CENT = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000))


class Calm(Random):
    """Draws pauses that take next to no time, and counts them."""

    drawn = 0

    def uniform(self, a: float, b: float) -> float:
        self.drawn += 1
        return min(0.001, a + b)


def step(provider: str, model: str = "acme/turbo", context: int | None = 8192) -> Step:
    endpoint = Endpoint(
        id=f"{provider}|{model}",
        model=model,
        provider=provider,
        provider_name=provider.title(),
        tag=provider,
        upstream=model.rpartition("/")[2],
        price=CENT,
        context=context,
    )
    return Step(endpoint, Target(asked=model, model=model), "test")


def fault(
    kind: Kind = Kind.TRANSIENT,
    status: int | None = 500,
    error_type: str = "provider_unavailable",
    retry_after_s: float | None = None,
) -> Fault:
    return Fault(
        kind=kind,
        error_type=error_type,
        message=f"a {kind} fault",
        status=status,
        retry_after_s=retry_after_s,
    )


def tried(one: Step, why: Fault | None = None) -> Try:
    return Try(step=one, latency_s=0.1, status=why.status if why else 200, fault=why)


def provider(slug: str, **changes: Any) -> Provider:
    """Return a host named like its slug, which `tests.upstream.hosts` can play."""
    fields: dict[str, Any] = {
        "slug": slug,
        "name": slug.title(),
        "dialect": "openai",
        "cancels": True,
    }
    return Provider(**({**fields, "base_url": f"http://{slug}/v1"} | changes))


def credential(slug: str, number: int = 1) -> Credential:
    source = f"{slug}:{number}"
    secret = Secret(f"secret-of-{slug}-{number}")
    return Credential(id=source, provider=slug, secret=secret, source=source)


def chat(**members: Any) -> ChatCall:
    """Return a call as it comes from a client."""
    body = {"model": "acme/turbo", "messages": [{"role": "user", "content": "hi"}]} | members
    return parse_chat(json.dumps(body).encode())
