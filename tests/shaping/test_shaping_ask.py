"""A call put into the catalog's words: providers, wishes, and what has no effect."""

from random import Random
from typing import Any

import pytest
from msgspec import structs

from dragoman.catalog.ask import Ask
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import PicoUsd
from dragoman.core.notes import Change, Note
from dragoman.shaping.ask import NO_EFFECT, ask
from dragoman.shaping.preferences import resolve
from dragoman.wire.hub import Native
from dragoman.wire.preferences import MaxPrice, Preferences
from tests.shaping.calls import CATALOG, call, endpoint


def asked(*models: str, **changes: Any) -> tuple[Ask, tuple[Note, ...]]:
    return ask(call(*models, **changes), CATALOG, Random(7))


def test_a_limit_that_has_to_be_said_is_no_wish_for_an_endpoint_that_can_say_so_much() -> None:
    native = Native(dialect="messages", members={})
    assert asked("acme/mini", max_tokens=64_000, native=native)[0].max_tokens is None
    other = Native(dialect="responses", members={})
    assert asked("acme/mini", max_tokens=64_000, native=other)[0].max_tokens == 64_000


@pytest.mark.parametrize(
    ("required", "parameters"), [(True, {"seed", "web_search_options"}), (False, {"seed"})]
)
def test_a_parameter_without_effect_is_missed_by_who_requires_all(
    required: bool,  # noqa: FBT001 - a row of the table
    parameters: set[str],
) -> None:
    wants, _ = asked(
        "acme/turbo",
        parameters=frozenset({"seed"}),
        not_applied=("web_search_options", "plugins.web", "service_tier"),
        preferences=Preferences(require_parameters=required),
    )
    assert wants.parameters == parameters


def test_a_call_becomes_an_ask_with_all_that_matters_to_routing() -> None:
    wants, notes = asked(
        "acme/turbo",
        "acme/mini",
        partition="none",
        text_bytes=600,
        max_tokens=5,
        parameters=frozenset({"seed"}),
        inputs=frozenset({"text", "image"}),
        outputs=frozenset({"text", "audio"}),
        preferences=Preferences(zdr=True),
    )
    assert [each.model for each in wants.targets] == ["acme/turbo", "acme/mini"]
    assert wants == Ask(
        targets=wants.targets,
        preferences=Preferences(zdr=True),
        partition="none",
        text_bytes=600,
        max_tokens=5,
        parameters=frozenset({"seed"}),
        inputs=frozenset({"text", "image"}),
        outputs=frozenset({"text", "audio"}),
        strategy="fallback",
    )
    assert notes == ()


@pytest.mark.parametrize(("outputs", "is_offered"), [("text", True), ("embeddings", False)])
def test_who_misspells_a_model_is_offered_what_answers_as_asked(
    outputs: str, *, is_offered: bool
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked("acme/turb", outputs=frozenset({outputs}))
    assert caught.value.availability is not None
    assert ("acme/turbo" in caught.value.availability.fallback_models) is is_offered


def test_what_has_no_effect_is_noted() -> None:
    _, notes = asked(
        "ACME/turbo",
        not_applied=("plugins.web", "preset"),
    )
    assert [(note.change, note.field) for note in notes] == [
        (Change.RESOLVED, "model"),
        (Change.NOT_APPLIED, "plugins.web"),
        (Change.NOT_APPLIED, "preset"),
    ]
    assert notes[1].detail.startswith(NO_EFFECT)


@pytest.mark.parametrize(
    "field", ["preset", "transforms", "plugins.web", "tools.openrouter:web_search", "tool_choice"]
)
def test_who_asks_for_what_has_no_effect_is_told_what_would_do(field: str) -> None:
    _, notes = asked("acme/turbo", not_applied=(field, "provider.soon"))
    assert [note.field for note in notes] == [field, "provider.soon"]
    assert notes[0].detail.startswith(f"{NO_EFFECT}: ")
    assert notes[1].detail == NO_EFFECT


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("plugins.context-compression", "window"),
        ("plugins.response-healing", "json_schema"),
        ("plugins.auto-router", "models"),
        ("plugins.auto-beta-router", "models"),
        ("plugins.pareto-router", "models"),
        ("plugins.file-parser", "files"),
        ("plugins.moderation", "check"),
        ("plugins.web", "function"),
        ("plugins.web-fetch", "function"),
        ("web_search_options", "function"),
        ("x_search_filter", "function"),
        ("max_tool_calls", "count"),
        ("stop_server_tools_when", "calls"),
    ],
)
def test_each_field_has_its_own_advice(field: str, word: str) -> None:
    _, notes = asked("acme/turbo", not_applied=(field, "plugins.of-tomorrow"))
    assert word in notes[0].detail.removeprefix(NO_EFFECT)
    assert notes[1].detail == NO_EFFECT


