"""A node that sells credit by Stripe, whose server and events are scripted."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from dragoman.access.types import Grant
from dragoman.config import Options
from dragoman.core.money import NanoUsd
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.premises import Premises
from dragoman.office.stripe_options import StripeOptions
from tests.app.node import Node

WEBHOOK, SECRET, SIGNED_WITH = "/webhooks/stripe", "sk_test_house", "whsec_test"
CHECKOUT = "/api/v1/credits/checkout"
CENT = 10_000_000


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
