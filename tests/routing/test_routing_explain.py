"""A plan shown to people and to clients."""

import json
from random import Random

import msgspec
from msgspec import Struct
from openrouter.components import OpenRouterMetadata

from dragoman.catalog.types import Provider
from dragoman.core.notes import Change, Note
from dragoman.routing import ranking
from dragoman.routing.explain import explain
from dragoman.routing.metadata import router_metadata
from dragoman.routing.plan import plan
from tests.routing.endpoints import MODEL, ask, catalog, endpoint, price, seen, wishing

ACME = endpoint("acme", price=price(2_500_000, 10_000_000))
BOLT = endpoint("bolt", price=None)
CORE = endpoint("core", configured=False)
CATALOG = catalog(
    ACME,
    BOLT,
    CORE,
    providers=[
        Provider(
            slug="core", name="Core", dialect="openai", base_url="http://c", keys=("CORE_API_KEY",)
        )
    ],
)
WANTS = wishing(sort="price")
HEALTH = {ACME.id: seen(40, latency=0.5)}
PLAN = plan(WANTS, CATALOG, HEALTH, Random(7))


class Tried(Struct, frozen=True):
    provider_name: str
    model: str
    status: int | None


def test_an_explanation_is_json_with_prices_reasons_and_what_was_seen() -> None:
    found = json.loads(msgspec.json.encode(explain(PLAN, WANTS, CATALOG, HEALTH)))
    assert found["requested"] == [MODEL]
    assert found["strategy"] == "direct"
    first, second = found["steps"]
    assert first == {
        "position": 1,
        "asked": MODEL,
        "model": MODEL,
        "provider": "Acme",
        "tag": "acme",
        "prompt_usd_per_million": 2.5,
        "completion_usd_per_million": 10.0,
        "why": ranking.LOWEST_PRICE,
        "seen": msgspec.to_builtins(HEALTH[ACME.id]),
    }
    assert (second["prompt_usd_per_million"], second["seen"]) == (None, None)
    assert second["completion_usd_per_million"] is None
    assert found["refused"] == [
        {
            "provider": "Core",
            "model": MODEL,
            "tag": "core",
            "reason": "not_configured",
            "detail": "no credential for Core is set up: set CORE_API_KEY",
        }
    ]


def test_metadata_of_an_answer_has_the_shape_of_the_official_client() -> None:
    note = Note(Change.DROPPED, "seed", "not supported", "bolt")
    tried = [Tried("Acme", MODEL, None), Tried("Bolt", MODEL, 200)]
    chosen = next(step for step in PLAN.steps if step.endpoint is BOLT)
    body = msgspec.json.encode(router_metadata(PLAN, WANTS, tried, chosen, (note,)))
    found = OpenRouterMetadata.model_validate_json(body)
    assert (found.requested, found.strategy, found.region) == (MODEL, "direct", None)
    assert found.summary == "available=2, selected=Bolt"
    assert (found.attempt, found.is_byok, found.endpoints.total) == (2, False, 3)
    assert [(each.provider, each.selected) for each in found.endpoints.available] == [
        ("Acme", False),
        ("Bolt", True),
    ]
    assert [(each.provider, each.status) for each in found.attempts or []] == [
        ("Acme", 0),
        ("Bolt", 200),
    ]
    ours = json.loads(body)
    assert ours["notes"] == [
        {"change": "dropped", "field": "seed", "detail": "not supported", "provider": "bolt"}
    ]
    assert [each["reason"] for each in ours["excluded"]] == ["not_configured"]


def test_metadata_of_a_request_that_reached_nobody_lists_what_was_considered() -> None:
    wants = ask(MODEL, preferences=wishing(only=("azure",)).preferences)
    nothing = plan(wants, CATALOG, {}, Random(7))
    body = msgspec.json.encode(router_metadata(nothing, wants))
    found = OpenRouterMetadata.model_validate_json(body)
    assert (found.attempt, found.summary) == (0, "available=0")
    assert [(each.provider, each.selected) for each in found.endpoints.available] == [
        ("Acme", False), ("Bolt", False), ("Core", False),
    ]  # fmt: skip
    assert json.loads(body).keys() == {
        "requested", "strategy", "region", "summary", "attempt", "is_byok", "endpoints", "excluded",
    }  # fmt: skip
