"""What Stripe tells of refunds goes into the books: what was paid back, and what failed to be.

A charge counts up what was refunded of it, and events come in any order, or twice. So a
refund is booked under how much was refunded by then, failed refunds included: that only ever
grows, and what is not booked yet is. A refund that failed (Stripe's docs, "Failed refunds")
is money that came back to the house, and so the credit comes back to the account, once for
each refund's id.
"""

import logging
import re
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.core.errors import Conflict, InvalidRequest
from dragoman.core.money import NanoUsd
from dragoman.ledger import entries, leases, references
from dragoman.ledger.purses import purse_of_account
from dragoman.ledger.types import Code, Entry, House
from dragoman.office.checkout import ACCOUNT
from dragoman.store.sql import Work

NANOS_OF_CENT: Final = 10_000_000
FAILED: Final = frozenset({"failed", "canceled"})
_OF = re.compile(r"of (\d+) ([a-z]+) by (.*)")
_BACK = re.compile(r"(\d+) at (\d+)")

_log = logging.getLogger(__name__)


class Told(Struct, frozen=True):
    """The event that tells of it: its id, and its time by Stripe's clock; and ours by now."""

    event: str
    created: int
    now: float

    @property
    def act(self) -> Act:
        """Who does what follows from it."""
        return Act(actor="stripe", at=self.now)


class Charge(Struct, frozen=True, kw_only=True):
    """A Charge. `amount_refunded` is what was refunded of it so far.

    Amounts are in the smallest unit of the currency that the buyer paid in.
    """

    id: str
    amount_refunded: int
    amount: int = 0
    currency: str = "usd"
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class Refund(Struct, frozen=True, kw_only=True):
    """A Refund: a part of a charge that goes back, or did not."""

    id: str
    amount: int
    status: str | None = None
    payment_intent: str | None = None


class _Back(Struct, frozen=True):
    """A refund that failed: how much it was of, and when Stripe told."""

    units: int
    created: int


