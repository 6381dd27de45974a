"""Spending limits, through a whole node: what a request may cost is set aside beforehand."""

import asyncio
import json
import time
from typing import Any

import pytest

from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, proof
from dragoman.ledger.purses import Balance
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.keys import Limit, Limits
from dragoman.office.premises import Premises
from dragoman.records.reader import KeyUsage
from tests.app.node import HI, Node
from tests.web.asgi import Client

CENT = 10_000_000
SHORT = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}


async def ask(node: Node, key: str, **body: Any) -> Client:
    return await Client(SHORT | body, {"Authorization": f"Bearer {key}"}).of(node.edge)


def purse_of(premises: Premises, scope: str) -> Balance:
    def work(connection: Any) -> Balance:
        rows = connection.exec_driver_sql(f"SELECT id FROM purse WHERE scope = '{scope}'")
        (id_,) = [row[0] for row in rows]
        found = leases.balance(connection, id_)
        assert found is not None
        return found

    return premises.ledger.run_now(work)


def assert_proved(premises: Premises) -> None:
    assert premises.ledger.run_now(proof.prove).violations == ()


async def test_what_a_request_costs_is_taken_from_its_keys_limit(premises: Premises) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=CENT)
    async with node.running():
        answer = (await ask(node, key, max_tokens=10)).json()
    hash_ = premises.ledger.run_now(keys.find(key)).hash
    spent = purse_of(premises, f"key:{hash_}")
    assert spent.spent == round(answer["usage"]["cost"] * 1e9) > 0
    assert spent.leased == 0, "what is left of the lease is free once the server has stopped"
    assert_proved(premises)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_key_that_has_used_its_limit_up_is_told_so(
    premises: Premises, *, stream: bool
) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=0, limit_reset="daily")
    async with node.running():
        client = await ask(node, key, stream=stream)
    error = client.json()["error"]
    assert (client.status, error["metadata"]["limit_source"]) == (403, "openrouter_key_limit")
    assert error["message"].startswith("Key limit exceeded (daily limit).")
    assert "PATCH /api/v1/keys" in error["metadata"]["remedy_hint"]


async def test_a_limit_too_small_for_the_request_names_what_would_fit(premises: Premises) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=3_000_000)
    async with node.running():
        client = await ask(node, key, max_tokens=4000)
        error = client.json()["error"]
        assert (client.status, error["metadata"]["limit_source"]) == (402, "openrouter_key_limit")
        assert error["message"].startswith(
            "This request requires more credits, or fewer max_tokens. You requested up to"
        )
        fits = error["metadata"]["affordable_max_tokens"]
        assert fits > 0
        assert (await ask(node, key, max_tokens=fits)).status == 200


async def test_what_would_fit_is_told_with_the_fee_of_the_account(premises: Premises) -> None:
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(6_000_000), now=0.0, fee_ppm=900_000)
    account = premises.ledger.run_now(opened).account.id
    made = keys.create(
        "app", prefix="sk-dm-v1-", pepper=premises.pepper, now=time.time(), account=account
    )
    key, _ = premises.ledger.run_now(made)
    node = Node(premises)
    async with node.running():
        client = await ask(node, key, max_tokens=4000)
        fits = client.json()["error"]["metadata"]["affordable_max_tokens"]
        assert (client.status, fits > 0) == (402, True)
        assert (await ask(node, key, max_tokens=fits + 2)).status == 402
        assert (await ask(node, key, max_tokens=fits)).status == 200


async def test_a_prompt_that_is_too_dear_is_told_how_long_it_may_be(premises: Premises) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=20_000)
    async with node.running():
        client = await ask(node, key, messages=[{"role": "user", "content": "x" * 10_000}])
    assert client.status == 402
    assert "Prompt tokens limit exceeded: " in client.json()["error"]["message"]


