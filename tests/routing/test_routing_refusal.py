"""What callers are told when nothing is left: OpenRouter's words, and why for each endpoint."""

from random import Random
from typing import Any

import pytest

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import DataPolicy, Endpoint, Provider
from dragoman.core.errors import (
    AVAILABILITY_DOCS_URL,
    ContextTooLong,
    GatewayError,
    NoEndpoint,
)
from dragoman.core.money import PicoUsd
from dragoman.routing.plan import plan
from dragoman.routing.refusal import CAUSES, refusal
from dragoman.routing.types import Drop
from dragoman.wire.preferences import MaxPrice
from tests.routing.endpoints import MINI, MODEL, ask, catalog, endpoint, price, wishing

PROVIDERS = (
    Provider(
        slug="acme",
        name="Acme",
        dialect="openai",
        base_url="http://a",
        keys=("ACME_API_KEY", "ACME"),
    ),
    Provider(slug="bolt", name="Bolt", dialect="openai", base_url="http://b"),
)
ACME, BOLT = endpoint("acme"), endpoint("bolt", price=price(3_000_000))


def refused(wants: Ask, *endpoints: Endpoint) -> GatewayError:
    shown = catalog(*endpoints, providers=PROVIDERS)
    the_plan = plan(wants, shown, {}, Random(7))
    assert not the_plan.steps
    return refusal(the_plan, wants, shown)


def not_found(wants: Ask, *endpoints: Endpoint) -> tuple[str, Any]:
    error = refused(wants, *endpoints)
    assert isinstance(error, NoEndpoint)
    assert error.availability is not None
    assert error.availability.docs_url == AVAILABILITY_DOCS_URL
    assert error.availability.retryable is False
    assert error.availability.requested_models == tuple(each.asked for each in wants.targets)
    assert len(error.metadata["endpoints"]) == len(endpoints)
    return error.message, error.availability


def test_only_that_leaves_nothing_is_told_in_openrouters_words() -> None:
    message, availability = not_found(wishing(only=("azure",)), ACME, BOLT)
    assert message == (
        "No allowed providers are available for the selected model. Providers serving acme/turbo:"
        " acme, bolt, but your request's provider.only preference permits only: azure."
    )
    assert availability.code == "no_endpoints"
    assert availability.excluded_by == ("allowed_providers",)
    assert availability.affected_providers == ("acme", "bolt")
    assert availability.constraint is None


def test_the_same_provider_allowed_and_ignored_is_no_endpoint() -> None:
    message, availability = not_found(wishing(only=("acme",), ignore=("acme",)), ACME, BOLT)
    assert message.endswith(
        "but your request's provider.only preference permits only: acme"
        " and your request's provider.ignore preference leaves out: acme."
    )
    assert availability.code == "no_endpoints"


def test_an_order_without_fallbacks_is_a_choice_too() -> None:
    message, availability = not_found(wishing(order=("azure",), allow_fallbacks=False), ACME)
    assert "your request's provider.order without fallbacks permits only: azure." in message
    assert availability.code == "no_endpoints"


def test_tools_that_nobody_supports_are_told_in_openrouters_words() -> None:
    message, availability = not_found(ask(parameters=frozenset({"tools"})), ACME)
    assert message.startswith(
        "No endpoints found that support tool use. To learn more about provider routing, visit: "
    )
    assert availability.code == "constraint_filtered"
    assert availability.constraint.field == "tools"


def test_input_that_nobody_takes_is_named() -> None:
    wants = ask(inputs=frozenset({"text", "image", "file"}))
    message, availability = not_found(wants, ACME, endpoint("bolt", inputs=frozenset({"file"})))
    assert message == "No endpoints found that support image input."
    assert availability.constraint.detail == "Acme: takes text, not file, image"
    apart = (endpoint("acme", inputs=frozenset({"text", "image"})),
             endpoint("bolt", inputs=frozenset({"text", "file"})))  # fmt: skip
    assert not_found(wants, *apart)[0] == "No endpoints found that support this input."


@pytest.mark.parametrize(
    ("wishes", "policy", "excluded_by"),
    [
        ({"zdr": True}, "zero data retention", "data_policy:zdr"),
        ({"deny_data_collection": True}, "no training on prompts", "data_policy:training"),
    ],
)
def test_a_data_policy_is_named(wishes: dict[str, bool], policy: str, excluded_by: str) -> None:
    message, availability = not_found(wishing(**wishes), ACME)
    assert message == f"No endpoints found matching your data policy ({policy}) for acme/turbo."
    assert availability.code == "privacy_restricted"
    assert availability.excluded_by == (excluded_by,)


