"""The management API for keys, on a whole node: envelopes, tenants, repeats, the audit log."""

import re
import time
from typing import Any

import pytest
from msgspec.structs import replace
from openrouter.operations import CreateKeysResponse, GetKeyResponse, ListResponse

from dragoman.access import audit, keyring
from dragoman.core.ids import key_hash, key_label
from dragoman.office import keys
from dragoman.office.key_bodies import DEFAULT_WORKSPACE
from dragoman.office.premises import Premises
from tests.app.node import Node

KEYS = "/api/v1/keys"
USAGE = [
    f"{kind}{window}"
    for kind in ("usage", "byok_usage")
    for window in ("", "_daily", "_weekly", "_monthly")
]


class Office(Node):
    """A node, and a management key of it."""

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.boss = self.mint("boss", kind="management")

    async def manage(self, method: str, path: str = KEYS, body: Any = b"", **headers: str) -> Any:
        return await self.call(method, path, body, key=self.boss, **headers)

    async def made(self, **body: Any) -> Any:
        client = await self.manage("POST", body={"name": "app", **body})
        assert client.status == 201, client.body
        return client.json()


@pytest.fixture
async def office(premises: Premises) -> Office:
    office = Office(premises)
    await office.background.plane.load()
    return office


@pytest.mark.parametrize("path", [KEYS, f"{KEYS}/", "/v1/keys"])
async def test_a_new_key_is_told_once_and_works(office: Office, path: str) -> None:
    client = await office.manage("POST", path, {"name": "app", "limit_reset": "monthly"})
    made, key = client.json(), client.json()["key"]
    assert client.status == 201
    assert made["data"].pop("key") == key
    assert made["data"] == {
        "hash": key_hash(key),
        "label": key_label(key, "sk-dm-v1-"),
        "name": "app",
        "disabled": False,
        "limit": None,
        "limit_remaining": None,
        "limit_reset": "monthly",
        "include_byok_in_limit": False,
        "user_limit": None,
        "user_limit_reset": None,
        **dict.fromkeys(USAGE, 0.0),
        "created_at": made["data"]["created_at"],
        "updated_at": None,
        "expires_at": None,
        "last_used_at": None,
        "external_user": None,
        "creator_user_id": None,
        "workspace_id": DEFAULT_WORKSPACE,
        "allowed_models": None,
        "allowed_providers": None,
        "rpm": None,
        "tpm": None,
        "concurrency": None,
    }
    shown = await office.manage("GET", f"{path.rstrip('/')}/{key_hash(key)}/")
    assert shown.json() == {"data": made["data"]}
    assert (await office.call("GET", "/api/v1/key", key=key)).status == 200


async def test_the_official_client_reads_every_body(office: Office) -> None:
    made = await office.manage("POST", body={"name": "app", "expires_at": "2127-01-01T00:00:00Z"})
    assert CreateKeysResponse.model_validate_json(made.body).key.startswith("sk-dm-v1-")
    hash_ = made.json()["data"]["hash"]
    one = await office.manage("GET", f"{KEYS}/{hash_}")
    assert GetKeyResponse.model_validate_json(one.body).data.hash == hash_
    every = await office.manage("GET")
    assert hash_ in {row.hash for row in ListResponse.model_validate_json(every.body).data}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a\tb"}, "printable"),
        ({"name": 5}, "name"),
        ({"name": "a", "limit": -1}, "limit"),
        ({"name": "a", "limit": "5"}, "limit"),
        ({"name": "a", "limit_reset": "hourly"}, "limit_reset"),
        ({"name": "a", "expires_at": "2127-01-01T00:00:00+02:00"}, "UTC"),
        ({"name": "a", "expires_at": "2127-01-01T00:00Z"}, "UTC"),
        ({"name": "a", "expires_at": "2127-13-01T00:00:00Z"}, "UTC"),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "past"),
        ({"name": "a", "allowed_models": []}, "allowed_models"),
        ({"name": "a", "allowed_models": ["no/such"]}, "Did you mean"),
        ({"name": "a", "allowed_models": ["demo/parrot:nitro"]}, "without a variant"),
        ({"name": "a", "allowed_providers": ["nobody"]}, "no provider"),
        ({"name": "a", "rpm": 0}, "rpm"),
        ({"name": "a", "creator_user_id": "user_1"}, "creator_user_id"),
        ({"name": "a", "allowed_ips": ["10.0.0.1"]}, "allowed_ips"),
        (b"[", "Invalid request parameters"),
        (b'{"name": "\xed\xa0\xbd"}', "utf-8"),
        (b'{"name":' + b"[" * 100_000, "Invalid request parameters"),
    ],
)
async def test_what_a_key_cannot_be_is_400_and_leaves_nothing(
    office: Office, body: Any, said: str
) -> None:
    client = await office.manage("POST", body=body)
    error = client.json()["error"]
    assert (client.status, error["code"]) == (400, 400)
    assert said in error["message"]
    assert len(office.premises.ledger.run_now(keys.every)) == 2


