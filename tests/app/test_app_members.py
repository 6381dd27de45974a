"""Members of an account: who may do what by a management key, and what budgets refuse."""

import asyncio
from typing import Any

import pytest
from openrouter.operations import ListOrganizationMembersResponseBody
from sqlalchemy import select

from dragoman.access import audit, members, pulse
from dragoman.access.types import Member
from dragoman.core.ids import key_hash
from dragoman.ledger import proof
from dragoman.ledger.tables import purse
from dragoman.office.premises import Premises
from tests.app.node import Node

MEMBERS, KEYS, BYOK = "/api/v1/organization/members", "/api/v1/keys", "/api/v1/byok"
CENT = 10_000_000


class House(Node):
    """A node with a management key of nobody in particular."""

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.boss = self.mint("boss", kind="management")

    async def manage(self, method: str, path: str, body: Any = b"", key: str = "") -> Any:
        return await self.call(method, path, body, key=key or self.boss)

    async def join(self, name: str, key: str = "", **body: Any) -> Any:
        new = {"email": f"{name}@example.com", "name": name, **body}
        client = await self.manage("POST", MEMBERS, new, key)
        assert client.status == 201, client.body
        return client.json()["data"]

    async def manager(self, name: str, role: str) -> str:
        """Add a member, and return a management key of that member."""
        made = await self.join(name, role=role)
        return self.mint(f"{name} manages", kind="management", creator=made["id"])

    def actions(self) -> list[str]:
        return [each.action for each in self.premises.ledger.read_now(audit.latest(100))]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is


@pytest.fixture
async def house(premises: Premises) -> House:
    house = House(premises)
    await house.background.plane.load()
    return house


async def test_nobody_needs_members(house: House) -> None:
    assert (await house.manage("GET", MEMBERS)).status == 404
    assert (await house.call("GET", MEMBERS, key=house.key)).status == 403
    key = (await house.call("GET", "/api/v1/key", key=house.key)).json()["data"]
    assert key["creator_user_id"] is None


async def test_members_are_listed_as_openrouter_lists_them(house: House) -> None:
    jane = await house.join("Jane van Doe", email="Jane@Example.com", role="admin")
    await house.join("bob", limit=5, limit_reset="monthly")
    client = await house.manage("GET", f"{MEMBERS}?limit=1")
    told = client.json()
    assert told["total_count"] == 2
    assert told["data"] == [jane]
    assert jane["id"].startswith("user_")
    assert (jane["first_name"], jane["last_name"]) == ("Jane", "van Doe")
    assert (jane["email"], jane["role"], jane["limit"]) == ("jane@example.com", "org:admin", None)
    (bob,) = (await house.manage("GET", f"{MEMBERS}?offset=1")).json()["data"]
    assert (bob["role"], bob["last_name"]) == ("org:member", None)
    assert (bob["limit"], bob["limit_reset"]) == (5.0, "monthly")
    parsed = ListOrganizationMembersResponseBody.model_validate(told)
    assert parsed.data[0].id == jane["id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "a"}, 400),
        ({"name": "a", "email": "nobody"}, 400),
        ({"name": "a", "email": "a@b@c"}, 400),
        ({"name": " ", "email": "a@example.com"}, 400),
        ({"name": "a", "email": "a@example.com", "role": "king"}, 400),
        ({"name": "a", "email": "a@example.com", "limit": -1}, 400),
        ({"name": "a", "email": "a@example.com", "limit": 1e-12}, 400),
        ({"name": "a", "email": "a@example.com", "limits": 1}, 400),
        ({"name": "a", "email": "BOB@example.com"}, 409),
    ],
)
async def test_who_cannot_be_a_member_is_refused(
    house: House, body: dict[str, Any], status: int
) -> None:
    await house.join("bob")
    assert (await house.manage("POST", MEMBERS, body)).status == status
    assert house.actions().count("member.create") == 1


