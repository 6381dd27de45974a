"""Two accounts, and every operation of our OpenAPI document: neither sees the other's things."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct
from sqlalchemy import inspect

from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.app.test_app_accounts import mint_for, opened, post

METHODS = ("get", "post", "patch", "put", "delete")
OWN_SECRET = "own-secret-of-theirs"
RUNNING = frozenset({"journal", "recorded", "lease", "node"})
"""Tables of what this node is doing just now, whoever asks."""
LEASED = "leased_nanos"
"""So is how much of a purse is out on lease: it comes back when nobody has asked for a second."""


class Theirs(Struct, frozen=True):
    """What an account has, and what none of it may be seen by another."""

    account: str
    key: str
    hash: str
    generation: str
    byok: str
    member: str

    @property
    def secrets(self) -> tuple[str, ...]:
        ids = (self.account, self.hash, self.generation, self.byok, self.member)
        return (*ids, "secret-key", "Mine", "ann@mine.example", "mine-byok")

    def filled(self, path: str) -> str:
        """Return the path with their ids in it."""
        ids = {"/byok/": self.byok, "/members/": self.member, "/accounts/": self.account}
        id_ = next((value for part, value in ids.items() if part in path), self.account)
        return path.replace("{id_}", id_).replace("{hash_}", self.hash)

    def asked(self, path: str) -> list[str]:
        """Return queries that name what is theirs, where a path takes some."""
        return {
            "/v1/generation": [f"id={self.generation}"],
            "/v1/generation/content": [f"id={self.generation}"],
            "/v1/activity": ["", f"api_key_hash={self.hash}"],
            "/v1/generations/export": ["", f"api_key_hash={self.hash}", "format=csv"],
            "/v1/keys": ["", f"account={self.account}"],
            "/v1/byok": ["", "provider=openai"],
        }.get(path, [""])

    def bodies(self, method: str, path: str) -> list[Any]:
        """Return bodies that would do something if the caller were one of them."""
        name = {"name": "changed"}
        if method in {"get", "delete"}:
            return [b""]
        if path.endswith(("/credits", "/refunds")):
            return [{"amount": 1}]
        known: dict[str, list[Any]] = {
            "/v1/keys": [name, name | {"account": self.account}],
            "/v1/keys/{hash_}": [{"disabled": True}, {"limit": 0}],
            "/v1/byok": [
                {"provider": "openai", "key": "x" * 20, "allowed_api_key_hashes": [self.hash]}
            ],
            "/v1/byok/{id_}": [{"disabled": True}, {"key": "y" * 20}],
            "/v1/accounts/{id_}": [name, {"store_content": True}],
            "/v1/organization/members": [{"email": "eve@x.example", "name": "Eve"}],
            "/v1/organization/members/{id_}": [name, {"role": "owner"}, {"limit": 0}],
            "/v1/analytics/query": [
                {"metrics": ["request_count"], "dimensions": ["api_key_id", "user", "model"]},
                {
                    "metrics": ["request_count"],
                    "filters": [{"field": "api_key_id", "operator": "eq", "value": self.hash}],
                },
            ],
        }
        return known.get(path, [name])


async def furnished(node: Node, account: str, boss: str) -> Theirs:
    """Give an account credit, a key, a generation, a credential and a member."""
    manager = mint_for(node.premises, account, kind="management")
    await post(node, f"/api/v1/accounts/{account}/credits", {"amount": 5}, boss)
    key = (await post(node, "/api/v1/keys", {"name": "secret-key"}, manager)).json()
    asked = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}
    done = await post(node, "/api/v1/chat/completions", asked, key["key"])
    assert done.status == 200, done.body
    brought = {"provider": "openai", "key": OWN_SECRET, "name": "mine-byok"}
    byok = await post(node, "/api/v1/byok", brought, manager)
    person = {"email": "ann@mine.example", "name": "Ann"}
    member = await post(node, "/api/v1/organization/members", person, manager)
    await node.call("GET", "/api/v1/credits", key=key["key"])  # so the request is in the books
    return Theirs(
        account,
        key["key"],
        key["data"]["hash"],
        done.json()["id"],
        byok.json()["data"]["id"],
        member.json()["data"]["id"],
    )


async def operations(node: Node) -> list[tuple[str, str]]:
    document = (await node.call("GET", "/api/v1/openapi.json")).json()
    paths = document["paths"].items()
    return [(method, path) for path, verbs in paths for method in METHODS if method in verbs]


@pytest.mark.parametrize("kind", ["inference", "management"])
async def test_nothing_of_another_account_is_seen_or_changed(premises: Premises, kind: str) -> None:
    node, mine, other = Node(premises), opened(premises, "Mine"), opened(premises, "Theirs")
    boss = node.mint("boss", kind="management")
    stranger = mint_for(premises, other, kind=kind)
    async with node.running():
        theirs = await furnished(node, mine, boss)
        before = rows_of(premises, theirs)
        answers: dict[tuple[str, str], set[int]] = {}
        for method, path in await operations(node):
            for query in theirs.asked(path):
                for body in theirs.bodies(method, path):
                    where = f"/api{theirs.filled(path)}?{query}"
                    client = await node.call(method.upper(), where, body, key=stranger)
                    told = (method, where, body, client.status, client.body)
                    sent = f"{where}{json.dumps(body) if isinstance(body, dict) else ''}"
                    seen = [each for each in theirs.secrets if each.encode() in client.body]
                    assert not [each for each in seen if each not in sent], told
                    unknown = client.status in {400, 403, 404} or b"there is no key" in client.body
                    assert not seen or unknown, told
                    if "{" in path and "{name}" not in path:
                        assert client.status in {403, 404}, told
                    answers.setdefault((method, path), set()).add(client.status)
        after = rows_of(premises, theirs)
    assert answers["get", "/v1/generation"] == {404}
    if kind == "management":
        for operation in [("patch", "/v1/byok/{id_}"), ("delete", "/v1/byok/{id_}")]:
            assert answers[operation] == {404}
        assert answers["post", "/v1/byok"] == {400}
    assert len(answers) > 20
    assert before == after


def rows_of(premises: Premises, theirs: Theirs) -> Mapping[str, list[str]]:
    """Return all rows of all tables that name something of theirs, in both databases."""
    found: dict[str, list[str]] = {}
    for database in (premises.ledger, premises.records):
        found |= database.run_now(lambda connection: _naming(connection, theirs.secrets))
    assert {"account", "api_key", "own_credential", "member", "generation", "purse"} <= found.keys()
    return found


def _naming(connection: Any, secrets: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table in inspect(connection).get_table_names():
        if table in RUNNING:
            continue
        rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings().all()
        lasting = [[value for name, value in row.items() if name != LEASED] for row in rows]
        named = sorted(str(row) for row in lasting if any(each in str(row) for each in secrets))
        if named:
            found[table] = named
    return found
