"""Credit that is bought: pages to pay at, signed events, repeats. Stripe is scripted."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.access import audit, pulse
from dragoman.ledger import references
from dragoman.ledger.proof import prove
from dragoman.ledger.types import Code
from dragoman.office.premises import Premises
from tests.app.node import Node
from tests.app.shop import (
    CENT,
    CHECKOUT,
    SECRET,
    SIGNED_WITH,
    WEBHOOK,
    Shop,
    Stripe,
    event,
    signature,
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is


@pytest.fixture
async def shop(premises: Premises) -> AsyncIterator[Shop]:
    shop = Shop(premises)
    async with shop.running():
        yield shop


async def test_a_page_is_made_for_an_amount_that_is_sold(premises: Premises) -> None:
    async with Stripe().open() as stripe:
        shop = Shop(premises, stripe.url)
        async with shop.running():
            wanted = {"amount": 25.5}
            client = await shop.call("POST", CHECKOUT, wanted, key=shop.boss, idempotency_key="r1")
    assert client.json() == {
        "data": {"id": "cs_1", "url": "https://pay.example/cs_1", "amount": 25.5}
    }
    ((headers, form),) = stripe.asked
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["idempotency-key"] == f"{shop.account}:r1"
    assert form["mode"] == "payment"
    assert form["line_items[0][price_data][unit_amount]"] == "2550"
    assert form["line_items[0][price_data][currency]"] == "usd"
    assert form["adaptive_pricing[enabled]"] == "false"
    assert form["client_reference_id"] == shop.account
    for where in ("metadata", "payment_intent_data[metadata]"):
        assert form[f"{where}[dragoman_account]"] == shop.account
        assert form[f"{where}[dragoman_cents]"] == "2550"
    assert form["success_url"] == form["cancel_url"] == "https://app.example/thanks"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((400, {"error": {"type": "idempotency_error"}}), 422),
        ((401, {"error": {"type": "invalid_request_error", "code": None}}), 502),
        ((402, {"error": {"type": "card_error", "code": "declined"}}), 502),
        ((200, b"<html>"), 502),
        ((200, {"id": "cs_1"}), 502),
    ],
)
async def test_a_refusal_of_stripe_is_told_without_its_words(
    premises: Premises, answer: tuple[int, Any], status: int
) -> None:
    async with Stripe().open() as stripe:
        stripe.answer = answer
        shop = Shop(premises, stripe.url)
        async with shop.running():
            client = await shop.call("POST", CHECKOUT, {"amount": 10}, key=shop.boss)
    assert client.status == status
    assert SECRET.encode() not in client.body


async def test_who_may_buy_and_what(shop: Shop) -> None:
    async def status(key: str, body: Any) -> int:
        return (await shop.call("POST", CHECKOUT, body, key=key)).status

    assert await status(shop.key, {"amount": 10}) == 403
    assert await status("", {"amount": 10}) == 401
    for body in ({"amount": 11}, {"amount": -10}, {"amount": "10"}, {}, {"amount": 10, "to": "x"}):
        assert await status(shop.boss, body) == 400


async def test_nothing_is_there_unless_it_is_configured(premises: Premises) -> None:
    node = Node(premises)
    boss = node.mint("boss", kind="management")
    async with node.running():
        assert (await node.call("POST", CHECKOUT, {"amount": 10}, key=boss)).status == 404
        assert (await node.call("POST", WEBHOOK, b"{}")).status == 404


@pytest.mark.parametrize(
    "events",
    [
        ["completed"],
        ["completed", "completed", "async_payment_succeeded"],
        ["async_payment_succeeded", "completed"],
    ],
)
async def test_a_payment_is_booked_once(shop: Shop, events: list[str]) -> None:
    for name in events:
        await shop.told(shop.paid() | {"type": f"checkout.session.{name}"})
    shown = shop.statement
    assert (shown.credits, shown.free) == (1000 * CENT, 1000 * CENT)
    entry = shop.premises.ledger.read_now(
        lambda connection: references.find(connection, Code.TOP_UP, "stripe:pi_1")
    )
    assert entry is not None
    assert (entry.credit, entry.debit) == (shop.account, "house:cash")
    told = shop.premises.ledger.read_now(audit.latest(10))
    booked = [each for each in told if each.action == "credits.add"]
    assert [(each.actor, each.subject) for each in booked] == [
        ("stripe", f"account:{shop.account}")
    ]
    assert shop.premises.ledger.read_now(prove).holds
    assert (await shop.chat()).status == 200


async def test_events_at_the_same_time_are_booked_once(shop: Shop) -> None:
    await asyncio.gather(*(shop.told(shop.paid()) for _ in range(5)))
    await asyncio.gather(*(shop.told(shop.refunded(400)) for _ in range(5)))
    assert shop.statement.credits == 600 * CENT


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_status": "unpaid"},
        {"metadata": {}},
        {"metadata": None},
        {"metadata": {"order_id": "of another shop"}},
    ],
)
async def test_what_is_not_paid_or_not_ours_is_left(shop: Shop, changes: dict[str, Any]) -> None:
    await shop.told(shop.paid(**changes))
    await shop.told(event("customer.created", {"id": "cus_1"}))
    await shop.told(shop.refunded(100, metadata={}))
    await shop.told(shop.refunded(100, payment_intent=None))
    assert shop.statement.credits == 0


async def test_no_more_is_credited_than_was_paid_or_sold(shop: Shop) -> None:
    await shop.told(shop.paid(cents=1000, amount_total=700))
    await shop.told(shop.paid(cents=1000, amount_total=1190, payment_intent="pi_2"))
    assert shop.statement.credits == 1700 * CENT


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "eur"},
        {"payment_intent": None},
        {"amount_total": None},
        {"amount_total": -5},
        {"amount_total": "1000"},
        {"metadata": {"dragoman_account": "acct_none", "dragoman_cents": "1000"}},
        {
            "amount_total": 10**18,
            "metadata": {"dragoman_account": "default", "dragoman_cents": "9" * 18},
        },
    ],
)
async def test_what_cannot_be_booked_is_refused(shop: Shop, changes: dict[str, Any]) -> None:
    assert (await shop.tell(shop.paid(**changes))).status in {400, 404}
    assert shop.statement.credits == 0
    assert shop.premises.ledger.read_now(prove).entries == 0


async def test_only_what_stripe_signed_of_late_is_believed(shop: Shop) -> None:
    now = time.time()
    body = json.dumps(shop.paid()).encode()
    good = signature(body, now, SIGNED_WITH)
    refused = [
        await shop.tell(body, secret="whsec_other"),
        await shop.tell(body, at=now - 400),
        await shop.tell(body, at=now + 400),
        await shop.tell(b"{}"),
        await shop.tell(b"no JSON"),
        await shop.call("POST", WEBHOOK, body),
        await shop.call("POST", WEBHOOK, body + b" ", stripe_signature=good),
    ]
    headers = (
        "t=,v1=",
        "v1=" + "0" * 64,
        f"t={int(now)}",
        "t=x,v1=y",
        "t=٣,v1=y",
        "ü",
        "," * 99,
    )
    refused += [
        await shop.call("POST", WEBHOOK, body, stripe_signature=header) for header in headers
    ]
    assert [client.status for client in refused] == [400] * len(refused)
    assert shop.statement.credits == 0
    client = await shop.call("POST", WEBHOOK, body, stripe_signature=good)
    assert client.status == 200
