"""Accounts' own credentials over the management API: bodies, tenants, repeats, the audit log."""

import json
import re
from typing import Any

import pytest
from openrouter.components import (
    CreateBYOKKeyResponse,
    DeleteBYOKKeyResponse,
    GetBYOKKeyResponse,
    ListBYOKKeysResponse,
    UpdateBYOKKeyResponse,
)

from dragoman.access import audit
from dragoman.access.byok_tables import own_credential
from dragoman.catalog.options import ProviderOptions
from dragoman.config import Options
from dragoman.core.ids import key_hash
from dragoman.office.key_bodies import DEFAULT_WORKSPACE
from dragoman.office.premises import Premises
from tests.app.node import Node
from tests.app.own import BYOK, HOUSE, MODEL, OWN, Desk


async def test_a_credential_is_kept_shown_changed_and_wiped(desk: Desk) -> None:
    made = await desk.bring(name="mine", provider="ACME")
    assert made.pop("id")
    assert re.fullmatch(r"\d{4}-.*Z", made.pop("created_at"))
    assert made == {
        "provider": "acme",
        "workspace_id": DEFAULT_WORKSPACE,
        "label": "own...EfGh",
        "name": "mine",
        "disabled": False,
        "is_fallback": False,
        "is_required": False,
        "is_byok_only": False,
        "declared_zdr": None,
        "declared_region": None,
        "sort_order": 0,
        "allowed_models": None,
        "allowed_api_key_hashes": None,
        "allowed_user_ids": None,
    }
    listed = (await desk.manage("GET")).json()
    assert listed["total_count"] == 1
    path = f"{BYOK}/{listed['data'][0]['id']}"
    assert (await desk.manage("GET", path)).json()["data"] == listed["data"][0]
    change = {"name": None, "is_fallback": True, "key": "another-secret-WXYZ", "sort_order": 7}
    changed = (await desk.manage("PATCH", path, change)).json()["data"]
    assert (changed["name"], changed["is_fallback"], changed["sort_order"]) == (None, True, 7)
    assert changed["label"] == "ano...WXYZ"
    assert (await desk.manage("DELETE", path)).json() == {"deleted": True}
    for method in ("GET", "PATCH", "DELETE"):
        client = await desk.manage(method, path, b"{}" if method == "PATCH" else b"")
        assert (client.status, client.json()["error"]["message"]) == (404, "Resource not found")
    assert (await desk.manage("GET")).json() == {"data": [], "total_count": 0}
    left = desk.premises.ledger.run_now(
        lambda c: c.execute(own_credential.select()).mappings().one()
    )
    assert left["sealed"] == ""


async def test_the_official_client_reads_every_body(desk: Desk) -> None:
    body = {"provider": "acme", "key": OWN, "declared_zdr": True, "is_byok_only": True}
    made = await desk.manage("POST", body=body)
    read = CreateBYOKKeyResponse.model_validate_json(made.body).data
    assert (read.provider, read.declared_zdr, read.is_byok_only) == ("acme", True, True)
    path = f"{BYOK}/{read.id}"
    one = await desk.manage("GET", path)
    assert GetBYOKKeyResponse.model_validate_json(one.body).data == read
    changed = await desk.manage("PATCH", path, {"declared_zdr": None})
    assert UpdateBYOKKeyResponse.model_validate_json(changed.body).data.declared_zdr is None
    every = await desk.manage("GET")
    assert ListBYOKKeysResponse.model_validate_json(every.body).total_count == 1
    gone = await desk.manage("DELETE", path)
    assert DeleteBYOKKeyResponse.model_validate_json(gone.body).DELETED is True
    assert gone.json() == {"deleted": True}


async def test_a_credential_may_be_for_the_keys_of_some_members_only(desk: Desk) -> None:
    new = {"email": "jane@example.com", "name": "jane"}
    jane = (await desk.manage("POST", "/api/v1/organization/members", new)).json()["data"]["id"]
    made = await desk.bring(allowed_user_ids=[jane])
    assert made["allowed_user_ids"] == [jane]
    hers = desk.mint("hers", creator=jane)
    for key, sent in ((hers, OWN), (desk.key, HOUSE)):
        assert (await desk.ask(key)).status == 200
        assert desk.sent == [sent]
    path = f"{BYOK}/{made['id']}"
    assert (await desk.manage("DELETE", f"/api/v1/organization/members/{jane}")).status == 200, (
        "whoever is gone keeps nobody from changing the rest"
    )
    assert (await desk.manage("PATCH", path, {"name": "hers"})).json()["data"]["name"] == "hers"
    changed = await desk.manage("PATCH", path, {"allowed_user_ids": None})
    assert changed.json()["data"]["allowed_user_ids"] is None
    desk.forget()
    assert (await desk.ask()).status == 200
    assert desk.sent == [OWN]


