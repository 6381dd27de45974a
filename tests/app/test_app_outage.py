"""The database is gone for a while: whose money is leased is served, others are told to wait."""

import asyncio
from typing import Any

from dragoman.ledger import proof
from dragoman.ledger.purses import Balance
from dragoman.office import keys
from dragoman.office.premises import LEDGER, Premises
from dragoman.store.options import DatabaseOptions
from tests.app.node import HI, Node
from tests.app.test_app_limits import purse_of
from tests.postgres import held
from tests.web.asgi import Client

PLENTY = 1_000_000_000_000
SHORT = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}


async def ask(node: Node, key: str) -> Client:
    body: dict[str, Any] = SHORT | {"max_tokens": 10}
    return await Client(body, {"Authorization": f"Bearer {key}"}).of(node.edge)


async def test_a_database_that_is_gone_is_noticed_by_newcomers_only(
    premises: Premises, state: DatabaseOptions
) -> None:
    node = Node(premises)
    warm, cold = (node.mint(name, limit_nanos=PLENTY) for name in ("warm", "cold"))
    costs = []
    async with node.running():
        for _ in range(2):
            costs.append((await ask(node, warm)).json()["usage"]["cost"])
            await asyncio.sleep(0.5)  # by now the node has heard that the keys are new
        with held(state, premises.path / LEDGER, "purse"):
            newcomer = asyncio.create_task(ask(node, cold))
            for _ in range(25):
                client = await ask(node, warm)
                assert client.status == 200, client.json()
                costs.append(client.json()["usage"]["cost"])
                await asyncio.sleep(0.02)
            refused = await newcomer
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        async with asyncio.timeout(20):
            while (client := await ask(node, cold)).status != 200:
                assert client.status == 503
                await asyncio.sleep(0.05)
    hash_ = premises.ledger.run_now(keys.find(warm)).hash
    spent = round(sum(costs) * 1e9)
    assert purse_of(premises, f"key:{hash_}") == Balance(PLENTY, spent, 0)
    assert premises.ledger.run_now(proof.prove).violations == ()


async def test_a_key_whose_lease_went_back_before_the_outage_is_told_to_wait(
    premises: Premises, state: DatabaseOptions
) -> None:
    node = Node(premises)
    warm = node.mint("warm", limit_nanos=PLENTY)
    hash_ = premises.ledger.run_now(keys.find(warm)).hash
    async with node.running():
        assert (await ask(node, warm)).status == 200
        async with asyncio.timeout(30):
            while purse_of(premises, f"key:{hash_}").leased:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        with held(state, premises.path / LEDGER, "purse"):
            client = await ask(node, warm)
        assert (client.status, client.headers["retry-after"]) == (503, "1")
        assert (await ask(node, warm)).status == 200
    assert premises.ledger.run_now(proof.prove).violations == ()
