"""What Stripe tells by webhooks goes into the books, each payment and refund once.

Stripe repeats events, and may tell them in any order (its docs, "Receive Stripe events in
your webhook endpoint"). So a payment is booked under the id of its PaymentIntent, and of
refunds, which a charge counts up, what is not booked yet. The audit entry is in the same
transaction.
"""

import hashlib
import hmac
import logging
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.core.errors import Conflict, InvalidRequest
from dragoman.core.money import MOST_AT_ONCE, NanoUsd
from dragoman.ledger import entries, leases, references
from dragoman.ledger.purses import purse_of_account
from dragoman.ledger.types import Code, Entry, House
from dragoman.office.checkout import ACCOUNT, CENTS
from dragoman.office.credits import add as add_credit
from dragoman.store.sql import Work

T = TypeVar("T")

TOLERANCE_S: Final = 300
"""How far the clock of a signature may be from ours; as in Stripe's libraries."""
MOST_SIGNATURES: Final = 20
NANOS_OF_CENT: Final = 10_000_000
MOST_CENTS: Final = int(MOST_AT_ONCE) * 100
ACTOR: Final = "stripe"

Booked = Literal["booked", "repeated", "ignored"]

_log = logging.getLogger(__name__)


class _Data(Struct, frozen=True):
    object: Raw


class Event(Struct, frozen=True):
    """An event, as far as it is read here."""

    id: str
    type: str
    data: _Data


class _Session(Struct, frozen=True, kw_only=True):
    """A Checkout Session. Amounts are in cents."""

    id: str
    payment_status: str
    payment_intent: str | None = None
    currency: str | None = None
    amount_total: int | None = None
    metadata: dict[str, str] | None = None


class _Charge(Struct, frozen=True, kw_only=True):
    """A Charge. `amount_refunded` is what was refunded of it so far.

    Amounts are in the smallest unit of the currency that the buyer paid in.
    """

    id: str
    amount_refunded: int
    amount: int = 0
    currency: str = "usd"
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


def read_event(body: bytes, signature: str, secret: str, now: float) -> Event:
    """Return an event that Stripe signed. Raises InvalidRequest for anything else.

    Source: Stripe's docs, "Verify webhook signatures manually".
    """
    _check_signature(body, signature, secret, now)
    return _read(body, Event)


def book(event: Event, now: float) -> Work[Booked]:
    """Book what an event tells of money. Raises InvalidRequest for what cannot be booked.

    Raises Conflict for a refund of a payment that is not booked yet: Stripe repeats it later.
    """
    match event.type:
        case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
            return _paid(_read(event.data.object, _Session), event, now)
        case "charge.refunded":
            return _refunded(_read(event.data.object, _Charge), event, now)
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
    account, reference = ours[ACCOUNT], _reference(session.payment_intent)
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


def _refunded(charge: _Charge, event: Event, now: float) -> Work[Booked]:
    payment = charge.payment_intent
    if not payment:
        return lambda _: "ignored"
    is_ours = ACCOUNT in (charge.metadata or {})

    def work(connection: Connection) -> Booked:
        keyring.touch(connection)  # of two events of a charge the other waits here
        bought = references.find(connection, Code.TOP_UP, _reference(payment))
        if bought is None:
            if is_ours:
                raise Conflict("The payment of this refund is not booked yet.", should_retry=True)
            return "ignored"
        beginning = f"{_reference(payment)}:"
        before = references.total(connection, Code.REFUND, beginning)
        owed = _given_up(charge, bought.amount_nanos) - before
        if owed <= 0:
            return "repeated"
        reference = f"{beginning}{charge.amount_refunded}"
        _take_back(connection, bought.credit, (NanoUsd(owed), reference), now)
        detail = {"reference": reference, "usd_cents": owed // NANOS_OF_CENT, "event": event.id}
        act = Act(actor=ACTOR, at=now)
        audit.append(connection, act, "credits.refund", f"account:{bought.credit}", detail)
        return "booked"

    return work


def _given_up(charge: _Charge, bought: int) -> int:
    """Return how much of what was bought its refunds take back, in nano-USD.

    Of what was paid in another currency (Stripe's docs, "Adaptive Pricing") it is the same part.
    """
    back = charge.amount_refunded * NANOS_OF_CENT
    if charge.currency != "usd":
        if charge.amount <= 0:
            raise InvalidRequest(f"The charge {charge.id} does not say of how much it is")
        back = -(-bought * charge.amount_refunded // charge.amount)
    return min(back, bought)


def _take_back(connection: Connection, account: str, what: tuple[NanoUsd, str], now: float) -> None:
    """Take credit off an account, an amount under a reference, though it be spent already.

    The money is gone in any case. A prepaid account may be below zero then, and gets nothing
    until it has paid up.
    """
    amount, reference = what
    held = purse_of_account(account)
    leases.lock_purses(connection, [held.id])
    back = Entry(
        debit=account,
        credit=House.CASH,
        amount_nanos=amount,
        code=Code.REFUND,
        reference=reference,
    )
    entries.transfer(connection, back, now)
    if entries.find_account(connection, account).kind == "prepaid":
        leases.raise_limit(connection, held, -amount)
        figures = leases.balance(connection, held.id)
        if figures is not None and (figures.free or 0) < 0:
            _log.warning("stripe.account_below_zero account=%s", account)


def _reference(payment_intent: str) -> str:
    return f"stripe:{payment_intent}"


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
