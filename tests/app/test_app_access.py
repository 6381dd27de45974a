"""Who may call what: every route that our OpenAPI names, by every kind of caller."""

import time
from typing import Any, Literal

import pytest

from dragoman.access.options import AccessOptions, FreeModels
from dragoman.access.rates import Rates
from dragoman.config import Options
from dragoman.office import keys
from dragoman.office.premises import Premises
from dragoman.office.stripe_options import StripeOptions
from dragoman.web.edge import canonical
from tests.app.node import HI, Node

Admits = Literal["anybody", "any key", "management", "inference"]

CHAT = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}
ROUTES: dict[tuple[str, str], Admits] = {
    ("GET", "/healthz"): "anybody",
    ("GET", "/readyz"): "anybody",
    ("GET", "/v1/models"): "anybody",
    ("GET", "/v1/models/count"): "anybody",
    ("GET", "/v1/embeddings/models"): "anybody",
    ("GET", "/v1/models/user"): "any key",
    ("GET", "/v1/models/{name}/endpoints"): "anybody",
    ("GET", "/v1/models/{name}"): "anybody",
    ("GET", "/v1/model/{name}"): "anybody",
    ("GET", "/v1/providers"): "anybody",
    ("GET", "/v1/endpoints/zdr"): "anybody",
    ("GET", "/v1/key"): "any key",
    ("GET", "/v1/auth/key"): "any key",
    ("GET", "/v1/generation"): "any key",
    ("GET", "/v1/generation/content"): "any key",
    ("PATCH", "/v1/accounts/{id_}"): "management",
    ("GET", "/v1/organization/members"): "management",
    ("POST", "/v1/organization/members"): "management",
    ("PATCH", "/v1/organization/members/{id_}"): "management",
    ("DELETE", "/v1/organization/members/{id_}"): "management",
    ("GET", "/v1/keys"): "management",
    ("POST", "/v1/keys"): "management",
    ("GET", "/v1/keys/{hash_}"): "management",
    ("PATCH", "/v1/keys/{hash_}"): "management",
    ("DELETE", "/v1/keys/{hash_}"): "management",
    ("GET", "/v1/accounts"): "management",
    ("POST", "/v1/accounts"): "management",
    ("GET", "/v1/accounts/{id_}"): "management",
    ("POST", "/v1/accounts/{id_}/credits"): "management",
    ("POST", "/v1/accounts/{id_}/refunds"): "management",
    ("GET", "/v1/alerts"): "management",
    ("POST", "/v1/alerts"): "management",
    ("GET", "/v1/alerts/{id_}"): "management",
    ("PATCH", "/v1/alerts/{id_}"): "management",
    ("DELETE", "/v1/alerts/{id_}"): "management",
    ("POST", "/v1/alerts/{id_}/test"): "management",
    ("POST", "/v1/alerts/{id_}/rotate"): "management",
    ("GET", "/v1/byok"): "management",
    ("POST", "/v1/byok"): "management",
    ("GET", "/v1/byok/{id_}"): "management",
    ("PATCH", "/v1/byok/{id_}"): "management",
    ("DELETE", "/v1/byok/{id_}"): "management",
    ("GET", "/v1/credits"): "any key",
    ("GET", "/v1/ledger/proof"): "management",
    ("GET", "/v1/activity"): "management",
    ("GET", "/v1/analytics/meta"): "management",
    ("POST", "/v1/analytics/query"): "management",
    ("GET", "/v1/generations/export"): "management",
    ("GET", "/v1/node"): "management",
    ("POST", "/v1/chat/completions"): "inference",
    ("POST", "/v1/messages"): "inference",
    ("POST", "/v1/messages/count_tokens"): "inference",
    ("POST", "/v1/responses"): "inference",
    ("POST", "/v1/completions"): "inference",
    ("POST", "/v1/embeddings"): "inference",
    ("POST", "/v1/rerank"): "inference",
    ("POST", "/v1/cursor/chat/completions"): "inference",
}
"""Whom each route admits. A route that is not here fails the tests until it is."""

REFUSED = {"nobody": 401, "unknown": 401, "revoked": 401, "disabled": 401, "expired": 401}


