"""What a caller is told when no endpoint is left to try.

OpenRouter's words where it has words, since clients match on them; always the
figures, and one row per endpoint in `error.metadata.endpoints`. The reason named
first is one that the caller can change: an endpoint that this installation cannot
call counts only when nothing else stood in the way.

Sources: OpenRouter, errors-and-debugging ("Model availability errors") and
router-metadata ("No Providers Available").
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, to_builtins

from dragoman.catalog.types import Catalog, Endpoint, Provider
from dragoman.core.errors import (
    AVAILABILITY_DOCS_URL,
    Availability,
    Constraint,
    ContextTooLong,
    GatewayError,
    InvalidRequest,
    NoEndpoint,
    PermissionDenied,
)
from dragoman.routing.excluded import excluded, set_up
from dragoman.routing.kinds import astray, nothing_found, others
from dragoman.routing.types import Ask, Drop, Plan, Refusal
from dragoman.routing.verdicts import prompt_tokens, tokens_needed

TOOLS_DOCS_URL = "https://openrouter.ai/docs/guides/routing/provider-selection"


class Cause(Struct, frozen=True):
    """A reason in the words of a refusal: in short, the field that asks for it, OpenRouter's name.

    `excluded_by` is from the fixed vocabulary of `availability.excluded_by`; empty
    where that has no word for it.
    """

    words: str
    field: str
    excluded_by: str = ""


CAUSES: dict[Drop, Cause] = {
    Drop.NOT_FREE: Cause("not free", "model"),
    Drop.ONLY_AS_FREE: Cause("served as :free only", "model"),
    Drop.INACTIVE: Cause("by an API that is not spoken here", "model"),
    Drop.DEPRECATED: Cause("withdrawn", "model"),
    Drop.NOT_CONFIGURED: Cause("not configured", "model"),
    Drop.NOT_DEFAULT_ROUTE: Cause("used only when named", "provider.only", "allowed_providers"),
    Drop.LACKS_INPUT: Cause("cannot take the input", "messages"),
    Drop.LACKS_OUTPUT: Cause("cannot produce the output", "modalities"),
    Drop.LACKS_TOOLS: Cause("without tools", "tools", "require_parameters"),
    Drop.CONTEXT_TOO_SMALL: Cause("context window too small", "messages", "context_length"),
    Drop.OUTPUT_TOO_SMALL: Cause("cannot answer that long", "max_tokens", "context_length"),
    Drop.NOT_ALLOWED: Cause("not allowed for this key", "model", "allowed_providers"),
    Drop.NOT_IN_ONLY: Cause("not in provider.only", "provider.only", "allowed_providers"),
    Drop.IGNORED: Cause("in provider.ignore", "provider.ignore", "allowed_providers"),
    Drop.NOT_IN_ORDER: Cause("not in provider.order", "provider.order", "allowed_providers"),
    Drop.COLLECTS_DATA: Cause(
        "may train on prompts", "provider.data_collection", "data_policy:training"
    ),
    Drop.NOT_ZDR: Cause("not zero data retention", "provider.zdr", "data_policy:zdr"),
    Drop.NOT_DISTILLABLE: Cause("not distillable", "provider.enforce_distillable_text"),
    Drop.QUANTIZATION: Cause("other quantization", "provider.quantizations", "quantization"),
    Drop.OVER_MAX_PRICE: Cause("over provider.max_price", "provider.max_price", "max_price"),
    Drop.PRICE_UNKNOWN: Cause("price unknown", "provider.max_price", "max_price"),
    Drop.LACKS_PARAMETER: Cause(
        "lacks a parameter", "provider.require_parameters", "require_parameters"
    ),
    Drop.BYOK_UNUSABLE: Cause("own credential unusable", "model"),
}
"""Every drop that can empty a plan. OTHERS_SUPPORT and NO_FALLBACKS always leave one endpoint,
and where money stands in the way of all, UNAFFORDABLE, `dragoman.relay.unpaid` has the words."""

INSTALLATION = frozenset(
    {Drop.NOT_FREE, Drop.ONLY_AS_FREE, Drop.INACTIVE, Drop.DEPRECATED, Drop.NOT_CONFIGURED}
)
CHOICE = frozenset({Drop.NOT_IN_ONLY, Drop.IGNORED, Drop.NOT_IN_ORDER})
MOST_HINTS = 5
PRIVACY = {Drop.COLLECTS_DATA: "no training on prompts", Drop.NOT_ZDR: "zero data retention"}

_CODES: tuple[tuple[frozenset[Drop], str], ...] = (
    (frozenset(), "no_endpoints"),
    (frozenset({Drop.NOT_FREE}), "free_variant_ended"),
    (frozenset({Drop.DEPRECATED}), "model_deprecated"),
    (frozenset(PRIVACY), "privacy_restricted"),
    (CHOICE | INSTALLATION | {Drop.NOT_DEFAULT_ROUTE}, "no_endpoints"),
)
"""`availability.code` by what the reasons are all among; otherwise `constraint_filtered`."""


def refusal(plan: Plan, ask: Ask, catalog: Catalog) -> GatewayError:
    """Return the error for a plan without steps.

    403 where the key allows none of the models, 400 where all of them are asked elsewhere or the
    conversation is too long for every one that could be meant, otherwise 404.
    """
    allowed = ask.preferences.allowed_models
    if allowed and not any(target.model in allowed for target in ask.targets):
        return PermissionDenied(f"This key does not allow {', '.join(_asked(ask))}.")
    deciding = _deciding(plan.refusals)
    drops = frozenset(each.drop for each in deciding)
    metadata = {"endpoints": to_builtins([*excluded(plan.refusals, catalog.providers)])}
    if instead := astray(plan.refusals, ask):
        return InvalidRequest(
            f"{nothing_found(ask)} {instead} {others(ask)}",
            metadata=metadata,
            availability=_wrong_endpoint(plan, ask, instead),
        )
    hint = _hint(plan.refusals, catalog.providers)
    if drops == {Drop.CONTEXT_TOO_SMALL}:
        return ContextTooLong(_too_long(deciding, ask) + hint, metadata=metadata)
    return NoEndpoint(
        _message(deciding, drops, ask) + hint,
        metadata=metadata,
        availability=_availability(deciding, drops, plan, ask),
    )


def _deciding(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    asked = tuple(each for each in refusals if each.drop not in INSTALLATION)
    return asked or refusals


def _first(refusals: tuple[Refusal, ...], drop: Drop) -> Refusal:
    return next(each for each in refusals if each.drop is drop)


def _too_long(deciding: tuple[Refusal, ...], ask: Ask) -> str:
    # Clients know this error, and shorten the conversation, by the text alone: by OpenRouter's
    # words and figures (no separators), LangChain and Strands by "prompt is too long:",
    # LiteLLM by "model's maximum context limit", OpenHands by "please reduce the length of".
    longest = max(each.endpoint.context or 0 for each in deciding)
    answer = f", {ask.max_tokens} in the output" if ask.max_tokens else ""
    return (
        f"This endpoint's maximum context length is {longest} tokens. However, you requested"
        f" about {tokens_needed(ask)} tokens ({prompt_tokens(ask)} of text input{answer}). The"
        " prompt is too long: it exceeds the model's maximum context limit. Please reduce the"
        " length of the input or output."
    )


def _message(deciding: tuple[Refusal, ...], drops: frozenset[Drop], ask: Ask) -> str:
    models = ", ".join(_asked(ask))
    if drops == {Drop.LACKS_TOOLS}:
        return (
            "No endpoints found that support tool use. To learn more about provider routing,"
            f" visit: {TOOLS_DOCS_URL}"
        )
    if drops == {Drop.LACKS_INPUT}:
        lacking = sorted(ask.inputs - frozenset.union(*(r.endpoint.inputs for r in deciding)))
        return f"No endpoints found that support {', '.join(lacking) or 'this'} input."
    if drops == {Drop.LACKS_OUTPUT}:
        return nothing_found(ask)
    if drops and drops <= CHOICE:
        return (
            "No allowed providers are available for the selected model. Providers serving"
            f" {models}: {', '.join(_slugs(deciding))}, but {_choices(drops, ask)}."
        )
    if drops and drops <= PRIVACY.keys():
        policy = ", ".join(PRIVACY[drop] for drop in sorted(drops))
        return f"No endpoints found matching your data policy ({policy}) for {models}."
    return _left_out(deciding, drops, ask)


def _left_out(deciding: tuple[Refusal, ...], drops: frozenset[Drop], ask: Ask) -> str:
    """Say how many were left out for which reason, or how each differs where none can be called."""
    nothing = f"No endpoints found for {', '.join(_asked(ask))}."
    if drops == {Drop.INACTIVE}:
        why = dict.fromkeys(f"{each.endpoint.provider_name} {each.detail}." for each in deciding)
        return " ".join([nothing, *why, others(ask)])
    counts = Counter(each.drop for each in deciding)
    reasons = ", ".join(f"{CAUSES[drop].words} ({n})" for drop, n in counts.most_common())
    return f"{nothing} Left out: {reasons}." if reasons else nothing


def _asked(ask: Ask) -> tuple[str, ...]:
    """Return the names that the caller wrote: a router stands for several targets."""
    return tuple(dict.fromkeys(target.asked for target in ask.targets))


def _choices(drops: frozenset[Drop], ask: Ask) -> str:
    wishes = ask.preferences
    said = (
        (Drop.NOT_IN_ONLY, "provider.only preference permits only", wishes.only),
        (Drop.IGNORED, "provider.ignore preference leaves out", wishes.ignore),
        (Drop.NOT_IN_ORDER, "provider.order without fallbacks permits only", wishes.order),
    )
    return " and ".join(
        f"your request's {words}: {', '.join(slugs)}"
        for drop, words, slugs in said
        if drop in drops
    )


def _hint(refusals: tuple[Refusal, ...], providers: Mapping[str, Provider]) -> str:
    """Return what would help: the other tier of a model, naming or setting up a provider."""
    others = _other_tier(refusals)
    hint = f" Available as {', '.join(others)}." if others else ""
    named = [each for each in refusals if each.drop is Drop.NOT_DEFAULT_ROUTE]
    if named:
        hint += f" Served when provider.only names: {', '.join(_slugs(tuple(named)))}."
    return hint + _set_up_hint(refusals, providers)


def _set_up_hint(refusals: tuple[Refusal, ...], providers: Mapping[str, Provider]) -> str:
    """Return which providers could be set up; those that have to be named only for want of others.

    The first few: a popular model is served by dozens.
    """
    missing = [each.endpoint for each in refusals if each.drop is Drop.NOT_CONFIGURED]
    missing = [each for each in missing if each.default_route] or missing
    named = {each.provider: each.provider_name for each in missing}
    steps = [f"{name} ({set_up(slug, providers)})" for slug, name in named.items()]
    if len(steps) > MOST_HINTS:
        steps[MOST_HINTS:] = [f"{len(steps) - MOST_HINTS} more"]
    return f" Not configured here: {', '.join(steps)}." if steps else ""


def _availability(
    deciding: tuple[Refusal, ...], drops: frozenset[Drop], plan: Plan, ask: Ask
) -> Availability:
    code = next((code for among, code in _CODES if drops <= among), "constraint_filtered")
    excluded_by = dict.fromkeys(CAUSES[each.drop].excluded_by for each in deciding)
    return Availability(
        code=code,
        retryable=False,
        requested_models=_asked(ask),
        docs_url=AVAILABILITY_DOCS_URL,
        affected_providers=_slugs(deciding),
        excluded_by=tuple(name for name in excluded_by if name),
        fallback_models=_other_tier(plan.refusals),
        constraint=_constraint(deciding) if code == "constraint_filtered" else None,
    )


def _wrong_endpoint(plan: Plan, ask: Ask, instead: str) -> Availability:
    return Availability(
        code="wrong_endpoint",
        retryable=False,
        requested_models=_asked(ask),
        docs_url=AVAILABILITY_DOCS_URL,
        affected_providers=_slugs(plan.refusals),
        constraint=Constraint("model", instead),
    )


def _constraint(deciding: tuple[Refusal, ...]) -> Constraint:
    """Return the constraint that left out most, with the detail of one endpoint."""
    filters = [each.drop for each in deciding if each.drop not in CHOICE]
    most = _first(deciding, Counter(filters).most_common(1)[0][0])
    return Constraint(CAUSES[most.drop].field, f"{most.endpoint.provider_name}: {most.detail}")


def _slugs(refusals: tuple[Refusal, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.endpoint.provider for each in refusals))


def _other_tier(refusals: tuple[Refusal, ...]) -> tuple[str, ...]:
    """Return the paid name of a model asked for as free, and the other way round."""
    return tuple(
        dict.fromkeys(
            _slug(each.endpoint)
            for each in refusals
            if each.drop in {Drop.NOT_FREE, Drop.ONLY_AS_FREE}
            and each.endpoint.configured
            and each.endpoint.default_route
            and each.endpoint.status == "active"
        )
    )


def _slug(endpoint: Endpoint) -> str:
    return f"{endpoint.model}:free" if endpoint.free else endpoint.model
