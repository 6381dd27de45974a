"""`openrouter/free`: any free model that can do what the request asks, at random.

All that can are tried, in an order drawn anew for each request, so that one that
fails is followed by the next (OpenRouter, free-router). Limits such as the context
window are left to `dragoman.routing`, which says why an endpoint was left out.
"""

from random import Random

from dragoman.catalog.lookup import FREE_ROUTER
from dragoman.catalog.types import Catalog, Endpoint
from dragoman.core.errors import AVAILABILITY_DOCS_URL, Availability, Constraint, NoEndpoint
from dragoman.wire.preferences import Preferences

FEATURES = frozenset({"reasoning", "response_format", "structured_outputs", "tools"})
"""What a model is chosen for; other parameters are better dropped than the request refused."""


def free_models(
    catalog: Catalog, preferences: Preferences, parameters: frozenset[str], rng: Random
) -> list[str]:
    """Return the ids of the free models that can be called and support what is used, shuffled.

    Raises NoEndpoint when there is none.
    """
    needed = parameters & FEATURES
    named = frozenset((*preferences.only, *preferences.order))
    offered = {
        id_: [each for each in catalog.models[id_].endpoints if _is_offered(each, named)]
        for id_ in catalog.free
    }
    able = [
        id_
        for id_, each in offered.items()
        if any(needed <= endpoint.supports for endpoint in each)
    ]
    if not able:
        raise _none(sum(map(bool, offered.values())), needed)
    rng.shuffle(able)
    return able


def _is_offered(endpoint: Endpoint, named: frozenset[str]) -> bool:
    """Say whether a request reaches a free endpoint: by default, or because it is named."""
    return (
        endpoint.free
        and endpoint.configured
        and endpoint.status == "active"
        and (endpoint.default_route or not named.isdisjoint((endpoint.provider, endpoint.tag)))
    )


def _none(count: int, needed: frozenset[str]) -> NoEndpoint:
    features = ", ".join(sorted(needed))
    reason = (
        f"none of the {count} free models here supports {features}"
        if count
        else "no free model can be called here; set up a provider that has a free tier"
    )
    return NoEndpoint(
        f"No endpoints found for {FREE_ROUTER}: {reason}.",
        availability=Availability(
            code="constraint_filtered" if count else "no_endpoints",
            retryable=False,
            requested_models=(FREE_ROUTER,),
            docs_url=AVAILABILITY_DOCS_URL,
            constraint=Constraint("model", reason) if count else None,
        ),
    )