@pytest.fixture
async def node(premises: Premises) -> Node:
    node = Node(premises)
    await node.background.plane.load()
    return node


def callers(node: Node) -> dict[str, str]:
    """Return a key of each kind of caller."""
    found = {
        "nobody": "",
        "unknown": "sk-dm-v1-" + "a" * 49,
        "inference": node.key,
        "bound": node.mint("bound", rpm=100, allowed_models=("demo/parrot",)),
        "management": node.mint("management", kind="management"),
        "expired": node.mint("expired", expires_at=time.time() - 1),
        **{name: node.mint(name) for name in ("revoked", "disabled")},
    }
    node.premises.ledger.run_now(keys.revoke("revoked", 1.0))
    node.premises.ledger.run_now(keys.disable("disabled", 1.0))
    return found


def expected(admits: Admits, caller: str) -> int | None:
    """Return the status of a refusal, None where the caller is let in."""
    if admits == "anybody":
        return None
    if caller in REFUSED:
        return REFUSED[caller]
    if admits == "any key":
        return None
    return None if (caller == "management") == (admits == "management") else 403


def served(app: Any) -> set[tuple[str, str]]:
    """Return every route of the control plane, also those that the document leaves out."""
    routers = [app.router, *(each.original_router for each in app.routes if _is_router(each))]
    return {
        (method, route.path.replace(":path", ""))
        for router in routers
        for route in router.routes
        if not _is_router(route)
        for method in route.methods
    }


def _is_router(route: Any) -> bool:
    return hasattr(route, "original_router")


async def offered(node: Node) -> set[tuple[str, str]]:
    document = (await node.call("GET", "/v1/openapi.json")).json()
    return {(m.upper(), path) for path, ms in document["paths"].items() for m in ms}


@pytest.mark.parametrize("sells", [False, True])
async def test_what_the_document_leaves_out_is_known(premises: Premises, *, sells: bool) -> None:
    stripe = StripeOptions(secret_key="sk", webhook_secret="whsec", success_url="https://x.example")
    node = Node(premises, Options(stripe=stripe if sells else None))
    await node.background.plane.load()
    routes, named = served(node.background.plane._plane), await offered(node)
    assert len(routes) > 40
    assert named <= routes
    hidden = {("GET", "/v1/openapi.json"), ("HEAD", "/v1/openapi.json")}
    heads = {("HEAD", path) for method, path in named if method == "GET"}
    assert routes - named <= hidden | heads
    of_stripe = {("POST", "/v1/credits/checkout"), ("POST", "/webhooks/stripe")}
    assert named - ROUTES.keys() == (of_stripe if sells else set())


async def test_every_route_admits_whom_it_names_and_nobody_else(node: Node) -> None:
    edge = {(m, canonical(path)) for path, ms in node.edge._routes.items() for m in ms}
    assert await offered(node) | edge == ROUTES.keys()
    heads = {path for method, path in served(node.background.plane._plane) if method == "HEAD"}
    for caller, key in callers(node).items():
        for (method, path), admits in ROUTES.items():
            where = path.replace("{hash_}", "0" * 64).replace("{name}", "demo/parrot")
            body: Any = CHAT if admits == "inference" else b"{}"
            client = await node.call(method, where, body, key=key)
            refusal = expected(admits, caller)
            told = f"{caller} at {method} {path}: {client.status}"
            assert (client.status in {401, 403}) == (refusal is not None), told
            assert refusal in {None, client.status}, told
            if method == "GET" and path in heads:
                assert (await node.call("HEAD", where, key=key)).status == client.status, told


async def test_the_words_of_refusals_are_openrouters(node: Node) -> None:
    boss = node.mint("boss", kind="management")
    said = {
        401: await node.call("GET", "/api/v1/keys"),
        403: await node.call("GET", "/api/v1/keys", key=node.key),
    }
    messages = {status: client.json()["error"]["message"] for status, client in said.items()}
    assert messages == {
        401: "Missing Authentication header",
        403: "Only management keys can perform this operation",
    }
    me = (await node.call("GET", "/api/v1/key", key=boss)).json()["data"]
    assert me["is_management_key"] is me["is_provisioning_key"] is True


