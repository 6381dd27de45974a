"""What keeps one endpoint from serving one request: a list of small rules.

A rule looks at an endpoint alone and answers with None, or with a reason and a
sentence that holds the deciding figures. Unknown facts are unsafe: a provider whose
data policy is unknown may train on prompts, a parameter that is not listed is not
supported, an unknown price is over every limit. Two facts are different, since most
own hosts leave them out and a provider answers for itself: an unknown context window
and an unknown longest answer keep nothing out.

The first rule that speaks decides: what the installation cannot call, then what the
endpoint cannot do, then what the caller does not want. So whoever is told that a wish
of theirs stood in the way knows that nothing else did. Rules that compare endpoints
with each other are in `dragoman.routing.comparisons`.
"""

from collections.abc import Callable

from dragoman.catalog.ask import TYPED_TOOLS
from dragoman.catalog.tariff import applicable
from dragoman.catalog.types import Endpoint
from dragoman.core.money import PicoUsd, per_million, price_text
from dragoman.routing.kinds import unspoken
from dragoman.routing.slugs import any_names
from dragoman.routing.types import Ask, Drop, Target
from dragoman.wire.preferences import MaxPrice, Preferences

Verdict = tuple[Drop, str]
Rule = Callable[[Endpoint, Ask, Target], Verdict | None]

BYTES_PER_TOKEN = 6
"""No common tokenizer averages more bytes of text a token: bytes / 6 is a lower bound."""

FAMILIES = {"mxfp4": "fp4", "nvfp4": "fp4", "mxfp8": "fp8"}
"""`fp4` asks for any of its formats (OpenRouter, quantization levels)."""

INTERCHANGEABLE = frozenset({"max_tokens", "max_completion_tokens"})
"""Two names of one thing, sent under the one that an endpoint knows."""

NO_WISHES = Preferences()
NO_LIMIT = MaxPrice()


def verdict(endpoint: Endpoint, ask: Ask, target: Target) -> Verdict | None:
    """Say why `endpoint` must not serve `ask` as `target`, or None when it may."""
    for rule in rules(ask):
        found = rule(endpoint, ask, target)
        if found is not None:
            return found
    return None


def rules(ask: Ask) -> tuple[Rule, ...]:
    """Return the rules that can speak for this request at all, in the order they are asked."""
    return _rules(_available, ask)


def own_rules(ask: Ask) -> tuple[Rule, ...]:
    """Return the rules for an endpoint that the account has a credential of its own for."""
    return _rules(_in_service, ask)


def prompt_tokens(ask: Ask) -> int:
    """Return the least number of tokens that the prompt takes."""
    return ask.text_bytes // BYTES_PER_TOKEN


def tokens_needed(ask: Ask) -> int:
    """Return the least number of tokens that prompt and answer take together."""
    return prompt_tokens(ask) + (ask.max_tokens or 0)


def _rules(available: Rule, ask: Ask) -> tuple[Rule, ...]:
    wishes = ask.preferences
    facts = (available, _able(ask))
    if wishes == NO_WISHES:
        return facts
    return facts + tuple(rule for rule, concerns in _WISHES if concerns(wishes))


def _available(endpoint: Endpoint, ask: Ask, target: Target) -> Verdict | None:
    if (
        endpoint.free is target.free
        and endpoint.configured
        and endpoint.default_route
        and endpoint.status == "active"
    ):
        return None
    if endpoint.free is target.free:
        return _out_of_reach(endpoint, ask.preferences)
    return _other_tier(endpoint, target)


def _in_service(endpoint: Endpoint, _ask: Ask, target: Target) -> Verdict | None:
    """Say why nobody can call an endpoint, whatever their credential."""
    if endpoint.free is not target.free:
        return _other_tier(endpoint, target)
    return _out_of_service(endpoint)


def _other_tier(endpoint: Endpoint, target: Target) -> Verdict:
    if endpoint.free:
        return Drop.ONLY_AS_FREE, f"is a free tier, served as {endpoint.model}:free only"
    return Drop.NOT_FREE, f"costs money, and {target.asked} asks for free endpoints"


def _out_of_service(endpoint: Endpoint) -> Verdict | None:
    if endpoint.status == "inactive":
        return Drop.INACTIVE, unspoken(endpoint)
    if endpoint.status == "deprecated":
        return Drop.DEPRECATED, "has been withdrawn by its provider"
    return None


def _out_of_reach(endpoint: Endpoint, wishes: Preferences) -> Verdict | None:
    """Say why an endpoint cannot be called, or not by this request.

    One that is no default route is for those who name its provider; where `only` is
    given, it alone decides.
    """
    if out := _out_of_service(endpoint):
        return out
    if not endpoint.configured:
        return Drop.NOT_CONFIGURED, f"no credential for {endpoint.provider_name} is set up"
    if wishes.only or any_names(wishes.order, endpoint):
        return None
    return Drop.NOT_DEFAULT_ROUTE, (
        f"is used only when provider.only or provider.order names {endpoint.provider}"
    )


