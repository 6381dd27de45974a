"""Names that go to a provider as they are."""

from random import Random
from typing import Any

import pytest
from msgspec import structs

from dragoman.catalog.ask import Ask
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Catalog, DataPolicy, Endpoint, Model
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import PicoUsd
from dragoman.core.notes import Change, Note
from dragoman.routing.plan import plan
from dragoman.shaping.ask import ask
from dragoman.shaping.passing import unknown_id
from dragoman.wire.preferences import MaxPrice, Preferences
from tests.shaping.calls import CATALOG, call, provider

BROKER = structs.replace(
    provider("broker", "The Broker", ()), kind="aggregator", policy=DataPolicy(trains=False)
)
SHOWN = structs.replace(
    CATALOG,
    providers={**CATALOG.providers, "broker": BROKER},
    provider_names={**CATALOG.provider_names, "broker": "broker"},
    configured=frozenset({"openai", "google-ai-studio", "broker"}),
)


def asked(name: str, *only: str, shown: Catalog = SHOWN) -> tuple[Ask, tuple[Note, ...]]:
    return ask(call(name, preferences=Preferences(only=only)), shown, Random(7))


@pytest.mark.parametrize(
    ("name", "only", "model", "upstream"),
    [
        ("openai/gpt-9", "openai", "openai/gpt-9", "gpt-9"),
        ("OpenAI/gpt-9", "openai", "OpenAI/gpt-9", "gpt-9"),
        ("google/gemini-9", "Google AI Studio", "google/gemini-9", "gemini-9"),
        ("meta/llama-9", "openai", "meta/llama-9", "meta/llama-9"),
        ("openai/gpt-9", "broker", "openai/gpt-9", "openai/gpt-9"),
        ("broker/own", "broker", "broker/own", "broker/own"),
        ("openai/gpt-9:free", "broker", "openai/gpt-9:free", "openai/gpt-9:free"),
        ("openai/gpt-9:nitro:online", "openai", "openai/gpt-9", "gpt-9"),
        ("ft:gpt-4o-mini:acme::abc", "openai", "ft:gpt-4o-mini:acme::abc", None),
    ],
)
def test_an_unknown_name_goes_to_the_provider_that_is_named(
    name: str, only: str, model: str, upstream: str | None
) -> None:
    wants, notes = asked(name, only)
    (endpoint,) = wants.passed[model]
    assert [each.model for each in wants.targets] == [model]
    assert endpoint.upstream == (upstream or model)
    assert notes[0].change is Change.RESOLVED
    assert notes[0].detail == (
        f"{name} is passed on to {endpoint.provider_name} as {endpoint.upstream}:"
        " the catalog does not have it there, and its price is unknown"
    )
    assert wants.strategy == "direct"


def test_such_an_endpoint_supports_everything_at_an_unknown_price() -> None:
    wants, _ = asked("meta/llama-9", "broker")
    assert wants.passed["meta/llama-9"] == (
        Endpoint(
            id="broker|*",
            model="meta/llama-9",
            provider="broker",
            provider_name="The Broker",
            tag="broker",
            upstream="meta/llama-9",
            price=None,
            inputs=frozenset({"text", "image", "file", "audio", "video"}),
            outputs=frozenset({"text", "image", "file", "audio", "video", "embeddings"}),
            supports=PARAMETERS,
            policy=DataPolicy(trains=False),
        ),
    )


def test_every_provider_that_is_named_and_can_be_called_is_asked() -> None:
    wants, notes = asked("meta/llama-9", "broker", "deepinfra", "openai/eu")
    assert [each.tag for each in wants.passed["meta/llama-9"]] == ["broker", "openai/eu"]
    assert [note.provider for note in notes] == ["broker", "openai"]


def test_what_a_caller_writes_behind_a_slash_makes_no_endpoint_to_remember() -> None:
    ids = set()
    for number in range(100):
        wants, _ = asked("meta/llama-9", f"broker/{number}", f"broker/{number}b")
        (endpoint,) = wants.passed["meta/llama-9"]
        assert endpoint.tag == f"broker/{number}"
        ids.add(endpoint.id)
    assert ids == {"broker|*"}


@pytest.mark.parametrize(
    ("name", "only"),
    [
        ("meta/llama-9", ()),
        ("meta/llama-9", ("deepinfra",)),
        ("meta/../llama", ("broker",)),
        ("/llama", ("broker",)),
        ("meta/llama 9", ("broker",)),
        ("llama?", ("broker",)),
        ("", ("broker",)),
        (":nitro", ("broker",)),
    ],
)
def test_otherwise_an_unknown_name_is_a_bad_request(name: str, only: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="is not a valid model ID"):
        asked(name, *only)


def test_only_what_is_ours_is_taken_off_a_name() -> None:
    assert unknown_id("a/b:free:floor:NITRO") == "a/b:free"
    assert unknown_id("a/b:floor:free") == "a/b:floor:free"


def served(*providers: str, free: bool = False) -> Catalog:
    endpoints = tuple(
        Endpoint(
            id=slug,
            model="acme/turbo",
            provider=slug,
            provider_name=slug,
            tag=slug,
            upstream="x",
            price=None,
            free=free,
        )
        for slug in providers
    )
    model = Model(id="acme/turbo", name="", created=0, endpoints=endpoints)
    return structs.replace(SHOWN, models={"acme/turbo": model})


@pytest.mark.parametrize(
    ("name", "shown", "only", "upstream"),
    [
        ("acme/turbo", served("openai"), ("broker",), ["acme/turbo"]),
        ("acme/turbo:floor", served("openai"), ("broker",), ["acme/turbo"]),
        ("acme/turbo:free", served("openai"), ("broker",), ["acme/turbo:free"]),
        ("acme/turbo:free", served("broker"), ("broker",), ["acme/turbo:free"]),
        ("acme/turbo", served("openai", "broker"), ("broker",), []),
        ("acme/turbo", served("deepinfra"), ("openai",), []),
        ("acme/turbo", served("deepinfra"), (), []),
    ],
)
def test_a_known_model_goes_to_an_aggregator_that_does_not_list_it(
    name: str, shown: Catalog, only: tuple[str, ...], upstream: list[str]
) -> None:
    wants, notes = asked(name, *only, shown=shown)
    passed = wants.passed.get("acme/turbo", ())
    assert [each.upstream for each in passed] == upstream
    assert [note.change for note in notes] == [Change.RESOLVED] * len(upstream)
    the_plan = plan(wants, shown, {}, Random(7))
    assert [step.endpoint for step in the_plan.steps if step.endpoint.id == "broker|*"] == [*passed]


@pytest.mark.parametrize(
    ("wishes", "refused"),
    [
        ({}, []),
        ({"max_price": MaxPrice(prompt=PicoUsd(1))}, ["price_unknown"]),
        ({"deny_data_collection": True}, []),
        ({"zdr": True}, ["not_zdr"]),
        ({"ignore": ("broker",)}, ["ignored"]),
    ],
)
def test_the_rules_of_routing_hold_for_what_is_passed_on(
    wishes: dict[str, Any], refused: list[str]
) -> None:
    preferences = Preferences(only=("broker",), **wishes)
    wants, _ = ask(call("meta/llama-9", preferences=preferences), SHOWN, Random(7))
    the_plan = plan(wants, SHOWN, {}, Random(7))
    assert [each.drop.value for each in the_plan.refusals] == refused
    assert len(the_plan.steps) == 1 - len(refused)