async def ask(node: Node, key: str, **body: Any) -> Any:
    return await node.call("POST", "/api/v1/chat/completions", CHAT | body, key=key)


async def test_a_key_reaches_the_models_it_allows_and_no_other(node: Node) -> None:
    key = node.mint("narrow", allowed_models=("demo/parrot",))
    assert (await ask(node, key)).status == 200
    client = await ask(node, key, model="demo/scholar")
    assert client.status == 403
    assert client.json()["error"]["message"] == "This key does not allow demo/scholar."
    both = await ask(node, key, model="demo/scholar", models=["demo/scholar", "demo/parrot"])
    assert (both.status, both.json()["model"]) == (200, "demo/parrot")
    listed = (await node.call("GET", "/api/v1/models/user", key=key)).json()["data"]
    assert [row["id"] for row in listed] == ["demo/parrot"]


async def test_a_key_reaches_the_providers_it_allows_and_no_other(node: Node) -> None:
    key = node.mint("narrow", allowed_providers=("demo-swift",))
    for _ in range(5):
        assert (await ask(node, key, provider={})).json()["provider"] == "Demo Swift"
    client = await ask(node, key, provider={"only": ["demo-steady"]})
    error = client.json()["error"]
    assert client.status == 404
    assert "allowed_providers" in error["availability"]["excluded_by"]
    assert {row["reason"] for row in error["metadata"]["endpoints"]} == {
        "not_allowed",
        "not_in_only",
    }
    nobody = node.mint("elsewhere", allowed_providers=("openai",))
    listed = (await node.call("GET", "/api/v1/models/user", key=nobody)).json()["data"]
    assert not any(row["id"].startswith("demo/") for row in listed)
    assert (await node.call("GET", "/api/v1/models/user", key=key)).json()["data"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_key_over_its_rate_is_429_with_the_headers(node: Node, *, stream: bool) -> None:
    key = node.mint("slow", rpm=2)
    for _ in range(2):
        assert (await ask(node, key, stream=stream)).status == 200
    client = await ask(node, key, stream=stream)
    error = client.json()["error"]
    assert (client.status, error["metadata"]["error_type"]) == (429, "rate_limit_exceeded")
    assert error["message"].startswith("Rate limit exceeded: key-requests-per-min.")
    assert int(client.headers["retry-after"]) in range(1, 31)
    told = {k.lower(): v for k, v in error["metadata"]["headers"].items()}
    assert told == {k: v for k, v in client.headers.items() if k.startswith("x-ratelimit")}
    assert (await ask(node, node.key, stream=stream)).status == 200


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_places_and_tokens_come_back_when_a_request_ends(node: Node, *, stream: bool) -> None:
    key = node.mint("one by one", concurrency=1, tpm=1000)
    for _ in range(4):
        assert (await ask(node, key, stream=stream, max_tokens=900)).status == 200
    for _ in range(4):
        assert (await ask(node, key, stream=stream, model="no/model", max_tokens=900)).status == 400
    assert (await ask(node, key, stream=stream, max_tokens=2000)).status == 400


async def test_success_carries_no_rate_limit_headers(node: Node) -> None:
    client = await ask(node, node.mint("slow", rpm=2))
    assert not [name for name in client.headers if name.startswith("x-ratelimit")]


async def test_an_account_and_an_address_are_limited_where_that_is_set(premises: Premises) -> None:
    for options in (
        AccessOptions(account_limits=Rates(rpm=1)),
        AccessOptions(address_limits=Rates(rpm=1)),
    ):
        node = Node(premises, Options(access=options))
        assert (await ask(node, node.key)).status == 200
        assert (await ask(node, node.mint("other"))).status == 429


async def test_a_key_is_told_of_the_quota_of_free_models(premises: Premises) -> None:
    node = Node(premises, Options(access=AccessOptions(free_models=FreeModels(rpd=1))))
    await node.background.plane.load()
    assert (await ask(node, node.key)).status == 200
    me = (await node.call("GET", "/api/v1/key", key=node.key)).json()["data"]
    told = {"used": 0, "limit": 1, "remaining": 1}
    assert me["free_model_daily_requests"] == told, "what costs money does not count"
