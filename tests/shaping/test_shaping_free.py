"""`openrouter/free`: which free models it stands for."""

from random import Random
from typing import Any

import pytest
from msgspec import structs

from dragoman.catalog.ask import Target
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.core.errors import NoEndpoint
from dragoman.shaping.ask import ask
from dragoman.shaping.free import free_models
from dragoman.shaping.targets import Wants, find_targets
from dragoman.wire.preferences import Preferences
from tests.shaping.calls import CATALOG, call

TOOLS = frozenset({"tools", "temperature"})


def endpoint(model: str, provider: str = "openai", **changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "id": f"{provider}|{model}:free", "model": model, "provider": provider,
        "provider_name": provider, "tag": provider, "upstream": model, "price": None, "free": True,
    }  # fmt: skip
    return Endpoint(**(fields | changes))


def catalog(*endpoints: Endpoint) -> Catalog:
    models = {
        each.model: Model(id=each.model, name=each.model, created=0, endpoints=(each,))
        for each in endpoints
    }
    return structs.replace(CATALOG, models=models, free=tuple(models))


PLAIN = endpoint("a/plain")
ABLE = endpoint("a/able", supports=TOOLS)
NAMED = endpoint("a/named", "deepinfra", default_route=False)


def found(
    *endpoints: Endpoint, parameters: frozenset[str] = frozenset(), **wishes: Any
) -> set[str]:
    ids = free_models(catalog(*endpoints), Preferences(**wishes), parameters, Random(7))
    assert len(ids) == len(set(ids))
    return set(ids)


@pytest.mark.parametrize(
    ("parameters", "wishes", "expected"),
    [
        (set(), {}, {"a/plain", "a/able"}),
        ({"tools"}, {}, {"a/able"}),
        ({"temperature", "seed"}, {}, {"a/plain", "a/able"}),
        (set(), {"only": ("deepinfra",)}, {"a/plain", "a/able", "a/named"}),
        (set(), {"order": ("deepinfra",)}, {"a/plain", "a/able", "a/named"}),
    ],
)
def test_the_free_models_that_can_do_what_is_asked_are_meant(
    parameters: set[str], wishes: dict[str, Any], expected: set[str]
) -> None:
    assert found(PLAIN, ABLE, NAMED, parameters=frozenset(parameters), **wishes) == expected


@pytest.mark.parametrize("feature", ["reasoning", "response_format", "structured_outputs", "tools"])
def test_a_model_is_chosen_for_each_feature_that_an_answer_cannot_do_without(feature: str) -> None:
    able = endpoint("a/other", supports=frozenset({feature}))
    assert found(PLAIN, able, parameters=frozenset({feature, "seed"})) == {"a/other"}


@pytest.mark.parametrize(
    "changes", [{"free": False}, {"configured": False}, {"status": "inactive"}]
)
def test_what_cannot_be_called_for_free_is_not_meant(changes: dict[str, Any]) -> None:
    assert found(PLAIN, endpoint("a/other", **changes)) == {"a/plain"}


def test_each_request_draws_its_own_order() -> None:
    several = [endpoint(f"a/{i}") for i in range(4)]
    wants, rng = Wants(catalog=catalog(*several)), Random(7)
    firsts = {find_targets(("openrouter/free",), wants, rng).targets[0].model for _ in range(60)}
    assert firsts == {"a/0", "a/1", "a/2", "a/3"}


def test_all_that_fit_are_targets_one_behind_the_other() -> None:
    wants, notes = ask(
        call("openrouter/free:floor", parameters=TOOLS), catalog(PLAIN, ABLE), Random(7)
    )
    assert wants.targets == (
        Target(asked="openrouter/free:floor", model="a/able", free=True, sort="price"),
    )
    assert (wants.strategy, notes) == ("free", ())


def test_the_router_may_be_a_fallback() -> None:
    shown = catalog(PLAIN)
    paid = structs.replace(PLAIN, model="a/paid", free=False)
    models = {**shown.models, "a/paid": Model(id="a/paid", name="", created=0, endpoints=(paid,))}
    wants = Wants(catalog=structs.replace(shown, models=models))
    both = find_targets(("a/paid", "openrouter/free"), wants, Random(7))
    assert [(each.model, each.free) for each in both.targets] == [
        ("a/paid", False),
        ("a/plain", True),
    ]
    assert both.strategy == "fallback"


def test_without_a_free_model_it_is_said_so() -> None:
    with pytest.raises(NoEndpoint) as caught:
        found(NAMED)
    assert caught.value.message == (
        "No endpoints found for openrouter/free: no free model can be called here;"
        " set up a provider that has a free tier."
    )
    assert caught.value.availability is not None
    assert caught.value.availability.code == "no_endpoints"
    assert caught.value.availability.constraint is None


def test_without_an_able_free_model_it_is_said_what_is_missing() -> None:
    with pytest.raises(NoEndpoint) as caught:
        found(PLAIN, ABLE, parameters=frozenset({"tools", "structured_outputs", "seed"}))
    assert caught.value.message == (
        "No endpoints found for openrouter/free:"
        " none of the 2 free models here supports structured_outputs, tools."
    )
    assert caught.value.availability is not None
    assert caught.value.availability.code == "constraint_filtered"
    assert caught.value.availability.retryable is False
    assert caught.value.availability.constraint is not None