async def test_a_member_is_changed_and_removed(house: House) -> None:
    bob = await house.join("bob")
    path = f"{MEMBERS}/{bob['id']}"
    key = house.mint("bob's", creator=bob["id"])
    changed = (await house.manage("PATCH", path, {"name": "Bob Roe", "limit": 2})).json()["data"]
    assert changed == bob | {
        "name": "Bob Roe",
        "first_name": "Bob",
        "last_name": "Roe",
        "limit": 2.0,
    }
    assert (await house.manage("PATCH", path, {"limit": None})).json()["data"]["limit"] is None
    assert (await house.manage("PATCH", path, {"email": "x@example.com"})).status == 400
    assert (await house.manage("DELETE", path)).json() == {"deleted": True}
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", b"")):
        assert (await house.manage(method, path, body)).status == 404
    assert (await house.call("GET", "/api/v1/key", key=key)).status == 401
    refused = await house.manage("POST", KEYS, {"name": "x", "creator_user_id": bob["id"]})
    assert refused.status == 400
    actions = house.actions()
    assert (actions.count("member.update"), actions.count("member.delete")) == (2, 1)
    assert actions[:2] == ["member.delete", "key.update"]
    await house.join("bob")  # the address is free again


async def test_members_of_another_account_do_not_exist(house: House) -> None:
    def stranger(connection: Any) -> None:
        made = Member(id="user_x", account="other", name="x", email="x@example.com", created_at=0)
        members.add(connection, made)

    house.premises.ledger.run_now(stranger)
    assert (await house.manage("GET", MEMBERS)).status == 404
    assert (await house.manage("PATCH", f"{MEMBERS}/user_x", {"name": "y"})).status == 404
    assert (await house.manage("DELETE", f"{MEMBERS}/user_x")).status == 404
    refused = await house.manage("POST", KEYS, {"name": "k", "creator_user_id": "user_x"})
    assert (refused.status, "no member" in refused.json()["error"]["message"]) == (400, True)


async def test_a_key_tells_whose_it_is(house: House) -> None:
    bob = await house.join("bob")
    made = await house.manage("POST", KEYS, {"name": "app", "creator_user_id": bob["id"]})
    assert made.json()["data"]["creator_user_id"] == bob["id"]
    shown = await house.call("GET", "/api/v1/key", key=made.json()["key"])
    assert shown.json()["data"]["creator_user_id"] == bob["id"]


async def test_a_mere_member_manages_the_own_keys_alone(house: House) -> None:
    key = await house.manager("mia", "member")
    mia = (await house.manage("GET", MEMBERS, key=key)).json()["data"][0]["id"]
    other = await house.join("bob")
    foreign = key_hash(house.mint("foreign", creator=other["id"]))
    made = await house.manage("POST", KEYS, {"name": "mine"}, key)
    assert made.json()["data"]["creator_user_id"] == mia
    mine = made.json()["data"]["hash"]
    listed = (await house.manage("GET", KEYS, key=key)).json()["data"]
    assert [each["hash"] for each in listed] == [mine]
    assert len((await house.manage("GET", KEYS)).json()["data"]) == 3
    for hash_ in (foreign, key_hash(house.key)):
        for method, body in (("GET", b""), ("PATCH", {"disabled": True}), ("DELETE", b"")):
            assert (await house.manage(method, f"{KEYS}/{hash_}", body, key)).status == 404
    for_other = {"name": "x", "creator_user_id": other["id"]}
    assert (await house.manage("POST", KEYS, for_other, key)).status == 403
    assert (await house.manage("PATCH", f"{KEYS}/{mine}", {"name": "own"}, key)).status == 200
    assert (await house.manage("DELETE", f"{KEYS}/{mine}", key=key)).status == 200
    assert (await house.manage("GET", "/api/v1/activity", key=key)).status == 200


