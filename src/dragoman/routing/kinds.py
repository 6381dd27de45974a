"""Models that were asked for what they do not make, and what to do instead. Pure.

Embeddings, reranking and chat each have a route of their own, and most models answer on one
of them. Whether that is the one which was asked depends on the models alone, neither on wishes
nor on credentials: so it is found before other reasons, of which none would be worth removing.

Source: OpenRouter, errors-and-debugging ("Model availability errors", `wrong_endpoint`).
"""

from collections.abc import Sequence

from msgspec import Struct

from dragoman.catalog.types import Endpoint
from dragoman.routing.types import Ask, Refusal


class Route(Struct, frozen=True):
    """A kind of requests: what it is called, where it is asked, and where its models are listed."""

    name: str
    path: str
    models: str


CHAT = Route("chat", "/api/v1/chat/completions", "/api/v1/models")
ROUTES = {
    "embeddings": Route("embeddings", "/api/v1/embeddings", "/api/v1/embeddings/models"),
    "rerank": Route("reranking", "/api/v1/rerank", "/api/v1/models?output_modalities=rerank"),
    "text": CHAT,
}
"""What a model puts out -> where that is asked for. Images and audio come with text, or not."""


def astray(refusals: Sequence[Refusal], ask: Ask) -> str | None:
    """Return where the models are to be asked, if none of them is for the route that was asked.

    None where one of them is, or has no route at all.
    """
    wanted = _route_of(ask.outputs)
    offers: dict[str, frozenset[str]] = {}
    for each in refusals:
        if each.endpoint.status == "active":
            model = each.endpoint.model
            offers[model] = offers.get(model, frozenset()) | each.endpoint.outputs
    routes = {model: _routes(outputs) for model, outputs in offers.items()}
    if any(target.model not in routes for target in ask.targets):
        return None
    if any(not found or wanted in found for found in routes.values()):
        return None
    return " ".join(
        f"{model} offers {' and '.join(each.name for each in found)} only: use"
        f" {' or '.join(f'POST {each.path}' for each in found)}."
        for model, found in routes.items()
    )


def nothing_found(ask: Ask) -> str:
    """Return OpenRouter's words for what no endpoint puts out."""
    wanted = ", ".join(sorted(ask.outputs))
    return f"No endpoints found that support the requested output modalities: {wanted}."


def unspoken(endpoint: Endpoint) -> str:
    """Say why an endpoint that is inactive cannot be called."""
    outputs = endpoint.outputs
    if outputs.isdisjoint(ROUTES):
        made = ", ".join(sorted(outputs)) or "nothing"
        return f"makes {made}, which cannot be asked for here in this version"
    return f"offers {_route_of(outputs).name} by an API that is not spoken here"


def others(ask: Ask) -> str:
    """Say where the models are listed that can be asked for the same."""
    wanted = _route_of(ask.outputs)
    return f"Models for {wanted.name}: GET {wanted.models}."


def _route_of(outputs: frozenset[str]) -> Route:
    return next((ROUTES[name] for name in ("embeddings", "rerank") if name in outputs), CHAT)


def _routes(outputs: frozenset[str]) -> tuple[Route, ...]:
    return tuple(route for name, route in ROUTES.items() if name in outputs)