class _Payment(Struct, frozen=True, kw_only=True):
    """What is booked of a payment and its refunds. Units are those of the buyer's currency.

    `seen` is how much was refunded at most, failed refunds included.
    """

    account: str
    bought: int
    net: int
    """How much of what was bought is taken back by now, in nano-USD."""
    seen: int
    failed: tuple[_Back, ...]
    amount: int
    currency: str
    events: frozenset[str]
    """Those that told of the refunds that are booked."""

    @property
    def failed_units(self) -> int:
        return sum(each.units for each in self.failed)

    def share(self, units: int) -> int:
        """Return how much of what was bought so many units are, in nano-USD.

        Of what was paid in another currency (Stripe's docs, "Adaptive Pricing") it is the same
        part. Taxes are no credit.
        """
        worth = units * NANOS_OF_CENT
        if self.currency != "usd":
            worth = -(-self.bought * units // self.amount)
        return min(worth, self.bought)


def reference_of(payment_intent: str) -> str:
    """Return the reference under which a payment is booked."""
    return f"stripe:{payment_intent}"


def refunded(charge: Charge, before: int | None, told: Told) -> Work[bool | None]:
    """Book a refund, though its credit be spent: the money is gone. None: it is none of ours.

    `before` is what had been refunded before, if the event says. Returns whether it was new.
    Raises Conflict for a refund of a payment that is not booked yet: Stripe repeats it.
    """

    def work(connection: Connection) -> bool | None:
        keyring.touch(connection)  # of two events of a charge the other waits here
        payment = _payment(connection, charge.payment_intent, charge)
        if payment is None:
            if charge.payment_intent and ACCOUNT in (charge.metadata or {}):
                raise Conflict("The payment of this refund is not booked yet.", should_retry=True)
            return None
        counted = before is not None and before >= payment.seen  # failed refunds, too
        known = sum(each.units for each in payment.failed if each.created < told.created)
        units = charge.amount_refunded + (0 if counted else known)
        owed = payment.share(units - payment.failed_units) - payment.net
        if told.event in payment.events or units <= payment.seen or owed <= 0:
            return False
        taken = Entry(
            debit=payment.account,
            credit=House.CASH,
            amount_nanos=NanoUsd(owed),
            code=Code.REFUND,
            reference=f"{reference_of(charge.payment_intent or '')}:{units}",
            note=f"of {payment.amount} {payment.currency} by {told.event}",
        )
        _move(connection, payment.account, taken, told, "credits.refund")
        return True

    return work


def failed(refund: Refund, told: Told) -> Work[bool | None]:
    """Give credit back whose refund failed or was cancelled. None: it is none of ours.

    Raises Conflict for one whose refund is not booked yet: Stripe repeats it later.
    """
    if refund.status not in FAILED:
        return lambda _: None

    def work(connection: Connection) -> bool | None:
        keyring.touch(connection)
        payment = _payment(connection, refund.payment_intent)
        if payment is None:
            return None
        reference = f"{reference_of(refund.payment_intent or '')}:failed:{refund.id}"
        if references.find(connection, Code.TOP_UP, reference) is not None:
            return False
        left = payment.seen - payment.failed_units - refund.amount
        if left < 0:
            raise Conflict("The refund that failed is not booked yet.", should_retry=True)
        back = payment.net - payment.share(left)
        if back <= 0:
            return False
        returned = Entry(
            debit=House.CASH,
            credit=payment.account,
            amount_nanos=NanoUsd(back),
            code=Code.TOP_UP,
            reference=reference,
            note=f"{refund.amount} at {told.created}",
        )
        _move(connection, payment.account, returned, told, "credits.refund_failed")
        return True

    return work


def _payment(
    connection: Connection, payment_intent: str | None, charge: Charge | None = None
) -> _Payment | None:
    """Read what is booked of a payment; what it was paid with is told by the charge, if at hand."""
    if not payment_intent:
        return None
    beginning = reference_of(payment_intent)
    bought = references.find(connection, Code.TOP_UP, beginning)
    if bought is None:
        return None
    taken = references.beginning_with(connection, Code.REFUND, f"{beginning}:")
    back = references.beginning_with(connection, Code.TOP_UP, f"{beginning}:failed:")
    notes = [noted for each in taken if (noted := _OF.fullmatch(each.note or "")) is not None]
    amount, currency = (int(notes[0][1]), notes[0][2]) if notes else (0, "usd")
    if charge is not None:
        amount, currency = charge.amount, charge.currency
    if currency != "usd" and amount <= 0:
        raise InvalidRequest("The charge does not say of how much it is")
    return _Payment(
        account=bought.credit,
        bought=bought.amount_nanos,
        net=sum(each.amount_nanos for each in taken) - sum(each.amount_nanos for each in back),
        seen=max((int(each.reference.rpartition(":")[2]) for each in taken), default=0),
        failed=tuple(
            _Back(int(told[1]), int(told[2]))
            for each in back
            if (told := _BACK.fullmatch(each.note or "")) is not None
        ),
        amount=amount,
        currency=currency,
        events=frozenset(noted[3] for noted in notes),
    )


def _move(connection: Connection, account: str, moved: Entry, told: Told, action: str) -> None:
    """Book an entry, move the limit of the account's purse with it, and tell the audit log.

    A prepaid account may be below zero then, and gets nothing until it has paid up.
    """
    held = purse_of_account(account)
    leases.lock_purses(connection, [held.id])
    entries.transfer(connection, moved, told.now)
    if entries.find_account(connection, account).kind == "prepaid":
        by = moved.amount_nanos if moved.credit == account else -moved.amount_nanos
        leases.raise_limit(connection, held, by)
        figures = leases.balance(connection, held.id)
        if figures is not None and (figures.free or 0) < 0:
            _log.warning("stripe.account_below_zero account=%s", account)
    cents = moved.amount_nanos // NANOS_OF_CENT
    detail = {"reference": moved.reference, "usd_cents": cents, "event": told.event}
    audit.append(connection, told.act, action, f"account:{account}", detail)
