"""Accounts by the management API: opened, filled, paid back; by the operator, and once."""

import asyncio
import json
import time
from typing import Any

import pytest

from dragoman.access.audit import latest
from dragoman.access.types import Grant
from dragoman.core.money import NanoUsd
from dragoman.ledger import proof
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.premises import Premises
from tests.app.node import Node
from tests.web.asgi import Client

ACCOUNTS = "/api/v1/accounts"
NOT_AMOUNTS = (0, -1, 1e12, 0.0000000001, "1e-10", "NaN", "much", True, None, [1])


def mint_for(premises: Premises, account: str, **grant: Any) -> str:
    work = keys.create(
        "k",
        prefix="sk-dm-v1-",
        pepper=premises.pepper,
        now=time.time() - 60,
        grant=Grant(**grant),
        account=account,
    )
    return premises.ledger.run_now(work)[0]


def opened(premises: Premises, name: str = "Acme") -> str:
    work = office.open_prepaid(name, free_credit=NanoUsd(0), now=1.0)
    return premises.ledger.run_now(work).account.id


async def post(node: Node, path: str, body: Any, key: str, **headers: str) -> Client:
    return await node.call("POST", path, json.dumps(body).encode(), key=key, **headers)


async def test_an_account_is_opened_filled_and_paid_back_by_the_operator(
    premises: Premises,
) -> None:
    node = Node(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        made = await post(node, ACCOUNTS, {"name": "Acme", "fee_ppm": 50_000}, boss)
        row = made.json()["data"]
        assert (made.status, row["kind"], row["balance"]) == (201, "prepaid", 1.0)
        path = f"{ACCOUNTS}/{row['id']}"
        added = await post(node, f"{path}/credits", {"amount": 25, "reference": "inv-1"}, boss)
        assert added.json()["data"]["account"]["balance"] == 26.0
        again = await post(node, f"{path}/credits", {"amount": 25, "reference": "inv-1"}, boss)
        assert again.json()["data"]["repeated"] is True
        back = await post(node, f"{path}/refunds", {"amount": "0.5"}, boss)
        assert back.json()["data"]["account"]["balance"] == 25.5
        too_much = await post(node, f"{path}/refunds", {"amount": 26}, boss)
        assert too_much.status == 400
        shown = await node.call("GET", path, key=boss)
        assert shown.json()["data"]["free"] == 25.5
        listed = await node.call("GET", ACCOUNTS, key=boss)
        assert {each["id"] for each in listed.json()["data"]} == {"default", row["id"]}
        made = await post(node, "/api/v1/keys", {"name": "app", "account": row["id"]}, boss)
        key, hash_ = made.json()["key"], made.json()["data"]["hash"]
        credits_ = await node.call("GET", "/api/v1/credits", key=key)
        assert credits_.json()["data"] == {"total_credits": 25.5, "total_usage": 0.0}
        for nobody in ("acct_typo", "house:cash"):
            listed = await node.call("GET", f"/api/v1/keys?account={nobody}", key=boss)
            assert listed.status == 404
        typo = await node.call("GET", "/api/v1/keys?account=acct_typo", key=boss)
        assert "'acct_typo'" in typo.json()["error"]["message"]
        of_it = await node.call("GET", f"/api/v1/keys?account={row['id']}", key=boss)
        assert [each["hash"] for each in of_it.json()["data"]] == [hash_]
        assert (
            await node.call("DELETE", f"/api/v1/keys/{hash_}?account={row['id']}", key=boss)
        ).status == 200
    said = [entry.action for entry in premises.ledger.run_now(latest(10))]
    for action in ("account.create", "account.top_up", "account.refund", "key.create"):
        assert said.count(action) >= 1
    assert premises.ledger.run_now(proof.prove).violations == ()


async def test_the_list_of_accounts_has_pages(premises: Premises) -> None:
    node = Node(premises)
    boss, ids = node.mint("boss", kind="management"), {}
    for at in (3.0, 1.0, 2.0):
        work = office.open_prepaid(f"of {at}", free_credit=NanoUsd(0), now=at)
        ids[at] = premises.ledger.run_now(work).account.id
    own = mint_for(premises, ids[2.0], kind="management")
    async with node.running():

        async def page(query: str, key: str = boss) -> tuple[list[str], int]:
            body = (await node.call("GET", f"{ACCOUNTS}?{query}", key=key)).json()
            return [each["name"] for each in body["data"]], body["total_count"]

        names = ["Default", "of 1.0", "of 2.0", "of 3.0"]
        assert await page("") == (names, 4)
        assert await page("limit=2") == (names[:2], 4)
        assert await page("offset=3&limit=2") == (names[3:], 4)
        assert await page("offset=9") == ([], 4)
        assert await page("", own) == (["of 2.0"], 1)
        assert await page("offset=1", own) == ([], 1)
        for wrong in ("limit=0", "limit=101", "offset=-1", "limit=x"):
            refused = await node.call("GET", f"{ACCOUNTS}?{wrong}", key=boss)
            assert refused.status == 400, wrong


@pytest.mark.parametrize("what", ["credits", "refunds"])
async def test_what_is_no_amount_is_refused(premises: Premises, what: str) -> None:
    node, account = Node(premises), opened(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        for amount in NOT_AMOUNTS:
            client = await post(node, f"{ACCOUNTS}/{account}/{what}", {"amount": amount}, boss)
            assert client.status == 400, amount
    assert premises.ledger.run_now(office.statement(account)).credits == 0


@pytest.mark.parametrize(
    ("credit", "balance"),
    [("0.1", 0.1), ("0.00", 0.0), (0, 0.0), (None, 1.0), ("1_0", None), ("0.0.0", None)],
)
async def test_the_credit_of_a_new_account_may_be_text(
    premises: Premises, credit: Any, balance: float | None
) -> None:
    node = Node(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        made = await post(node, ACCOUNTS, {"name": "Acme", "free_credit": credit}, boss)
    assert made.status == (400 if balance is None else 201)
    assert balance is None or made.json()["data"]["balance"] == balance


async def test_a_request_that_is_repeated_has_one_effect_and_the_same_answer(
    premises: Premises,
) -> None:
    node, account = Node(premises), opened(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        path = f"{ACCOUNTS}/{account}/credits"
        calls = [post(node, path, {"amount": 2}, boss, idempotency_key="once") for _ in range(20)]
        answers = await asyncio.gather(*calls)
        assert {client.status for client in answers} == {200}
        assert len({client.body for client in answers}) == 1
        replayed = ["idempotent-replayed" in client.headers for client in answers]
        assert replayed.count(False) == 1
        assert premises.ledger.run_now(office.statement(account)).credits == 2 * 10**9
        other = await post(node, path, {"amount": 3}, boss, idempotency_key="once")
        assert other.status == 422
        twice = [
            await post(node, ACCOUNTS, {"name": "New"}, boss, idempotency_key="new") for _ in "ab"
        ]
        assert twice[0].body == twice[1].body
        bad = await post(node, ACCOUNTS, {"name": "New"}, boss, idempotency_key="ü")
        assert bad.status == 400


async def test_a_request_that_failed_may_be_repeated(premises: Premises) -> None:
    node, account = Node(premises), opened(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        path = f"{ACCOUNTS}/{account}/refunds"
        first = await post(node, path, {"amount": 2}, boss, idempotency_key="k")
        given = office.add(account, NanoUsd(3 * 10**9), reference="r", grant=True, now=1.0)
        premises.ledger.run_now(given)
        second = await post(node, path, {"amount": 2}, boss, idempotency_key="k")
        assert (first.status, second.status) == (400, 200)


async def test_only_the_operator_touches_other_accounts(premises: Premises) -> None:
    node, mine, other = Node(premises), opened(premises), opened(premises, "Other")
    chief = mint_for(premises, mine, kind="management")
    async with node.running():
        listed = await node.call("GET", ACCOUNTS, key=chief)
        assert [each["id"] for each in listed.json()["data"]] == [mine]
        assert (await node.call("GET", f"{ACCOUNTS}/{mine}", key=chief)).status == 200
        assert (await node.call("GET", f"{ACCOUNTS}/{other}", key=chief)).status == 404
        assert (await post(node, ACCOUNTS, {"name": "x"}, chief)).status == 403
        for what in ("credits", "refunds"):
            mine_ = await post(node, f"{ACCOUNTS}/{mine}/{what}", {"amount": 1}, chief)
            others = await post(node, f"{ACCOUNTS}/{other}/{what}", {"amount": 1}, chief)
            assert (mine_.status, others.status) == (403, 404)
        made = await post(node, "/api/v1/keys", {"name": "x", "account": other}, chief)
        assert made.status == 404
        assert (await node.call("GET", f"/api/v1/keys?account={other}", key=chief)).status == 404


async def test_the_accounts_of_the_house_are_not_for_the_api(premises: Premises) -> None:
    node = Node(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        path = f"{ACCOUNTS}/house:cash"
        assert (await node.call("GET", path, key=boss)).status == 404
        assert (await post(node, f"{path}/credits", {"amount": 1}, boss)).status == 404
        made = await post(node, "/api/v1/keys", {"name": "x", "account": "house:cash"}, boss)
        assert made.status == 400
        made = await post(node, "/api/v1/keys", {"name": "x", "account": "acct_none"}, boss)
        assert made.status == 404