@pytest.mark.parametrize("field", ["order", "ignore", "only"])
def test_a_service_tier_that_is_named_as_an_endpoint_is_noted(field: str) -> None:
    slugs = {field: ("OpenAI/Flex", "openai", "deepinfra/priority", "openai/eu")}
    wants, notes = asked("acme/turbo", preferences=Preferences(**slugs))  # type: ignore[arg-type]
    assert [(note.change, note.field) for note in notes if note.field != "model"] == [
        (Change.NOT_APPLIED, f"provider.{field}")
    ] * 2
    assert notes[-2].detail.endswith("name openai, and send service_tier 'flex'")
    assert getattr(wants.preferences, field)[1] == "openai"


def test_nothing_but_service_tiers_to_ask_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked("acme/turbo", preferences=Preferences(only=("openai/priority",)))
    assert caught.value.message == (
        "provider.only: openai/priority names a service tier, which is no endpoint of its own"
        " here: name openai, and send service_tier 'priority'"
    )


def test_an_endpoint_with_the_name_of_a_tier_is_an_endpoint() -> None:
    mine = endpoint("acme/turbo", tag="openai/flex", id="openai/flex|acme/turbo")
    models = CATALOG.models | {
        "acme/turbo": structs.replace(CATALOG.models["acme/turbo"], endpoints=(mine,))
    }
    named = call("acme/turbo", preferences=Preferences(only=("openai/flex",)))
    _, notes = ask(named, structs.replace(CATALOG, models=models), Random(7))
    assert notes == ()


def test_limits_on_prices_are_applied_and_not_noted() -> None:
    most = MaxPrice(prompt=PicoUsd(1), audio=PicoUsd(1))
    _, notes = asked(preferences=Preferences(max_price=most))
    assert notes == ()


def test_lowest_cost_sorts_by_price() -> None:
    wants, _ = asked("acme/turbo", "acme/mini:floor", route_by_price=True, partition="none")
    assert wants.preferences.sort == "price"
    assert wants.partition == "none"


def test_lowest_cost_contradicts_a_variant_that_sorts_otherwise() -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked("acme/turbo", "acme/mini:nitro", route_by_price=True)
    assert caught.value.message == (
        "route: 'lowest-cost' contradicts the variant of acme/mini:nitro"
    )


@pytest.mark.parametrize("field", ["order", "only", "ignore"])
@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (("openai",), ("openai",)),
        (("OpenAI",), ("openai",)),
        (("Google AI Studio", "gemini"), ("google-ai-studio",)),
        (("DeepInfra/Turbo", "openai"), ("deepinfra/turbo", "openai")),
        (("google/us-east5",), ("google-ai-studio/us-east5",)),
    ],
)
def test_a_provider_is_known_by_any_of_its_names(
    field: str, names: tuple[str, ...], slugs: tuple[str, ...]
) -> None:
    resolved = resolve(Preferences(**{field: names}), CATALOG)  # type: ignore[arg-type]
    assert getattr(resolved, field) == slugs


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Recraft", "recraft"),
        ("black-forest-labs", "black-forest-labs"),
        ("Black Forest Labs", "black-forest-labs"),
        (" CLAUDE PLATFORM ON AWS/us ", "claude-platform-on-aws/us"),
    ],
)
@pytest.mark.parametrize("field", ["only", "order", "ignore"])
def test_a_provider_that_is_openrouters_alone_is_no_mistake(
    field: str, name: str, slug: str
) -> None:
    resolved = resolve(Preferences(**{field: (name, "OpenAI")}), CATALOG)  # type: ignore[arg-type]
    assert getattr(resolved, field) == (slug, "openai")


def test_preferences_without_names_stay_as_they_are() -> None:
    preferences = Preferences(zdr=True)
    assert resolve(preferences, CATALOG) is preferences


@pytest.mark.parametrize(
    ("field", "names", "message"),
    [
        ("only", ("opnai",), "provider.only: unknown provider 'opnai'. Did you mean openai?"),
        (
            "order",
            ("openai", "deepinfa", "Gogle"),
            (
                "provider.order: unknown providers 'deepinfa', 'Gogle'."
                " Did you mean deepinfra, google-ai-studio?"
            ),
        ),
        (
            "ignore",
            ("opnai/eu",),
            "provider.ignore: unknown provider 'opnai/eu'. Did you mean openai?",
        ),
    ],
)
def test_unknown_providers_are_named_with_what_may_have_been_meant(
    field: str, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        resolve(Preferences(**{field: names}), CATALOG)  # type: ignore[arg-type]
    assert caught.value.message == message


def test_a_tier_is_noted_beside_a_provider_to_which_an_unknown_model_is_passed_on() -> None:
    wishes = Preferences(only=("openai", "openai/flex"))
    named = call("openai/of-tomorrow", preferences=wishes)
    shown = structs.replace(CATALOG, configured=frozenset({"openai"}))
    wants, notes = ask(named, shown, Random(7))
    assert [each.model for each in wants.targets] == ["openai/of-tomorrow"]
    assert (Change.NOT_APPLIED, "provider.only") in [(each.change, each.field) for each in notes]