async def test_a_limit_counts_in_its_window(office: Office) -> None:
    data = (await office.made(limit=50.5, limit_reset="weekly"))["data"]
    assert (data["limit"], data["limit_remaining"], data["limit_reset"]) == (50.5, 50.5, "weekly")
    path = f"{KEYS}/{data['hash']}"
    cleared = (await office.manage("PATCH", path, {"limit": None})).json()["data"]
    assert (cleared["limit"], cleared["limit_reset"]) == (None, "weekly")
    assert (await office.manage("PATCH", path, {"limit": 1e-10})).status == 400


async def test_a_change_touches_what_it_names_and_acts(office: Office) -> None:
    made = await office.made(rpm=5, allowed_models=["Demo/Parrot"])
    assert made["data"]["allowed_models"] == ["demo/parrot"]
    path = f"{KEYS}/{made['data']['hash']}"
    same = await office.manage("PATCH", path, {})
    assert same.json()["data"]["updated_at"] is None, "nothing was changed"
    client = await office.manage("PATCH", path, {"name": "new", "rpm": None, "disabled": True})
    data = client.json()["data"]
    assert (data["name"], data["rpm"], data["disabled"]) == ("new", None, True)
    assert data["allowed_models"] == ["demo/parrot"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", data["updated_at"])
    assert (await office.call("GET", "/api/v1/key", key=made["key"])).status == 401
    cleared = await office.manage("PATCH", path, {"allowed_models": None})
    assert cleared.json()["data"]["allowed_models"] is None


async def test_an_expiry_is_fixed_but_may_be_repeated(office: Office) -> None:
    expiry = "2127-01-01T00:00:00Z"
    made = await office.made(expires_at=expiry)
    path = f"{KEYS}/{made['data']['hash']}"
    assert (await office.manage("PATCH", path, {"expires_at": expiry})).status == 200
    for other in ("2128-01-01T00:00:00Z", None):
        client = await office.manage("PATCH", path, {"expires_at": other})
        assert (client.status, "cannot be changed" in client.body.decode()) == (400, True)


async def test_a_deleted_key_is_gone(office: Office) -> None:
    made = await office.made()
    path = f"{KEYS}/{made['data']['hash']}"
    assert (await office.manage("DELETE", path)).json() == {"deleted": True}
    for method in ("GET", "PATCH", "DELETE"):
        client = await office.manage(method, path, {} if method == "PATCH" else b"")
        assert (client.status, client.json()["error"]["message"]) == (404, "Resource not found")
    assert (await office.call("GET", "/api/v1/key", key=made["key"])).status == 401


async def test_other_accounts_and_management_keys_do_not_exist(office: Office) -> None:
    ledger = office.premises.ledger
    made = await office.made()
    row = ledger.run_now(keyring.by_hash(made["data"]["hash"]))
    assert row is not None
    ledger.run_now(lambda connection: keyring.replace(connection, replace(row, account="other")))
    for hash_ in (row.hash, key_hash(office.boss), "0" * 64, "x"):
        assert (await office.manage("GET", f"{KEYS}/{hash_}")).status == 404
        assert (await office.manage("PATCH", f"{KEYS}/{hash_}", {"name": "mine"})).status == 404
        assert (await office.manage("DELETE", f"{KEYS}/{hash_}")).status == 404
    names = [each["name"] for each in (await office.manage("GET")).json()["data"]]
    assert names == ["test"]


async def test_the_list_is_newest_first_by_the_hundred(office: Office) -> None:
    for number in range(101):
        office.mint(f"key {number}")
    office.mint("off")
    office.premises.ledger.run_now(keys.disable("off", time.time()))
    office.mint("old", expires_at=time.time() - 1)
    first = (await office.manage("GET")).json()["data"]
    rest = (await office.manage("GET", f"{KEYS}?offset=100")).json()["data"]
    assert (len(first), len(rest)) == (100, 2)
    assert first[0]["name"] == "key 100"
    assert [each["name"] for each in rest] == ["key 0", "test"]
    shown = await office.manage("GET", f"{KEYS}?include_disabled=true&include_expired=true")
    assert {"off", "old"} <= {each["name"] for each in shown.json()["data"]}
    assert (await office.manage("GET", f"{KEYS}?workspace_id={DEFAULT_WORKSPACE}")).status == 200
    assert (await office.manage("GET", f"{KEYS}?workspace_id=other")).status == 404
    for query in ("offset=-1", "offset=x", "include_disabled=maybe"):
        assert (await office.manage("GET", f"{KEYS}?{query}")).status == 400


async def test_a_repeated_request_makes_one_key_and_tells_it_again(office: Office) -> None:
    first = await office.manage("POST", body={"name": "app"}, idempotency_key="one")
    again = await office.manage("POST", body={"name": "app"}, idempotency_key="one")
    assert (again.status, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (await office.call("GET", "/api/v1/key", key=first.json()["key"])).status == 200
    other = await office.manage("POST", body={"name": "other"}, idempotency_key="one")
    assert other.status == 422
    new = await office.manage("POST", body={"name": "app"}, idempotency_key="two")
    assert new.json()["key"] != first.json()["key"]
    await office.manage("DELETE", f"{KEYS}/{first.json()['data']['hash']}")
    gone = await office.manage("POST", body={"name": "app"}, idempotency_key="one")
    assert (gone.status, gone.headers["x-should-retry"]) == (409, "false")
    for odd in ("ü", "a b", "x" * 256):
        bad = await office.manage("POST", body={"name": "app"}, idempotency_key=odd)
        assert bad.status == 400


async def test_a_request_that_was_refused_may_be_repeated_in_earnest(office: Office) -> None:
    assert (await office.manage("POST", body={"name": ""}, idempotency_key="one")).status == 400
    assert (await office.manage("POST", body={"name": "a"}, idempotency_key="one")).status == 201


async def test_no_file_of_the_ledger_holds_a_key(office: Office) -> None:
    client = await office.manage("POST", body={"name": "app"}, idempotency_key="one")
    secret = client.json()["key"][9:].encode()
    for file in office.premises.path.glob("ledger.db*"):
        assert secret not in file.read_bytes()


async def test_every_change_is_in_the_audit_log_with_its_actor(office: Office) -> None:
    made = await office.made(rpm=5)
    hash_ = made["data"]["hash"]
    await office.manage("PATCH", f"{KEYS}/{hash_}", {"rpm": 9})
    await office.manage("PATCH", f"{KEYS}/{hash_}", {"rpm": 9})
    await office.manage("DELETE", f"{KEYS}/{hash_}")
    entries = office.premises.ledger.run_now(audit.latest(3))
    assert [each.action for each in entries] == ["key.delete", "key.update", "key.create"]
    assert {each.actor for each in entries} == {f"key:{key_hash(office.boss)}"}
    assert {each.subject for each in entries} == {f"key:{hash_}"}
    assert entries[1].detail == {"rpm": [5, 9]}
    assert entries[2].detail == {"name": "app", "rpm": 5}
    assert made["key"] not in str(entries)


async def test_what_cannot_be_audited_is_not_done(office: Office) -> None:
    made = await office.made()
    office.premises.ledger.run_now(
        lambda c: c.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    )
    client = await office.manage("PATCH", f"{KEYS}/{made['data']['hash']}", {"name": "new"})
    assert client.status >= 500
    row = office.premises.ledger.run_now(keyring.by_hash(made["data"]["hash"]))
    assert row is not None
    assert row.name == "app"
