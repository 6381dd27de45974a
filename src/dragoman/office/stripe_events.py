"""What Stripe tells by webhooks goes into the books, each payment and refund once.

Stripe repeats events, and may tell them in any order (its docs, "Receive Stripe events in
your webhook endpoint"). So a payment is booked under the id of its PaymentIntent; refunds are
`stripe_refunds`' job. The audit entry is in the same transaction.
"""

import hashlib
import hmac
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import MOST_AT_ONCE, NanoUsd
from dragoman.office.checkout import ACCOUNT, CENTS
from dragoman.office.credits import add as add_credit
from dragoman.office.stripe_refunds import (
    NANOS_OF_CENT,
    Charge,
    Refund,
    Told,
    failed,
    reference_of,
    refunded,
)
from dragoman.store.sql import Work

T = TypeVar("T")

TOLERANCE_S: Final = 300
"""How far the clock of a signature may be from ours; as in Stripe's libraries."""
MOST_SIGNATURES: Final = 20
MOST_CENTS: Final = int(MOST_AT_ONCE) * 100
ACTOR: Final = "stripe"

Booked = Literal["booked", "repeated", "ignored"]


class _Previous(Struct, frozen=True):
    """What an event says of members before it."""

    amount_refunded: int | None = None


class _Data(Struct, frozen=True):
    object: Raw
    previous_attributes: _Previous = _Previous()


class Event(Struct, frozen=True):
    """An event, as far as it is read here."""

    id: str
    type: str
    data: _Data
    created: int = 0


class _Session(Struct, frozen=True, kw_only=True):
    """A Checkout Session. Amounts are in cents."""

    id: str
    payment_status: str
    payment_intent: str | None = None
    currency: str | None = None
    amount_total: int | None = None
    metadata: dict[str, str] | None = None


def read_event(body: bytes, signature: str, secret: str, now: float) -> Event:
    """Return an event that Stripe signed. Raises InvalidRequest for anything else.

    Source: Stripe's docs, "Verify webhook signatures manually".
    """
    _check_signature(body, signature, secret, now)
    return _read(body, Event)


def book(event: Event, now: float) -> Work[Booked]:
    """Book what an event tells of money. Raises InvalidRequest for what cannot be booked.

    Raises Conflict for a refund of a payment that is not booked yet, and for one that failed and
    is not booked yet: Stripe repeats it later.
    """
    match event.type:
        case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
            return _paid(_read(event.data.object, _Session), event, now)
        case "charge.refunded":
            charge = _read(event.data.object, Charge)
            before = event.data.previous_attributes.amount_refunded
            return _answer(refunded(charge, before, Told(event.id, event.created, now)))
        case "refund.failed" | "refund.updated" | "charge.refund.updated":
            refund = _read(event.data.object, Refund)
            return _answer(failed(refund, Told(event.id, event.created, now)))
        case _:
            return lambda _: "ignored"


def _paid(session: _Session, event: Event, now: float) -> Work[Booked]:
    ours = session.metadata or {}
    if ACCOUNT not in ours or session.payment_status != "paid":
        return lambda _: "ignored"  # of another shop, or to be paid later
    try:
        cents = min(int(ours.get(CENTS, "")), session.amount_total or 0)
    except ValueError:
        cents = 0
    if not 0 < cents <= MOST_CENTS or session.currency != "usd" or not session.payment_intent:
        raise InvalidRequest(f"The session {session.id} is not as it was made")
    account, reference = ours[ACCOUNT], reference_of(session.payment_intent)
    add = add_credit(
        account, NanoUsd(cents * NANOS_OF_CENT), reference=reference, grant=False, now=now
    )

    def work(connection: Connection) -> Booked:
        keyring.touch(connection)
        if add(connection).repeated:
            return "repeated"
        detail = {"reference": reference, "usd_cents": cents, "event": event.id}
        act = Act(actor=ACTOR, at=now)
        audit.append(connection, act, "credits.add", f"account:{account}", detail)
        return "booked"

    return work


def _answer(work: Work[bool | None]) -> Work[Booked]:
    """Do it, and say what came of it: whether it was new, or None where it is none of ours."""
    answers: dict[bool | None, Booked] = {True: "booked", False: "repeated", None: "ignored"}
    return lambda connection: answers[work(connection)]


def _check_signature(body: bytes, header: str, secret: str, now: float) -> None:
    told: list[str] = []
    at = None
    for part in header.split(",")[:MOST_SIGNATURES]:
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isdecimal() and len(value) <= 12:
            at = value
        elif name == "v1":
            told.append(value)
    if at is None or not told:
        raise InvalidRequest("Stripe-Signature: the header is missing or malformed")
    signed = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    matches = [hmac.compare_digest(signed.encode(), each.encode()) for each in told]
    if not any(matches):
        raise InvalidRequest("Stripe-Signature: no signature matches")
    if abs(now - int(at)) > TOLERANCE_S:
        raise InvalidRequest("Stripe-Signature: the time is too far from now")


def _read(body: bytes | Raw, as_: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=as_)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"This is not an event as Stripe sends it: {error}") from error
