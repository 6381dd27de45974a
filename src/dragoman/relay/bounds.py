"""What binds one request beyond its own wishes: its key's allowlists, its share of free models."""

from typing import Protocol

from msgspec.structs import replace

from dragoman.access.permits import FreeRequests
from dragoman.access.types import Terms
from dragoman.relay.visit import Visit
from dragoman.routing.types import Ask
from dragoman.upstream.failover import Journey


class Going(Protocol):
    """A request with a plan."""

    visit: Visit
    journey: Journey


def confined(ask: Ask, terms: Terms) -> Ask:
    """Return `ask` within the allowlists of its key."""
    if not (terms.allowed_models or terms.allowed_providers):
        return ask
    preferences = replace(
        ask.preferences,
        allowed_models=terms.allowed_models,
        allowed_providers=terms.allowed_providers,
    )
    return replace(ask, preferences=preferences)


async def count_free(free: FreeRequests, turn: Going) -> None:
    """Count a request that is to be served for free; over the quota it goes to paid endpoints.

    Raises RateLimited where there are none. A request counts when a free endpoint comes first,
    and not one with the account's own credential: that is no gift.
    """
    plan = turn.journey.plan
    first = plan.steps[0]
    if not first.endpoint.free or first.byok is not None:
        return
    caller = turn.visit.caller
    high = caller.terms is not None and caller.terms.high_balance
    refused = await free.refused(caller.account, high=high)
    if refused is None:
        return
    paid = tuple(step for step in plan.steps if not step.endpoint.free)
    if not paid:
        raise refused
    turn.journey.plan = replace(plan, steps=paid)