async def test_a_prepaid_account_spends_what_it_has_and_no_more(premises: Premises) -> None:
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(0), now=0.0)
    account = premises.ledger.run_now(opened).account.id
    node = Node(premises)
    made = keys.create(
        "app", prefix="sk-dm-v1-", pepper=premises.pepper, now=time.time(), account=account
    )
    key, _ = premises.ledger.run_now(made)
    async with node.running():
        client = await ask(node, key)
        assert client.status == 402
        metadata = client.json()["error"]["metadata"]
        assert metadata["limit_source"] == "openrouter_credits"
        given = office.add(account, NanoUsd(CENT), reference="r", grant=False, now=0.0)
        premises.ledger.run_now(given)
        async with asyncio.timeout(30):
            while (client := await ask(node, key, max_tokens=10)).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        cost = round(client.json()["usage"]["cost"] * 1e9)
    assert premises.ledger.run_now(office.statement(account)).usage == cost
    assert_proved(premises)


async def test_a_thousand_at_once_get_as_many_holds_as_there_are(premises: Premises) -> None:
    node = Node(premises)
    probe = node.mint("probe", limit_nanos=1)
    async with node.running():
        refused = (await ask(node, probe, max_tokens=100)).json()["error"]["metadata"]
        hold = round(refused["required_usd"] * 1e9)
        key = node.mint("app", limit_nanos=10 * hold + hold // 2)
        started = [
            asyncio.create_task(ask(node, key, max_tokens=100, stream=True)) for _ in range(1000)
        ]
        done = await asyncio.gather(*started)
    statuses = sorted(client.status for client in done)
    hash_ = premises.ledger.run_now(keys.find(key)).hash
    spent = purse_of(premises, f"key:{hash_}")
    assert statuses.count(200) + statuses.count(402) + statuses.count(403) == 1000
    assert statuses.count(200) >= 10
    assert spent.limit is not None
    assert spent.spent <= spent.limit
    assert_proved(premises)


async def test_spending_before_there_was_a_limit_counts(premises: Premises) -> None:
    node = Node(premises)
    async with node.running():
        cost = (await node.chat()).json()["usage"]["cost"]
        boss = node.mint("boss", kind="management")
        hash_ = premises.ledger.run_now(keys.find(node.key)).hash
        client = await node.call(
            "PATCH", f"/api/v1/keys/{hash_}", json.dumps({"limit": cost}).encode(), key=boss
        )
        assert client.json()["data"]["limit_remaining"] == 0
        async with asyncio.timeout(30):
            while (await node.chat()).status == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        client = await node.chat()
    assert client.status == 403
    assert_proved(premises)


async def test_a_raised_limit_acts_soon(premises: Premises) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=0)
    async with node.running():
        assert (await ask(node, key)).status == 403
        raised = keys.limit(key, Limits(key=Limit(nanos=CENT)), KeyUsage(), time.time())
        premises.ledger.run_now(raised)
        async with asyncio.timeout(30):
            while (client := await ask(node, key, max_tokens=10)).status != 200:
                assert client.status == 403
                await asyncio.sleep(0.05)


async def test_a_lowered_limit_acts_on_a_worker_that_has_much_at_hand_and_no_pause(
    premises: Premises,
) -> None:
    node = Node(premises)
    key = node.mint("app", limit_nanos=100_000 * CENT)
    over = asyncio.Event()

    async def stay_busy() -> None:
        while not over.is_set():
            await ask(node, key, max_tokens=10)
            await asyncio.sleep(0)

    async with node.running(), asyncio.timeout(20), asyncio.TaskGroup() as group:
        client = await ask(node, key, max_tokens=10)
        cost = client.json()["usage"]["cost"] * 1e9
        group.create_task(stay_busy())
        hash_ = premises.ledger.run_now(keys.find(key)).hash
        leased = purse_of(premises, f"key:{hash_}").leased
        assert leased > 10_000 * cost, "it would last for long"
        premises.ledger.run_now(
            keys.limit(key, Limits(key=Limit(nanos=1)), KeyUsage(), time.time())
        )
        while (client := await ask(node, key, max_tokens=10)).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0)
        over.set()
    assert client.status in {402, 403}, "by whether what it spent is booked by now"
    spent = purse_of(premises, f"key:{hash_}")
    assert spent.spent < leased / 10
    assert_proved(premises)