def _able(ask: Ask) -> Rule:
    """Return the rule on what goes in and out, and how much: reckoned once, asked of each."""
    inputs, outputs = ask.inputs, ask.outputs
    needed, wanted = tokens_needed(ask), ask.max_tokens or 0

    def rule(endpoint: Endpoint, _ask: Ask, _target: Target) -> Verdict | None:
        if not inputs <= endpoint.inputs:
            lacks = _listed(inputs - endpoint.inputs)
            return Drop.LACKS_INPUT, f"takes {_listed(endpoint.inputs)}, not {lacks}"
        if not outputs <= endpoint.outputs:
            lacks = _listed(outputs - endpoint.outputs)
            return Drop.LACKS_OUTPUT, f"produces {_listed(endpoint.outputs)}, not {lacks}"
        window, most = endpoint.context, endpoint.max_output
        if window is not None and needed > window:
            return Drop.CONTEXT_TOO_SMALL, (
                f"context window of {window:,} tokens is smaller"
                f" than the ~{needed:,} the request needs"
            )
        if most is not None and wanted > most:
            return Drop.OUTPUT_TOO_SMALL, (
                f"answers with {most:,} tokens at most, and max_tokens is {wanted:,}"
            )
        return None

    return rule


def _allowed(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    models, providers = ask.preferences.allowed_models, ask.preferences.allowed_providers
    if models and endpoint.model not in models:
        return Drop.NOT_ALLOWED, f"the key does not allow the model {endpoint.model}"
    if providers and not any_names(providers, endpoint):
        return Drop.NOT_ALLOWED, f"the key does not allow the provider {endpoint.provider}"
    return None


def _only(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    only = ask.preferences.only
    if any_names(only, endpoint):
        return None
    return Drop.NOT_IN_ONLY, f"provider.only permits only: {', '.join(only)}"


def _ignore(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    if not any_names(ask.preferences.ignore, endpoint):
        return None
    return Drop.IGNORED, f"provider.ignore leaves out: {', '.join(ask.preferences.ignore)}"


def _order(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    order = ask.preferences.order
    if any_names(order, endpoint):
        return None
    return Drop.NOT_IN_ORDER, (
        f"provider.allow_fallbacks is false, and provider.order names only: {', '.join(order)}"
    )


def _data_collection(endpoint: Endpoint, _ask: Ask, _target: Target) -> Verdict | None:
    if not endpoint.policy.collects:
        return None
    fact = "trains on prompts" if endpoint.policy.trains else "may train on prompts (unknown)"
    return Drop.COLLECTS_DATA, f"{fact}, and provider.data_collection is deny"


def _zdr(endpoint: Endpoint, _ask: Ask, _target: Target) -> Verdict | None:
    if endpoint.policy.keeps_nothing:
        return None
    fact = "may keep prompts (unknown)" if endpoint.policy.zdr is None else "keeps prompts"
    return Drop.NOT_ZDR, f"{fact}, and provider.zdr is true"


def _distillable(endpoint: Endpoint, _ask: Ask, _target: Target) -> Verdict | None:
    if endpoint.distillable:
        return None
    return Drop.NOT_DISTILLABLE, (
        "is not known to allow distillation, and provider.enforce_distillable_text is true"
    )


def _quantization(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    wanted, has = ask.preferences.quantizations, endpoint.quantization
    if has in wanted or FAMILIES.get(has) in wanted:
        return None
    return Drop.QUANTIZATION, (
        f"quantization is {has}, and provider.quantizations names {_listed(wanted)}"
    )


def _max_price(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    most, price = ask.preferences.max_price or NO_LIMIT, endpoint.price
    if price is None:
        return Drop.PRICE_UNKNOWN, "price is unknown, and provider.max_price is set"
    if price.tiers:
        price = applicable(price, prompt_tokens(ask))
    over = (
        _over("prompt", price.prompt, most.prompt)
        or _over("completion", price.completion, most.completion)
        or _over("request", price.request, most.request)
        or _over("image", price.image, most.image)
        or _over("audio", price.audio, most.audio)
    )
    return (Drop.OVER_MAX_PRICE, over) if over else None


def _over(unit: str, price: PicoUsd | None, most: PicoUsd | None) -> str | None:
    if price is None or most is None or price <= most:
        return None
    if unit in {"prompt", "completion"}:
        figures = f"${per_million(price):f} is over ${per_million(most):f} per million tokens"
    else:
        figures = f"${price_text(price)} is over ${price_text(most)}"
    return f"{unit} price of {figures}, the limit in provider.max_price"


def _parameters(endpoint: Endpoint, ask: Ask, _target: Target) -> Verdict | None:
    missing = ask.parameters - endpoint.supports
    if endpoint.supports & INTERCHANGEABLE:
        missing -= INTERCHANGEABLE
    if missing and endpoint.typed_tools:
        missing = frozenset(name for name in missing if not name.startswith(TYPED_TOOLS))
    if not missing:
        return None
    return Drop.LACKS_PARAMETER, (
        f"does not support {_listed(missing)}, and provider.require_parameters is true"
    )


def _listed(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"


_WISHES: tuple[tuple[Rule, Callable[[Preferences], bool]], ...] = (
    (_allowed, lambda wishes: bool(wishes.allowed_models or wishes.allowed_providers)),
    (_only, lambda wishes: bool(wishes.only)),
    (_ignore, lambda wishes: bool(wishes.ignore)),
    (_order, lambda wishes: bool(wishes.order) and not wishes.allow_fallbacks),
    (_data_collection, lambda wishes: wishes.deny_data_collection),
    (_zdr, lambda wishes: wishes.zdr),
    (_distillable, lambda wishes: wishes.distillable),
    (_quantization, lambda wishes: bool(wishes.quantizations)),
    (_max_price, lambda wishes: wishes.max_price not in {None, NO_LIMIT}),
    (_parameters, lambda wishes: wishes.require_parameters),
)
"""Each with the question whether the caller wished it: a rule is asked only then."""