async def test_the_list_has_pages_and_a_filter(desk: Desk) -> None:
    for number in range(3):
        await desk.bring(f"own-secret-number-{number}-x")
    await desk.bring(provider="bolt")
    page = (await desk.manage("GET", f"{BYOK}?offset=1&limit=2")).json()
    assert (page["total_count"], [each["sort_order"] for each in page["data"]]) == (4, [1, 2])
    bolt = (await desk.manage("GET", f"{BYOK}?provider=Bolt")).json()
    assert (bolt["total_count"], bolt["data"][0]["provider"]) == (1, "bolt")
    assert (await desk.manage("GET", f"{BYOK}?workspace_id=other")).status == 404
    for query in ("limit=0", "limit=101", "offset=-1"):
        assert (await desk.manage("GET", f"{BYOK}?{query}")).status == 400


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "provider"),
        ({"key": ""}, "key"),
        ({"key": " \t "}, "key"),
        ({"key": "two\nlines"}, "key"),
        ({"key": "ключ"}, "ASCII"),
        ({"key": '{"accessKeyId": "x"}'}, "Give the API key alone, as one line of text"),
        ({"key": '[{"api_key": "x"}]'}, "JSON"),
        ({"key": 5}, "key"),
        ({"provider": "nobody"}, "no provider"),
        ({"provider": "lm-studio"}, "asks for no credential"),
        ({"provider": "azure"}, "is not set up here"),
        ({"allowed_models": []}, "allowed_models"),
        ({"allowed_models": ["no/such"]}, "not a model"),
        ({"allowed_api_key_hashes": []}, "allowed_api_key_hashes"),
        ({"allowed_api_key_hashes": ["x"]}, "allowed_api_key_hashes"),
        ({"allowed_api_key_hashes": ["0" * 64]}, "has no key"),
        ({"allowed_user_ids": ["user_1"]}, "has no member user_1"),
        ({"is_byok_only": True, "is_fallback": True}, "is_byok_only"),
        ({"declared_region": "europe"}, "declared_region"),
        ({"name": "a\tb"}, "printable"),
        ({"base_url": "https://evil.example"}, "base_url"),
        (b"[", "Invalid request parameters"),
    ],
)
async def test_what_a_credential_cannot_be_is_400_and_leaves_nothing(
    desk: Desk, body: Any, said: str
) -> None:
    plain = {"provider": "acme", "key": OWN}
    asked = body if isinstance(body, bytes) else plain | body if body else {}
    client = await desk.manage("POST", body=asked)
    assert (client.status, said in client.json()["error"]["message"]) == (400, True), client.body
    assert OWN.encode() not in client.body
    assert (await desk.manage("GET")).json()["total_count"] == 0


async def test_the_json_of_a_cloud_is_looked_at_when_it_is_written(premises: Premises) -> None:
    host = ProviderOptions(base_url="https://a.example/v1", auth="entra", models=MODEL)
    node = Node(premises, Options(providers={"cloud": host}))
    await node.background.plane.load()
    boss = node.mint("boss", kind="management")
    given = {"tenant_id": "t-1", "client_id": "c-1", "client_secret": OWN}

    async def write(method: str, path: str, **changes: Any) -> Any:
        body = {"key": json.dumps(given | changes)}
        if method == "POST":
            body["provider"] = "cloud"
        return await node.call(method, path, body, key=boss)

    made = await write("POST", BYOK)
    assert made.status == 201, made.body
    path = f"{BYOK}/{made.json()['data']['id']}"
    for method, where in (("POST", BYOK), ("PATCH", path)):
        client = await write(method, where, client_id=None, tenant_id="")
        assert client.status == 400
        message = client.json()["error"]["message"]
        assert message.startswith("key: it lacks tenant_id, client_id. Give the JSON of an app")
        assert OWN.encode() not in client.body
    assert (await write("PATCH", path, tenant_id="t-2")).status == 200
    await node.background.serving.client.aclose()


async def test_accounts_do_not_see_each_others_credentials(desk: Desk) -> None:
    other, guest = desk.mint("other boss", kind="management"), desk.mint("guest")
    for key in (other, guest):
        desk.move(key, "other")
    mine = await desk.bring()
    path = f"{BYOK}/{mine['id']}"
    assert (await desk.manage("GET", key=other)).json() == {"data": [], "total_count": 0}
    for method, body in (("GET", b""), ("PATCH", {"name": "x"}), ("DELETE", b"")):
        assert (await desk.manage(method, path, body, key=other)).status == 404
    hash_ = key_hash(desk.key)
    named = {"provider": "acme", "key": "theirs-of-another", "allowed_api_key_hashes": [hash_]}
    assert (await desk.manage("POST", body=named, key=other)).status == 400
    assert (await desk.ask(guest)).status == 200
    assert desk.sent == [HOUSE], "a guest does not use it either"
    assert (await desk.ask()).status == 200
    assert desk.sent == [OWN]


async def test_a_repeated_request_adds_one_credential(desk: Desk) -> None:
    body = {"provider": "acme", "key": OWN}
    first = await desk.manage("POST", body=body, idempotency_key="one")
    again = await desk.manage("POST", body=body, idempotency_key="one")
    assert (again.status, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await desk.manage("POST", body=body | {"key": OWN + "x"}, idempotency_key="one")
    assert other.status == 422
    key = await desk.manage("POST", "/api/v1/keys", {"name": "a"}, idempotency_key="one")
    assert key.status == 422
    await desk.manage("DELETE", f"{BYOK}/{first.json()['data']['id']}")
    gone = await desk.manage("POST", body=body, idempotency_key="one")
    assert (gone.status, gone.headers["x-should-retry"]) == (409, "false")


async def test_every_change_is_audited_without_its_secret(desk: Desk) -> None:
    made = await desk.bring()
    path = f"{BYOK}/{made['id']}"
    await desk.manage("PATCH", path, {"disabled": True})
    await desk.manage("PATCH", path, {"disabled": True})
    await desk.manage("PATCH", path, {"key": "another-secret-WXYZ"})
    await desk.manage("DELETE", path)
    entries = desk.premises.ledger.run_now(audit.latest(10))
    byok = [each for each in entries if each.action.startswith("byok")]
    assert [each.action for each in byok] == [
        "byok.delete", "byok.update", "byok.update", "byok.create",
    ]  # fmt: skip
    assert byok[1].detail == {"label": ["own...EfGh", "ano...WXYZ"], "key": "replaced"}
    assert byok[2].detail == {"disabled": [False, True]}
    assert {each.actor for each in byok} == {f"key:{key_hash(desk.boss)}"}
    assert OWN not in str(entries)
    assert "another-secret" not in str(entries)
