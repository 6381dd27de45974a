"""Credit that is paid back by Stripe: in any order, in any currency, and when that failed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.access import audit, pulse
from dragoman.ledger import entries
from dragoman.ledger.proof import prove
from dragoman.office import credits as office
from dragoman.office.premises import Premises
from tests.app.shop import (
    CENT,
    Shop,
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is


@pytest.fixture
async def shop(premises: Premises) -> AsyncIterator[Shop]:
    shop = Shop(premises)
    async with shop.running():
        yield shop


async def test_refunds_count_up_in_whatever_order_they_come(shop: Shop) -> None:
    early = await shop.tell(shop.refunded(100))
    assert (early.status, early.headers["x-should-retry"]) == (409, "true")
    await shop.told(shop.paid())
    for cents in (300, 900, 300, 900, 400):
        await shop.told(shop.refunded(cents))
    assert shop.statement.credits == 100 * CENT
    await shop.told(shop.refunded(1190))  # with its tax
    assert shop.statement.credits == 0
    told = shop.premises.ledger.read_now(audit.latest(20))
    assert [each.action for each in told].count("credits.refund") == 3
    assert shop.premises.ledger.read_now(prove).holds


async def test_a_refund_of_what_was_paid_in_another_currency_is_the_same_part(shop: Shop) -> None:
    await shop.told(shop.paid())
    paid_in_yen = {"currency": "jpy", "amount": 1580}
    await shop.told(shop.refunded(316, **paid_in_yen))
    assert shop.statement.credits == 800 * CENT
    await shop.told(shop.refunded(316, **paid_in_yen))
    await shop.told(shop.refunded(1580, **paid_in_yen))
    assert shop.statement.credits == 0
    odd = await shop.tell(shop.refunded(1, currency="eur"))
    assert odd.status == 400
    paid_in_euros = {"currency": "eur", "amount": 870, "payment_intent": "pi_2"}
    await shop.told(shop.paid(payment_intent="pi_2"))
    await shop.told(shop.refunded(870, **paid_in_euros))
    assert shop.statement.credits == 0
    assert shop.premises.ledger.read_now(prove).holds


@pytest.mark.parametrize("still_counted", [False, True])
async def test_credit_whose_refund_failed_comes_back_once(
    shop: Shop, *, still_counted: bool
) -> None:
    await shop.told(shop.paid())
    early = await shop.tell(shop.failed(400, 20))
    assert (early.status, early.headers["x-should-retry"]) == (409, "true")
    first = shop.refunded(400) | {"created": 10}
    await shop.told(first)
    same = shop.failed(400, 21) | {"type": "refund.updated"}
    for each in (shop.failed(400, 20), same, shop.failed(400, 20), first):
        await shop.told(each)
        assert shop.statement.credits == 1000 * CENT
    # Another refund of the same amount, whether or not the charge still counts the first.
    counted = 400 if still_counted else 0
    again = shop.refunded(counted + 400) | {"created": 30, "id": "evt_again"}
    again["data"]["previous_attributes"] = {"amount_refunded": counted}
    for each in (again, first, again, shop.failed(400, 20)):
        await shop.told(each)
        assert shop.statement.credits == 600 * CENT
    assert shop.premises.ledger.read_now(prove).holds
    assert shop.premises.ledger.read_now(
        lambda connection: entries.bought(connection, shop.account)
    ) == (600 * CENT)
    assert (shop.statement.free, shop.statement.reserved) == (600 * CENT, 0)


async def test_of_two_refunds_only_that_which_failed_comes_back(shop: Shop) -> None:
    await shop.told(shop.paid())
    await shop.told(shop.refunded(300) | {"created": 10})
    await shop.told(shop.failed(300, 20))
    await shop.told(shop.refunded(500) | {"created": 15})  # late, and counts the first, too
    assert shop.statement.credits == 800 * CENT
    await shop.told(shop.failed(200, 40, id="re_2", status="canceled"))
    assert shop.statement.credits == 1000 * CENT
    assert shop.premises.ledger.read_now(prove).holds


async def test_a_failed_refund_in_another_currency_gives_back_the_same_part(shop: Shop) -> None:
    await shop.told(shop.paid())
    paid_in_yen = {"currency": "jpy", "amount": 1580}
    await shop.told(shop.refunded(316, **paid_in_yen) | {"created": 10})
    await shop.told(shop.failed(316, 20))
    assert shop.statement.credits == 1000 * CENT


@pytest.mark.parametrize(
    "changes", [{"status": "succeeded"}, {"payment_intent": "pi_9"}, {"payment_intent": None}]
)
async def test_refunds_that_did_not_fail_or_are_of_others_are_left(
    shop: Shop, changes: dict[str, Any]
) -> None:
    await shop.told(shop.paid())
    await shop.told(shop.refunded(1000))
    await shop.told(shop.failed(1000, 20, **changes))
    assert shop.statement.credits == 0


async def test_a_refund_of_what_was_spent_freezes_the_account(shop: Shop) -> None:
    await shop.told(shop.paid())
    assert (await shop.chat()).status == 200
    await shop.told(shop.refunded(1000))
    client = await answered(shop, 402)
    assert client.json()["error"]["metadata"]["limit_source"] == "openrouter_credits"
    await shop.background.counting.applier.catch_up()
    usage = shop.statement.usage
    assert usage > 0
    assert shop.statement.account.balance_nanos == -usage
    assert shop.premises.ledger.read_now(prove).holds
    await shop.told(shop.paid(payment_intent="pi_2"))
    assert (await answered(shop, 200)).status == 200


async def answered(shop: Shop, status: int) -> Any:
    """Return an answer of this status, once the worker has heard how the account stands."""
    async with asyncio.timeout(30):
        while True:
            client = await shop.chat()
            if client.status == status:
                return client
            await asyncio.sleep(0.05)


async def test_a_postpaid_account_is_refunded_and_goes_on(shop: Shop) -> None:
    ours = {"dragoman_account": "default", "dragoman_cents": "1000"}
    await shop.told(shop.paid(metadata=ours))
    await shop.told(shop.refunded(1000))
    shown = shop.premises.ledger.read_now(office.statement("default"))
    assert (shown.credits, shown.free) == (0, None)
