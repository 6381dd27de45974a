"""Credit that is bought: pages to pay at, signed events, repeats, refunds. Stripe is scripted."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from dragoman.access import audit, pulse
from dragoman.access.types import Grant
from dragoman.config import Options
from dragoman.core.money import NanoUsd
from dragoman.ledger import entries, references
from dragoman.ledger.proof import prove
from dragoman.ledger.types import Code
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.premises import Premises
from dragoman.office.stripe_options import StripeOptions
from tests.app.node import Node

WEBHOOK, SECRET, SIGNED_WITH = "/webhooks/stripe", "sk_test_house", "whsec_test"
CHECKOUT = "/api/v1/credits/checkout"
CENT = 10_000_000


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is


class Stripe:
    """A server that makes Checkout Sessions, or refuses to."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], dict[str, str]]] = []
        self.answer: tuple[int, Any] = (200, {"id": "cs_1", "url": "https://pay.example/cs_1"})
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Stripe"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        yield self
        server.close()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert head[0] == "POST /v1/checkout/sessions HTTP/1.1"
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        form = parse_qs((await reader.readexactly(int(headers["content-length"]))).decode())
        self.asked.append((headers, {name: value for name, (value,) in form.items()}))
        status, body = self.answer
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, len(data), data)
        )
        await writer.drain()
        writer.close()


class Shop(Node):
    """A node that sells credit for the account of its management key, which is prepaid."""

    def __init__(self, premises: Premises, url: str = "https://stripe.invalid") -> None:
        options = StripeOptions(
            secret_key=SECRET,
            webhook_secret=SIGNED_WITH,
            success_url="https://app.example/thanks",
            amounts=(10, 25.5),
            api_base=url,
        )
        super().__init__(premises, Options(stripe=options))
        opened = office.open_prepaid("Acme", free_credit=NanoUsd(0), now=0.0)
        self.account = premises.ledger.run_now(opened).account.id
        self.key = self._of_account("app", "inference")
        self.boss = self._of_account("boss", "management")

    def _of_account(self, name: str, kind: Any) -> str:
        work = keys.create(
            name,
            prefix="sk-dm-v1-",
            pepper=self.premises.pepper,
            now=1.0,
            grant=Grant(kind=kind),
            account=self.account,
        )
        return self.premises.ledger.run_now(work)[0]

    async def tell(self, event: Any, *, at: float | None = None, secret: str = SIGNED_WITH) -> Any:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return await self.call(
            "POST", WEBHOOK, body, stripe_signature=signature(body, at or time.time(), secret)
        )

    async def told(self, event: Any) -> None:
        client = await self.tell(event)
        assert (client.status, client.json()) == (200, {"received": True}), client.body

    @property
    def statement(self) -> office.Statement:
        return self.premises.ledger.read_now(office.statement(self.account))

    def paid(self, *, cents: int = 1000, **changes: Any) -> dict[str, Any]:
        session = {
            "id": "cs_1",
            "object": "checkout.session",
            "payment_status": "paid",
            "payment_intent": "pi_1",
            "currency": "usd",
            "amount_total": cents,
            "metadata": {"dragoman_account": self.account, "dragoman_cents": str(cents)},
        }
        return event("checkout.session.completed", session | changes)

    def refunded(self, cents: int, **changes: Any) -> dict[str, Any]:
        charge = {
            "id": "ch_1",
            "object": "charge",
            "payment_intent": "pi_1",
            "amount_refunded": cents,
            "metadata": {"dragoman_account": self.account},
        }
        return event("charge.refunded", charge | changes)

    def failed(self, cents: int, at: int, **changes: Any) -> dict[str, Any]:
        refund = {
            "id": "re_1",
            "object": "refund",
            "payment_intent": "pi_1",
            "amount": cents,
            "status": "failed",
            "failure_reason": "expired_or_canceled_card",
        }
        return event("refund.failed", refund | changes) | {"created": at}


def event(type_: str, object_: dict[str, Any]) -> dict[str, Any]:
    id_ = hashlib.sha256(json.dumps([type_, object_]).encode()).hexdigest()[:24]
    return {"id": f"evt_{id_}", "object": "event", "type": type_, "data": {"object": object_}}


def signature(body: bytes, at: float, secret: str) -> str:
    signed = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={'0' * 64},v1={signed},v0=old"


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
