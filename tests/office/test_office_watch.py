"""The watch: what it finds is told once, by one node, and not lost by a restart."""

import asyncio
import time

import pytest
from sqlalchemy import text

from dragoman.access.audit import latest
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger import alert_rows, leases
from dragoman.ledger.alert_tables import MIGRATIONS, metadata
from dragoman.ledger.purses import purse_of_account
from dragoman.office import alert_figures, alerts
from dragoman.office import credits as office_credits
from dragoman.office.alert_bodies import AlertChange
from dragoman.office.alert_figures import windows
from dragoman.office.alert_options import HouseOptions
from dragoman.office.watch import ANYWAY_S, CLEAR_S
from dragoman.store.sql import Database
from tests.office.alert_scene import ALERTING, HOOK, USD, Scene, manager
from tests.store.shapes import described

HOUSE = HouseOptions(webhooks=(HOOK,), secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
DAY_S = 86_400


@pytest.fixture
def scene(ledger: Database, records_db: Database) -> Scene:
    return Scene(ledger, records_db)


def test_migrations_lead_to_the_tables_of_today(ledger: Database, records_db: Database) -> None:
    made = ledger.run_now(described)
    records_db.run_now(metadata.drop_all)  # a database of its own, or the same
    records_db.run_now(metadata.create_all)
    fresh = records_db.run_now(described)
    assert {name: made[name] for name in metadata.tables} == {
        name: fresh[name] for name in metadata.tables
    }
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


async def test_percents_of_a_keys_limit_are_told_in_order_and_once(scene: Scene) -> None:
    key = scene.key(limit=10 * USD, reset="daily")
    scene.rule(key_hash=key.hash, percent=(50, 80, 100))
    node = scene.node()
    await node.look()
    assert scene.sent() == []
    scene.spend(key, 5 * USD)
    await node.look()
    (message,) = scene.sent()
    assert message["type"] == "alert.threshold_reached"
    assert (message["data"]["threshold"], message["data"]["unit"]) == (50, "percent")
    assert (message["data"]["spent"], message["data"]["limit"]) == (5.0, 10.0)
    assert message["data"]["window"] == "daily"
    assert node.told.is_set()
    scene.spend(key, 6 * USD)
    await node.look()
    await scene.node().look()  # after a restart
    assert scene.told() == [50, 80, 100]
    scene.limit(key, 100 * USD)
    await scene.node().look()
    scene.limit(key, 11 * USD)
    await scene.node().look()
    assert scene.told() == [50, 80, 100], "the window is the same"


async def test_credit_that_was_added_arms_what_was_told(scene: Scene) -> None:
    opened = office_credits.open_prepaid("Acme", free_credit=NanoUsd(10 * USD), now=1.0)
    account = scene.ledger.run_now(opened).account.id
    scene.rule(account=account, percent=(80,))
    held = purse_of_account(account)
    spend = f"UPDATE purse SET spent_nanos = {8 * USD} WHERE id = '{held.id}'"
    scene.ledger.run_now(lambda c: c.execute(text(spend)))
    for _ in range(2):
        await scene.node().look()
    assert scene.told() == [80]
    scene.ledger.run_now(lambda c: leases.raise_limit(c, held, 10 * USD))
    for _ in range(2):
        await scene.node().look()
    assert scene.told() == [80], "8 of 20 dollars are no news"
    scene.ledger.run_now(lambda c: c.execute(text(spend.replace(str(8 * USD), str(16 * USD)))))
    await scene.node().look()
    assert scene.told() == [80, 80]


async def test_sums_of_a_key_and_of_an_account_need_no_limit(scene: Scene) -> None:
    one, other = scene.key(), scene.key()
    scene.rule(key_hash=one.hash, usd=(1, "2.5"), window="daily")
    scene.rule(usd=(4,), window="monthly")
    scene.rule(usd=(1000,), window="total")
    scene.record(one, 2 * USD)
    await scene.node().look()
    assert scene.told() == [1.0]
    scene.record(other, USD)
    scene.record(one, USD // 2)
    await scene.node().look()
    assert scene.told() == [1.0, 2.5]
    scene.record(other, USD // 2)
    await scene.node().look()
    assert scene.told() == [1.0, 2.5, 4.0]
    assert {each["data"]["window"] for each in scene.sent()} == {"daily", "monthly"}


async def test_what_was_spent_on_other_days_is_not_of_today(scene: Scene) -> None:
    key = scene.key()
    scene.rule(key_hash=key.hash, usd=(3,), window="daily", at=time.time())
    scene.rule(usd=(3,), window="total")
    scene.record(key, 2 * USD, ago_s=3 * DAY_S)
    scene.record(key, 2 * USD)
    await scene.node().look()
    assert [each["data"]["window"] for each in scene.sent()] == ["total"]


async def test_a_window_that_just_ended_is_looked_at_once_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_figures, "LATE_S", 2.0 * DAY_S)  # as if it were just past midnight
    key, yesterday = scene.key(limit=USD, reset="daily"), float(DAY_S)
    scene.rule(key_hash=key.hash, percent=(100,), at=1.0)
    scene.rule(key_hash=key.hash, usd=(1,), window="daily", at=1.0)
    scene.rule(key_hash=key.hash, usd=(1,), window="daily", at=time.time())
    scene.spend(key, USD, ago_s=yesterday)
    scene.record(key, USD, ago_s=yesterday)
    for _ in range(2):
        await scene.node().look()
    told = scene.sent()
    assert len(told) == 2, "one rule was made only today"
    assert len({each["data"]["window_start"] for each in told}) == 1


@pytest.mark.parametrize(
    ("interval", "at", "since", "starts"),
    [
        ("total", 1e9, 0.0, (0,)),
        ("daily", 10 * DAY_S + 5.0, 0.0, (9 * DAY_S, 10 * DAY_S)),
        ("daily", 10 * DAY_S + 5.0, 10.0 * DAY_S, (10 * DAY_S,)),
        ("daily", 10 * DAY_S + 3601.0, 0.0, (10 * DAY_S,)),
        ("weekly", 4 * DAY_S + 1.0, 0.0, (-3 * DAY_S, 4 * DAY_S)),
        ("monthly", 31 * DAY_S + 1.0, 0.0, (0, 31 * DAY_S)),
    ],
)
def test_windows_to_be_judged(
    interval: str, at: float, since: float, starts: tuple[int, ...]
) -> None:
    assert windows(interval, at, since).starts == starts  # type: ignore[arg-type]


async def test_of_several_nodes_one_tells(scene: Scene) -> None:
    key = scene.key(limit=USD)
    for _ in range(5):
        scene.rule(key_hash=key.hash, percent=(50, 100), emails=("bob@example.com",))
    scene.spend(key, USD)
    nodes = [scene.node(name=f"node-{n}") for n in range(4)]
    await asyncio.gather(*(node.look() for node in nodes))
    assert scene.told() == sorted([50, 100] * 2 * 5)
    assert len({each["data"]["alert_id"] for each in scene.sent()}) == 5


class Flaky:
    """A database whose next write is done, or not, and in any case not heard of."""

    def __init__(self, real: Database, trouble: str) -> None:
        self.read = real.read
        self._real = real
        self._trouble = trouble

    async def run(self, work: object) -> None:
        if self._trouble == "after":
            await self._real.run(work)  # type: ignore[arg-type]
        raise Unavailable("silent")


@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_a_keeper_that_dies_while_it_tells_neither_loses_nor_repeats(
    scene: Scene, trouble: str
) -> None:
    key = scene.key(limit=USD)
    scene.rule(key_hash=key.hash, percent=(50, 100))
    scene.spend(key, USD)
    node = scene.node()
    node._ledger = Flaky(scene.ledger, trouble)  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await node.look()
    assert len(scene.sent()) == (2 if trouble == "after" else 0)
    await scene.node().look()
    assert scene.told() == [50, 100]


async def test_a_look_costs_nothing_while_nothing_is_booked(scene: Scene) -> None:
    node, reads = scene.node(), 0
    real = node._ledger.read

    async def read(work: object) -> object:
        nonlocal reads
        reads += 1
        return await real(work)  # type: ignore[arg-type]

    node._ledger = type("Counted", (), {"read": staticmethod(read), "run": None})()
    await node.look()
    assert (reads, scene.flushes) == (1, 0), "without rules one small read"
    for _ in range(5):
        await node.look()
    assert reads == 1
    scene.booked += 1
    await node.look()
    assert reads == 2
    scene.clock.now += ANYWAY_S
    node._mended = True
    await node.look()
    assert reads == 3, "limits may have changed elsewhere"


async def test_a_rule_that_was_changed_or_disabled_tells_accordingly(scene: Scene) -> None:
    key = scene.key(limit=10 * USD)
    rule = scene.rule(key_hash=key.hash, percent=(50,))
    scene.spend(key, 6 * USD)

    async def change(**said: object) -> None:
        work = alerts.amend(rule.id, AlertChange(**said), ALERTING, manager())  # type: ignore[arg-type]
        scene.ledger.run_now(work)
        await scene.node().look()

    await change(disabled=True)
    assert scene.sent() == []
    await change(disabled=False)
    assert scene.told() == [50]
    await change(percent=(50, 60))
    assert scene.told() == [50, 60], "what was told of is not told again"
    scene.record(key, 6 * USD)
    await change(usd=(5,), window="total")
    assert scene.told() == [5.0, 50, 60]
    actions = [entry.action for entry in scene.ledger.run_now(latest(10))]
    assert actions.count("alert.update") == 4
    scene.ledger.run_now(alerts.remove(rule.id, manager()))
    assert scene.sent() == []
    assert scene.ledger.run_now(lambda c: alert_rows.told(c, [rule.id])) == {}


async def test_a_journal_that_is_refused_is_told_once_and_stands_until_it_is_mended(
    scene: Scene,
) -> None:
    node = scene.node(HOUSE)
    await node.look()
    assert not scene.troubles.said
    scene.refused = {"abc": "a segment is missing"}
    for each in (node, node, scene.node(HOUSE)):
        await each.look()
    (message,) = scene.sent()
    assert message["type"] == "house.journal_refused"
    assert message["data"] == {
        "node": "node", "journal": "abc", "reason": "a segment is missing",
    }  # fmt: skip
    (trouble,) = scene.troubles.said
    assert trouble == "The journal abc cannot be booked: a segment is missing"
    standing = alert_rows.notes("journal:")
    assert scene.ledger.run_now(standing) == {"journal:node:abc": "a segment is missing"}
    scene.refused = {}
    again = scene.node(HOUSE)
    await again.look()
    assert scene.ledger.run_now(standing), "it may not have been looked at since the start"
    scene.clock.now += CLEAR_S
    await again.look()
    assert scene.ledger.run_now(standing) == {}
    assert not scene.troubles.said
    scene.refused = {"abc": "again"}
    await again.look()
    assert len(scene.sent()) == 2
