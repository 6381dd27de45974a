"""A thousand requests at once to a provider that keeps them open: as many as there is money for."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from dragoman.config import Options
from dragoman.ledger import proof
from dragoman.office import keys
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.app.test_app_limits import purse_of
from tests.e2e.scripted import ScriptedUpstream
from tests.web.asgi import Client

REQUESTS = 1000
HOLDS = 10


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as running:
        yield running


async def ask(node: Node, key: str) -> Client:
    body = {"model": "t/hang", "messages": HI, "max_tokens": 100, "stream": True}
    return await Client(body, {"Authorization": f"Bearer {key}"}).of(node.edge)


async def test_exactly_as_many_are_admitted_as_there_are_holds(
    premises: Premises, upstream: ScriptedUpstream
) -> None:
    price = {"prompt": 0.000001, "completion": 0.000002}
    row = {"upstream": "hang_head", "context": 8000, "max_output": 4000, "price": price}
    host = {"base_url": upstream.url, "models": {"t/hang": row}}
    node = Node(premises, msgspec.convert({"providers": {"scripted": host}}, Options))
    probe = node.mint("probe", limit_nanos=1)
    async with node.running():
        refused = (await ask(node, probe)).json()["error"]["metadata"]
        hold = round(refused["required_usd"] * 1e9)
        key = node.mint("app", limit_nanos=HOLDS * hold + hold // 2)
        asked = [asyncio.create_task(ask(node, key)) for _ in range(REQUESTS)]
        async with asyncio.timeout(60):
            while sum(task.done() for task in asked) < REQUESTS - HOLDS:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        admitted = [task for task in asked if not task.done()]
        told = {task.result().status for task in asked if task.done()}
        reached = len(upstream.calls)
        for task in admitted:
            task.cancel()
        await asyncio.gather(*admitted, return_exceptions=True)
    assert (len(admitted), reached, told) == (HOLDS, HOLDS, {402})
    hash_ = premises.ledger.run_now(keys.find(key)).hash
    spent = purse_of(premises, f"key:{hash_}")
    assert (spent.spent, spent.leased) == (0, 0)
    assert premises.ledger.run_now(proof.prove).violations == ()
