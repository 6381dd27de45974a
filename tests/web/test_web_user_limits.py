"""Limits of end users over the management API: what is shown, changed and refused."""

from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.core.ids import key_hash
from tests.web.asgi import Client
from tests.web.plane import Plane


@pytest.fixture
def manager(plane: Plane) -> Plane:
    """Return the plane, whose key is a management key of the default account."""
    hash_ = key_hash(plane.key)
    plane.keeper.keys[hash_] = replace(plane.keeper.keys[hash_], kind="management")
    return plane


async def call(plane: Plane, method: str, path: str, body: Any) -> Client:
    headers = {"authorization": f"Bearer {plane.key}"}
    return await Client(body, headers, method=method, path=path).of(plane.serve)


async def test_a_keys_users_get_a_limit_and_lose_it(manager: Plane) -> None:
    body = {"name": "app", "user_limit": 5, "user_limit_reset": "monthly"}
    made = (await call(manager, "POST", "/v1/keys", body)).json()["data"]
    assert (made["user_limit"], made["user_limit_reset"], made["limit"]) == (5, "monthly", None)
    path = f"/v1/keys/{made['hash']}"
    shown = (await call(manager, "PATCH", path, {"user_limit": 0.25})).json()["data"]
    assert (shown["user_limit"], shown["user_limit_reset"]) == (0.25, "monthly")
    shown = (await call(manager, "PATCH", path, {"name": "renamed"})).json()["data"]
    assert shown["user_limit"] == 0.25
    cleared = {"user_limit": None, "user_limit_reset": None}
    shown = (await call(manager, "PATCH", path, cleared)).json()["data"]
    assert (shown["user_limit"], shown["user_limit_reset"]) == (None, None)


@pytest.mark.parametrize(
    "change", [{"user_limit": -1}, {"user_limit": 1e-10}, {"user_limit_reset": "hourly"}]
)
async def test_what_is_no_limit_is_refused_and_changes_nothing(
    manager: Plane, change: dict[str, Any]
) -> None:
    body = {"name": "app", "user_limit": 5}
    made = (await call(manager, "POST", "/v1/keys", body)).json()["data"]
    path = f"/v1/keys/{made['hash']}"
    refused = await call(manager, "PATCH", path, change)
    assert refused.status == 400
    assert next(iter(change)) in refused.json()["error"]["message"]
    assert (await manager.get_keyed(path)).json()["data"]["user_limit"] == 5


async def test_an_accounts_default_is_shown_with_the_account(manager: Plane) -> None:
    path = "/v1/accounts/default"
    before = (await manager.get_keyed(path)).json()["data"]
    assert (before["user_limit"], before["user_limit_reset"]) == (None, None)
    body = {"user_limit": 2, "user_limit_reset": "daily"}
    assert (await call(manager, "PATCH", path, body)).status == 200
    after = (await manager.get_keyed(path)).json()["data"]
    assert (after["user_limit"], after["user_limit_reset"]) == (2, "daily")
    for unclear in ({}, {"user_limit": 2, "limit": 3}):
        assert (await call(manager, "PATCH", path, unclear)).status == 400
    body = {"user_limit_reset": "weekly", "store_content": True}
    changed = (await call(manager, "PATCH", path, body)).json()["data"]
    assert changed == {
        "id": "default",
        "store_content": True,
        "user_limit": 2,
        "user_limit_reset": "weekly",
    }
    assert (await call(manager, "PATCH", "/v1/accounts/house:cash", body)).status == 400
    assert (await call(manager, "PATCH", "/v1/accounts/nobody", body)).status == 404
