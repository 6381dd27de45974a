"""The newest model of a family."""

from typing import Any

import pytest

from dragoman.catalog.latest import is_served, latest
from dragoman.catalog.types import Endpoint, Model


def endpoint(model: str, **changes: Any) -> Endpoint:
    fields: dict[str, Any] = {
        "id": f"acme|{model}", "model": model, "provider": "acme", "provider_name": "Acme",
        "tag": "acme", "upstream": "x", "price": None,
    }  # fmt: skip
    return Endpoint(**(fields | changes))


def model(name: str, created: int, family: str | None = "turbo", **changes: Any) -> Model:
    endpoints = changes.pop("endpoints", None)
    id_ = f"acme/{name}"
    if endpoints is None:
        endpoints = (endpoint(id_, **changes.pop("at", {})),)
    return Model(id=id_, name=name, created=created, family=family, endpoints=endpoints, **changes)


OLD = model("turbo-1", 1)


@pytest.mark.parametrize(
    ("others", "newest"),
    [
        ((), "turbo-1"),
        ((model("turbo-2", 2),), "turbo-2"),
        ((model("turbo-2", 2, deprecated=True),), "turbo-1"),
        ((model("turbo-2", 2, at={"status": "deprecated"}),), "turbo-1"),
        ((model("turbo-2", 2, at={"free": True}),), "turbo-1"),
        ((model("turbo-2", 2, endpoints=()),), "turbo-1"),
        ((model("turbo-2", 2, outputs=frozenset({"text", "image"})),), "turbo-1"),
        ((model("turbo-latest", 2),), "turbo-1"),
        ((model("turbo-1-fast", 2),), "turbo-1"),
        ((model("turbo-1-0626", 2),), "turbo-1-0626"),
        ((model("turbo-2", 2), model("turbo-2-fast", 3)), "turbo-2"),
        ((model("turbo-1-", 2),), "turbo-1-"),
        ((model("turbo-2", 2, family="other"),), "turbo-1"),
        ((model("turbo-2", 2, family=None),), "turbo-1"),
        ((model("turbo-2", 2, at={"configured": False}),), "turbo-1"),
        ((model("turbo-2", 2, at={"status": "inactive"}),), "turbo-1"),
        ((model("turbo-2", 2, at={"default_route": False}),), "turbo-1"),
        ((model("turbo-3", 1),), "turbo-3"),
    ],
)
def test_the_newest_that_counts_is_the_latest(others: tuple[Model, ...], newest: str) -> None:
    assert latest((OLD, *others))["~acme/turbo-latest"] == f"acme/{newest}"
    assert latest((*reversed(others), OLD))["~acme/turbo-latest"] == f"acme/{newest}"


def test_of_a_family_that_nobody_here_serves_the_newest_is_the_latest_all_the_same() -> None:
    away = {"configured": False}
    models = (model("turbo-1", 1, at=away), model("turbo-2", 2, at=away))
    assert latest(models)["~acme/turbo-latest"] == "acme/turbo-2"
    assert not any(map(is_served, models))


def test_families_of_one_name_are_joined_under_its_beginning() -> None:
    found = latest(
        (
            model("k2", 1, "kimi-k2"),
            model("k2-think", 2, "kimi-thinking"),
            model("gpt", 3, "gpt"),
            model("gpt-mini", 9, "gpt-mini"),
        )
    )
    assert found == {
        "~acme/kimi-k2-latest": "acme/k2",
        "~acme/kimi-thinking-latest": "acme/k2-think",
        "~acme/kimi-latest": "acme/k2",
        "~acme/gpt-latest": "acme/gpt",
        "~acme/gpt-mini-latest": "acme/gpt-mini",
    }
