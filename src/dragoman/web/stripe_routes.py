"""The routes by which credit is bought with Stripe. There are none unless that is configured.

The webhook is Stripe's alone, which its signature proves: it carries no key.
"""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from msgspec import Struct

from dragoman.access.types import Caller
from dragoman.office.checkout import Checkout, PageBody
from dragoman.office.key_admin import checked_repeat
from dragoman.office.reading import read
from dragoman.office.stripe_events import book, read_event
from dragoman.web.admission import administration
from dragoman.web.key_routes import needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

_log = logging.getLogger(__name__)


class NewCheckout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /credits/checkout`: for how many USD credit is to be bought."""

    amount: float


def stripe_routes(control: Control, checkout: Checkout) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter()
    administered = Annotated[Caller, Depends(administration(control.gate))]

    @router.post("/v1/credits/checkout", summary="Buy credit", **needs_management(NewCheckout))
    async def buy(
        request: Request,
        caller: administered,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        wanted = read(await request.body(), NewCheckout)
        repeat = None if idempotency_key is None else checked_repeat(idempotency_key)
        return json_response(PageBody(await checkout.open(caller.account, wanted.amount, repeat)))

    @router.post("/webhooks/stripe", summary="What Stripe tells")
    async def told(request: Request, stripe_signature: Annotated[str, Header()] = "") -> Response:
        now = control.clock.wall()
        secret = checkout.options.webhook_secret
        event = read_event(await request.body(), stripe_signature, secret, now)
        done = await control.ledger.run(book(event, now))
        _log.info("stripe.event id=%s type=%s done=%s", event.id, event.type, done)
        return json_response({"received": True})

    return router