def test_a_constraint_is_named_with_its_field_and_figures() -> None:
    wants = wishing(max_price=MaxPrice(prompt=PicoUsd(10_000)))
    message, availability = not_found(wants, ACME, BOLT, endpoint("core", price=None))
    assert message == (
        "No endpoints found for acme/turbo."
        " Left out: over provider.max_price (2), price unknown (1)."
    )
    assert availability.code == "constraint_filtered"
    assert availability.excluded_by == ("max_price",)
    assert availability.constraint.field == "provider.max_price"
    assert availability.constraint.detail == (
        "Acme: prompt price of $1 is over $0.01 per million tokens, the limit in provider.max_price"
    )


def test_several_reasons_are_counted_and_the_constraint_is_one_that_filters() -> None:
    wants = wishing(only=("acme",), zdr=True, quantizations=frozenset({"fp8"}))
    known = endpoint("acme", policy=DataPolicy(zdr=True))
    message, availability = not_found(wants, known, BOLT, endpoint("core"))
    assert message == (
        "No endpoints found for acme/turbo."
        " Left out: not in provider.only (2), other quantization (1)."
    )
    assert availability.code == "constraint_filtered"
    assert availability.excluded_by == ("quantization", "allowed_providers")
    assert availability.constraint.field == "provider.quantizations"


def test_a_conversation_too_long_for_all_is_a_bad_request() -> None:
    small, large = endpoint("acme", context=100), endpoint("bolt", context=200)
    error = refused(ask(text_bytes=1_260, max_tokens=40), small, large)
    assert isinstance(error, ContextTooLong)
    assert error.message == (
        "This endpoint's maximum context length is 200 tokens. However, you requested about 250"
        " tokens (210 of text input, 40 in the output). The prompt is too long: it exceeds the"
        " model's maximum context limit. Please reduce the length of the input or output."
    )
    assert [row["reason"] for row in error.metadata["endpoints"]] == ["context_too_small"] * 2


def test_an_answer_too_long_is_not_a_conversation_too_long() -> None:
    _, availability = not_found(ask(max_tokens=500), endpoint("acme", max_output=100))
    assert availability.code == "constraint_filtered"
    assert availability.constraint.field == "max_tokens"


def test_what_is_not_configured_says_which_variable_would_do() -> None:
    message, availability = not_found(
        ask(), endpoint("acme", configured=False), endpoint("bolt", configured=False)
    )
    assert message == (
        "No endpoints found for acme/turbo. Left out: not configured (2). Not configured here:"
        " Acme (set ACME_API_KEY), Bolt (configure providers.bolt in dragoman.yaml)."
    )
    assert availability.code == "no_endpoints"


def test_a_wish_counts_before_what_is_not_configured_and_both_are_told() -> None:
    wants = wishing(only=("acme",))
    error = refused(wants, endpoint("acme", configured=False), BOLT)
    assert error.message == (
        "No allowed providers are available for the selected model. Providers serving acme/turbo:"
        " bolt, but your request's provider.only preference permits only: acme."
        " Not configured here: Acme (set ACME_API_KEY)."
    )
    assert error.metadata["endpoints"] == [
        {
            "provider": "Acme",
            "model": MODEL,
            "tag": "acme",
            "reason": "not_configured",
            "detail": "no credential for Acme is set up: set ACME_API_KEY",
        },
        {
            "provider": "Bolt",
            "model": MODEL,
            "tag": "bolt",
            "reason": "not_in_only",
            "detail": "provider.only permits only: acme",
        },
    ]


@pytest.mark.parametrize(
    ("model", "endpoints", "code", "fallback_models"),
    [
        (f"{MODEL}:free", (ACME,), "free_variant_ended", (MODEL,)),
        (f"{MODEL}:free", (endpoint("acme", status="inactive"),), "free_variant_ended", ()),
        (f"{MODEL}:free", (endpoint("acme", configured=False),), "free_variant_ended", ()),
        (MODEL, (endpoint("acme", free=True),), "no_endpoints", (f"{MODEL}:free",)),
        (MODEL, (endpoint("acme", status="deprecated"),), "model_deprecated", ()),
        (MODEL, (endpoint("acme", status="inactive"),), "no_endpoints", ()),
        (MODEL, (), "no_endpoints", ()),
    ],
)
def test_a_model_that_cannot_be_called_has_a_code_and_its_other_tier(
    model: str, endpoints: tuple[Endpoint, ...], code: str, fallback_models: tuple[str, ...]
) -> None:
    message, availability = not_found(ask(model), *endpoints)
    assert message.startswith(f"No endpoints found for {model}.")
    assert availability.code == code
    assert availability.fallback_models == fallback_models
    assert ("Available as" in message) is bool(fallback_models)


