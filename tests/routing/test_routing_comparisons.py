"""Soft preferences: what another endpoint of the same model does better."""

from typing import Any

import pytest

from tests.routing.endpoints import ask, drops, endpoint, route, tags, wishing


def able(slug: str, *features: str, **changes: Any) -> Any:
    return endpoint(slug, supports=frozenset(features), **changes)


@pytest.mark.parametrize("feature", ["tools", "response_format", "structured_outputs", "verbosity"])
def test_only_those_that_support_a_soft_feature_are_used(feature: str) -> None:
    wants = ask(parameters=frozenset({feature}))
    plan = route(wants, able("acme", feature), able("bolt"))
    assert tags(plan) == ["acme"]
    assert drops(plan) == {"bolt": "others_support"}
    assert plan.refusals[0].detail == (
        f"does not support {feature}, which another endpoint of acme/turbo does"
    )


@pytest.mark.parametrize("feature", ["response_format", "structured_outputs", "verbosity"])
def test_a_feature_that_nobody_supports_is_ignored(feature: str) -> None:
    wants = ask(parameters=frozenset({feature}))
    assert sorted(tags(route(wants, able("acme"), able("bolt")))) == ["acme", "bolt"]


def test_tools_that_nobody_supports_leave_nothing() -> None:
    wants = ask(parameters=frozenset({"tools"}))
    plan = route(wants, able("acme"), able("bolt"))
    assert not plan.steps
    assert drops(plan) == {"acme": "lacks_tools", "bolt": "lacks_tools"}


def test_other_parameters_are_no_preference() -> None:
    wants = ask(parameters=frozenset({"seed"}))
    assert len(tags(route(wants, able("acme", "seed"), able("bolt")))) == 2


def test_tools_weigh_more_than_verbosity() -> None:
    wants = ask(parameters=frozenset({"tools", "verbosity"}))
    assert tags(route(wants, able("acme", "verbosity"), able("bolt", "tools"))) == ["bolt"]


def test_only_endpoints_that_may_serve_are_compared() -> None:
    wants = ask(
        parameters=frozenset({"verbosity"}), preferences=wishing(ignore=("acme",)).preferences
    )
    plan = route(wants, able("acme", "verbosity"), able("bolt"))
    assert tags(plan) == ["bolt"]


def test_each_model_is_compared_for_itself() -> None:
    wants = ask("acme/turbo", "acme/mini", parameters=frozenset({"verbosity"}))
    plan = route(wants, able("acme", "verbosity"), able("bolt", model="acme/mini"))
    assert tags(plan) == ["acme", "bolt"]
