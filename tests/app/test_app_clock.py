"""Clocks that jump by a day and back: windows of limits, leases and rates, through a whole node."""

from typing import Any, Final

import pytest

from dragoman.core.clock import Clock
from dragoman.ledger import leases, proof
from dragoman.office import keys
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.web.asgi import Client

DAY_S: Final = 86_400
LIMIT: Final = 10**9
JUMPS: Final = (0, 1, 0, -1, 0, 2, 0)


class Times:
    """The time of day, in a node and in its database, which may be put forward and back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = self.database = 0
        real, wall = leases.database_time, Clock().wall
        self.clock = Clock(wall=lambda: wall() + self.node * DAY_S)
        monkeypatch.setattr(leases, "database_time", lambda c: real(c) + self.database * DAY_S)


def spent_by_day(premises: Premises, key: str) -> dict[int, int]:
    """Return what was spent in each window of a key, by its day."""
    scope = f"key:{premises.ledger.run_now(keys.find(key)).hash}"

    def work(connection: Any) -> dict[int, int]:
        query = f"SELECT window_start, spent_nanos FROM purse WHERE scope = '{scope}'"
        return {row[0] // DAY_S: row[1] for row in connection.exec_driver_sql(query)}

    return premises.ledger.run_now(work)


async def ask(node: Node, key: str, expected: int = 200) -> int:
    """Ask, and return what it cost in nano-USD, or would have to be set aside for it."""
    asked = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}
    client = await Client(asked | {"max_tokens": 10}, {"Authorization": f"Bearer {key}"}).of(
        node.edge
    )
    assert client.status == expected, client.body
    body = client.json()
    paid: float = (
        body["usage"]["cost"] if expected == 200 else body["error"]["metadata"]["required_usd"]
    )
    return round(paid * 1e9)


@pytest.mark.parametrize("clocks", [("node", "database"), ("node",), ("database",)], ids=",".join)
async def test_a_clock_that_jumps_by_days_costs_nobody_a_request_or_a_cent(
    premises: Premises, monkeypatch: pytest.MonkeyPatch, clocks: tuple[str, ...]
) -> None:
    times = Times(monkeypatch)
    node = Node(premises, clock=times.clock)
    key = node.mint("daily", limit_nanos=LIMIT, limit_reset="daily", rpm=60)
    total = 0
    async with node.running():
        for days in JUMPS:
            for each in clocks:
                setattr(times, each, days)
            for _ in range(2):
                total += await ask(node, key)
    spent = spent_by_day(premises, key)
    assert sum(spent.values()) == total
    assert all(amount <= LIMIT for amount in spent.values())
    assert premises.ledger.run_now(proof.prove).violations == ()


async def test_a_window_that_comes_again_has_only_what_it_had_left(
    premises: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    node = Node(premises, clock=times.clock)
    probe = node.mint("probe", limit_nanos=1)
    costs = []
    async with node.running():
        hold = await ask(node, probe, 402)  # so that there is room for one, and not for a second
        key = node.mint("daily", limit_nanos=hold, limit_reset="daily")
        for days, expected in ((0, 200), (1, 200), (1, 402), (0, 402), (2, 200), (-1, 402)):
            times.node = times.database = days
            cost = await ask(node, key, expected)
            costs += [cost] * (expected == 200)
    spent = spent_by_day(premises, key)
    assert sorted(amount for amount in spent.values() if amount) == sorted(costs)
    assert premises.ledger.run_now(proof.prove).violations == ()
