"""Have Stripe make a page where credit is bought. The money is booked when Stripe tells of it.

Source: Stripe's API reference, "Create a Checkout Session". What is bought and for whom goes
along as metadata, of the session and of its payment, and comes back in webhooks.
"""

import logging
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from dragoman.core.errors import InvalidRequest, KeyReused, ProviderUnavailable
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.office.stripe_options import StripeOptions, cents_of

LIMITS: Final = Limits(head_s=20.0, idle_s=10.0, body_bytes=1024 * 1024)
ACCOUNT: Final = "dragoman_account"
CENTS: Final = "dragoman_cents"

_log = logging.getLogger(__name__)


class Page(Struct, frozen=True):
    """A page to pay at."""

    id: str
    url: str
    amount: float
    """What is bought, in USD."""


class PageBody(Struct, frozen=True):
    """The whole body."""

    data: Page


class _Session(Struct, frozen=True):
    id: str
    url: str


class _Error(Struct, frozen=True):
    type: str = ""
    code: str = ""


class _Refusal(Struct, frozen=True):
    error: _Error = _Error()


class Checkout(Struct, frozen=True):
    """What sells credit."""

    options: StripeOptions
    transport: Transport

    async def open(self, account: str, amount: float, repeat: str | None) -> Page:
        """Return a page where the account can buy credit for so many USD.

        `repeat` is the request's `Idempotency-Key`: with the same one Stripe returns the same
        page. Raises InvalidRequest for an amount that is not sold, KeyReused, and
        ProviderUnavailable when Stripe does not do it.
        """
        options = self.options
        if amount not in options.amounts:
            sold = ", ".join(f"{each:g}" for each in options.amounts)
            raise InvalidRequest(f"amount: credit is sold for {sold} USD")
        headers = [
            ("Authorization", f"Bearer {options.secret_key}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        if repeat is not None:
            headers.append(("Idempotency-Key", f"{account}:{repeat}"[:255]))
        request = Request(
            method="POST",
            url=f"{options.api_base.rstrip('/')}/v1/checkout/sessions",
            headers=tuple(headers),
            body=urlencode(_form(options, account, cents_of(amount))).encode(),
        )
        session = await self._made(request)
        return Page(session.id, session.url, amount)

    async def _made(self, request: Request) -> _Session:
        try:
            response = await self.transport.send(request, LIMITS)
            try:
                body = await response.read()
            finally:
                response.close()
            if response.status == 200:
                return msgspec.json.decode(body, type=_Session)
            refusal = msgspec.json.decode(body, type=_Refusal).error
        except (NetError, msgspec.DecodeError) as error:
            _log.warning("stripe.failed cause=%s", error)
            raise ProviderUnavailable("Stripe did not answer as it should.") from error
        _log.warning(
            "stripe.refused status=%d type=%s code=%s", response.status, refusal.type, refusal.code
        )
        if refusal.type == "idempotency_error":
            raise KeyReused("Idempotency-Key: it came with another request before; use a new one")
        raise ProviderUnavailable(f"Stripe refused, with {response.status}; the log says why.")


def _form(options: StripeOptions, account: str, cents: int) -> list[tuple[str, str]]:
    ours = {ACCOUNT: account, CENTS: str(cents)}
    item = "line_items[0]"
    return [
        ("mode", "payment"),
        (f"{item}[quantity]", "1"),
        (f"{item}[price_data][currency]", "usd"),
        (f"{item}[price_data][unit_amount]", str(cents)),
        (f"{item}[price_data][product_data][name]", options.product),
        # Else it may be paid in the buyer's currency, which is what refunds are told in then.
        ("adaptive_pricing[enabled]", "false"),
        ("client_reference_id", account),
        ("success_url", options.success_url),
        ("cancel_url", options.cancel_url or options.success_url),
        *((f"metadata[{name}]", value) for name, value in ours.items()),
        *((f"payment_intent_data[metadata][{name}]", value) for name, value in ours.items()),
    ]