async def test_a_repeated_request_of_a_member_does_not_tell_the_key_of_another(
    house: House,
) -> None:
    key = await house.manager("mia", "member")
    body, named = {"name": "app"}, {"idempotency_key": "r1"}
    first = await house.call("POST", KEYS, body, key=house.boss, **named)
    assert first.status == 201
    assert (await house.call("POST", KEYS, body, key=key, **named)).status == 422


async def test_a_mere_member_of_the_operator_does_not_act_for_other_accounts(house: House) -> None:
    key = await house.manager("mia", "member")
    made = await house.manage("POST", "/api/v1/accounts", {"name": "Acme"})
    account = made.json()["data"]["id"]
    named = f"{KEYS}?account={account}"
    new = {"name": "x", "account": account}
    assert (await house.manage("POST", KEYS, new, key)).status == 404
    assert (await house.manage("GET", named, key=key)).status == 404
    assert (await house.manage("GET", named)).status == 200
    change = {"store_content": True}
    assert (await house.manage("PATCH", f"/api/v1/accounts/{account}", change)).status == 200
    assert (await house.manage("PATCH", f"/api/v1/accounts/{account}", change, key)).status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", MEMBERS, {"name": "a", "email": "a@example.com"}),
        ("PATCH", f"{MEMBERS}/user_none", {"role": "admin"}),
        ("DELETE", f"{MEMBERS}/user_none", b""),
        ("GET", BYOK, b""),
        ("POST", BYOK, {"provider": "openai", "key": "x"}),
        ("PATCH", "/api/v1/accounts/default", {"store_content": True}),
        ("GET", "/api/v1/ledger/proof", b""),
        ("GET", "/api/v1/node", b""),
        ("GET", "/api/v1/accounts", b""),
        ("POST", "/api/v1/accounts", {"name": "Acme"}),
        ("POST", "/api/v1/accounts/default/credits", {"amount": 1}),
        ("POST", "/api/v1/accounts/default/refunds", {"amount": 1}),
    ],
)
async def test_what_concerns_all_is_for_administrators(
    house: House, method: str, path: str, body: Any
) -> None:
    member, admin = await house.manager("mia", "member"), await house.manager("ada", "admin")
    refused = await house.manage(method, path, body, member)
    assert refused.status == 403
    message = refused.json()["error"]["message"]
    assert message == "Only organization admins can perform this operation"
    assert (await house.manage(method, path, body, admin)).status != 403


async def test_owners_are_made_and_removed_by_owners(house: House) -> None:
    admin, owner = await house.manager("ada", "admin"), await house.manager("olga", "owner")
    bob = await house.join("bob", key=admin)
    rows = (await house.manage("GET", MEMBERS)).json()["data"]
    olga = next(each["id"] for each in rows if each["member_role"] == "owner")
    king = {"name": "k", "email": "k@example.com", "role": "owner"}
    assert (await house.manage("POST", MEMBERS, king, admin)).status == 403
    path = f"{MEMBERS}/{bob['id']}"
    assert (await house.manage("PATCH", path, {"role": "owner"}, admin)).status == 403
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", b"")):
        assert (await house.manage(method, f"{MEMBERS}/{olga}", body, admin)).status == 403
    assert (await house.manage("PATCH", path, {"role": "admin"}, admin)).status == 200
    assert (await house.manage("PATCH", path, {"role": "owner"}, owner)).status == 200


async def chat(house: House, key: str, **body: Any) -> Any:
    before, house.key = house.key, key
    try:
        return await house.chat(**body)
    finally:
        house.key = before