def test_all_models_asked_for_are_named() -> None:
    message, _ = not_found(ask(MODEL, MINI))
    assert message == f"No endpoints found for {MODEL}, {MINI}."


def test_a_provider_that_has_to_be_named_is_named() -> None:
    broker = endpoint("broker", default_route=False)
    message, availability = not_found(ask(), broker, endpoint("acme", configured=False))
    assert message == (
        "No endpoints found for acme/turbo. Left out: used only when named (1)."
        " Served when provider.only names: broker."
        " Not configured here: Acme (set ACME_API_KEY)."
    )
    assert availability.code == "no_endpoints"
    assert availability.excluded_by == ("allowed_providers",)


def test_providers_that_have_to_be_named_are_set_up_only_for_want_of_others() -> None:
    brokers = [endpoint(f"broker-{i}", default_route=False, configured=False) for i in range(7)]
    message, _ = not_found(ask(), *brokers)
    assert message.count("configure providers.broker-") == 5
    assert message.endswith(", 2 more.")
    message, _ = not_found(ask(), *brokers[:5])
    assert (message.count("configure providers.broker-"), "more" in message) == (5, False)
    message, _ = not_found(ask(), *brokers, endpoint("bolt", configured=False))
    assert message.endswith(
        "Not configured here: Bolt (configure providers.bolt in dragoman.yaml)."
    )


def test_a_model_is_not_offered_as_paid_where_only_naming_reaches_it() -> None:
    free = Target(asked=f"{MODEL}:free", model=MODEL, free=True)
    wants = ask(targets=(free,))
    _, availability = not_found(wants, endpoint("broker", default_route=False))
    assert (availability.code, availability.fallback_models) == ("free_variant_ended", ())
    _, availability = not_found(wants, ACME)
    assert (availability.code, availability.fallback_models) == ("free_variant_ended", (MODEL,))


def test_a_name_that_stands_for_several_models_is_told_once() -> None:
    router = [Target(asked="openrouter/free", model=each, free=True) for each in (MODEL, MINI)]
    wants = ask(targets=tuple(router), text_bytes=6_000, max_tokens=9)
    small = [endpoint("acme", model=each.model, free=True, max_output=5) for each in router]
    error = refused(wants, *small)
    assert error.message.startswith("No endpoints found for openrouter/free. ")
    assert error.availability is not None
    assert error.availability.requested_models == ("openrouter/free",)


def test_every_reason_that_can_empty_a_plan_has_words() -> None:
    assert set(Drop) - CAUSES.keys() == {
        Drop.OTHERS_SUPPORT,
        Drop.NO_FALLBACKS,
        Drop.UNAFFORDABLE,
    }


VOCABULARY = {
    "", "geo", "data_region", "data_policy:zdr", "data_policy:training", "max_price",
    "context_length", "require_parameters", "quantization", "allowed_providers",
}  # fmt: skip


def test_excluded_by_keeps_to_openrouters_vocabulary() -> None:
    assert {cause.excluded_by for cause in CAUSES.values()} <= VOCABULARY


@pytest.mark.parametrize(
    ("models", "allowed", "code"),
    [
        ((MODEL,), (MINI,), 403),
        ((MODEL, MINI), ("acme/other",), 403),
        ((MODEL, MINI), (MINI,), 404),
        ((MODEL,), (MODEL,), 404),
        ((MODEL,), (), 404),
    ],
)
def test_a_key_that_allows_none_of_the_models_is_the_reason(
    models: tuple[str, ...], allowed: tuple[str, ...], code: int
) -> None:
    wants, shown = wishing(*models, allowed_models=frozenset(allowed)), catalog()
    error = refusal(plan(wants, shown, {}, Random(7)), wants, shown)
    assert error.code == code
    if code == 403:
        assert error.message == f"This key does not allow {', '.join(models)}."
