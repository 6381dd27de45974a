"""What keeps an endpoint out because another one of the same model does better.

Three features are soft preferences even without `require_parameters`: tools,
response formats and verbosity. Where some endpoints of a model support one,
only those are used; where none does, the model is kept (OpenRouter,
provider-selection, "Default parameter preferences"). Tools are the exception:
an answer without the tools is no answer, and OpenRouter's live service says 404.
"""

from dragoman.catalog.types import Endpoint
from dragoman.routing.types import Ask, Drop, Refusal

SOFT = ("tools", "structured_outputs", "response_format", "verbosity")
"""In order of weight: what is asked first narrows the choice for the rest."""


def prefer_supporting(endpoints: list[Endpoint], ask: Ask) -> tuple[list[Endpoint], list[Refusal]]:
    """Keep the endpoints of one model that support the soft features `ask` uses.

    Returns those kept and those left out. Only tools that nobody supports leave none.
    """
    refusals: list[Refusal] = []
    for feature in SOFT:
        if feature not in ask.parameters:
            continue
        able = [endpoint for endpoint in endpoints if feature in endpoint.supports]
        if len(able) == len(endpoints):
            continue
        unable = [endpoint for endpoint in endpoints if feature not in endpoint.supports]
        if able:
            refusals += [_outdone(endpoint, feature) for endpoint in unable]
            endpoints = able
        elif feature == "tools":
            refusals += [_toolless(endpoint) for endpoint in unable]
            endpoints = able
    return endpoints, refusals


def _outdone(endpoint: Endpoint, feature: str) -> Refusal:
    detail = f"does not support {feature}, which another endpoint of {endpoint.model} does"
    return Refusal(endpoint, Drop.OTHERS_SUPPORT, detail)


def _toolless(endpoint: Endpoint) -> Refusal:
    return Refusal(endpoint, Drop.LACKS_TOOLS, "does not support tools")