async def test_a_budget_holds_for_all_keys_of_a_member(premises: Premises) -> None:
    house = House(premises)
    async with house.running():
        bob = await house.join("bob", limit=0.01, limit_reset="monthly")
        one, two = (house.mint(name, creator=bob["id"]) for name in ("one", "two"))
        other = house.mint("other")
        cost = 0.0
        for key in (one, two):
            answer = await chat(house, key, max_tokens=10)
            assert answer.status == 200, answer.body
            cost += answer.json()["usage"]["cost"]
        await chat(house, other, max_tokens=10)
    spent = premises.ledger.read_now(lambda c: c.execute(select(purse)).mappings().all())
    (held,) = [row for row in spent if row["scope"] == f"member:default:{bob['id']}"]
    assert held["spent_nanos"] == round(cost * 1e9) > 0
    assert (held["limit_nanos"], held["leased_nanos"]) == (CENT, 0)
    assert premises.ledger.read_now(proof.prove).violations == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reset", "said"),
    [
        ("monthly", "Member monthly budget of $0.00 exceeded. Contact your org admin."),
        (None, "Member total budget of $0.00 exceeded. Contact your org admin."),
    ],
)
async def test_a_budget_that_is_used_up_is_403(
    premises: Premises, reset: str | None, said: str, *, stream: bool
) -> None:
    house = House(premises)
    async with house.running():
        bob = await house.join("bob", limit=0, limit_reset=reset)
        client = await chat(house, house.mint("app", creator=bob["id"]), stream=stream)
        assert (await house.chat()).status == 200
    error = client.json()["error"]
    assert (client.status, error["message"]) == (403, said)
    assert error["metadata"]["limit_source"] == "member_budget"


async def test_a_budget_too_small_for_a_request_is_402(premises: Premises) -> None:
    house = House(premises)
    async with house.running():
        bob = await house.join("bob", limit=0.003)
        key = house.mint("app", creator=bob["id"])
        client = await chat(house, key, max_tokens=4000)
        error = client.json()["error"]
        assert (client.status, error["metadata"]["limit_source"]) == (402, "member_budget")
        assert "ask your org admin for a higher total budget" in error["message"]
        fits = error["metadata"]["affordable_max_tokens"]
        assert (await chat(house, key, max_tokens=fits)).status == 200


async def test_what_was_spent_before_there_was_a_budget_counts(premises: Premises) -> None:
    house = House(premises)
    async with house.running():
        bob = await house.join("bob")
        key = house.mint("app", creator=bob["id"])
        cost = (await chat(house, key)).json()["usage"]["cost"]
        path = f"{MEMBERS}/{bob['id']}"
        assert (await house.manage("PATCH", path, {"limit": cost})).status == 200
        house.background.serving.gate._admitted.clear()
        assert (await chat(house, key)).status == 403
        assert (await house.manage("PATCH", path, {"limit": None})).status == 200
        house.background.serving.gate._admitted.clear()
        cost += (await chat(house, key)).json()["usage"]["cost"]
        assert (await house.manage("PATCH", path, {"limit": cost})).status == 200
    query = select(purse.c.spent_nanos)
    spent = premises.ledger.read_now(lambda c: c.execute(query).scalars().all())
    assert spent == [round(cost * 1e9)], "what was spent in between counts"
    assert premises.ledger.read_now(proof.prove).violations == ()


async def test_a_keys_limit_and_a_budget_hold_both(premises: Premises) -> None:
    house = House(premises)
    async with house.running():
        bob = await house.join("bob", limit=1, limit_reset="daily")
        poor = house.mint("poor", creator=bob["id"], limit_nanos=0)
        rich = house.mint("rich", creator=bob["id"], limit_nanos=CENT, limit_reset="monthly")
        refused = await chat(house, poor)
        assert refused.json()["error"]["metadata"]["limit_source"] == "openrouter_key_limit"
        admitted = house.background.serving.gate._admitted
        async with asyncio.timeout(10):  # the news that there is such a key forgets it once
            while key_hash(rich) not in admitted:
                assert (await chat(house, rich, max_tokens=10)).status == 200
        caller = admitted[key_hash(rich)]
        assert caller.terms is not None
        assert caller.terms.funds is not None
        assert [each.partition(":")[0] for each in caller.terms.funds.purses] == ["key", "member"]
        tomorrow = caller.terms.funds.until
        assert tomorrow is not None
        assert tomorrow % 86_400 == 0
