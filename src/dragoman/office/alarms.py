"""Raises alarms: puts a message for each destination into the outbox, in the caller's transaction.

What a message says is one JSON object, `{"type", "timestamp", "data"}` (Standard Webhooks,
"Payload structure"); an e-mail says the same in words.
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from dragoman.core.money import NanoUsd, usd
from dragoman.ledger import alert_rows, outbox
from dragoman.ledger.alert_rows import HOUSE, Mark
from dragoman.ledger.alerts import Figures, Rule
from dragoman.ledger.outbox import Delivery, Kind
from dragoman.ledger.purses import window_start
from dragoman.office.alert_options import HouseOptions

REACHED: Final = "alert.threshold_reached"
TEST: Final = "alert.test"
OVERRUN: Final = "house.overrun"
REFUSED: Final = "house.journal_refused"
JOURNAL: Final = "journal"

MOST_TEXT: Final = 1000


class Message(Struct, frozen=True):
    """What is told: the body of a webhook."""

    type: str
    timestamp: str
    data: dict[str, Any]


class Overrun(Struct, frozen=True, kw_only=True):
    """A generation that cost more than was held for it, by so many nano-USD.

    `purse` is whether the account paid the difference.
    """

    generation: str
    endpoint: str
    amount: int
    purse: bool


class Destinations(Struct, frozen=True):
    """Where messages of a rule go."""

    rule: str
    webhooks: tuple[str, ...]
    emails: tuple[str, ...]


def destinations_of(rule: Rule) -> Destinations:
    """Return where the messages of an account's rule go."""
    return Destinations(rule.id, rule.webhooks, rule.emails)


def post(
    connection: Connection, to: Destinations, type_: str, data: dict[str, Any], now: float
) -> str:
    """Put a message for each destination into the outbox; return the message's id."""
    event = f"evt_{secrets.token_hex(12)}"
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    body = msgspec.json.encode(Message(type_, at, data)).decode()
    places: list[tuple[Kind, str]] = [("webhook", url) for url in to.webhooks]
    places += [("email", address) for address in to.emails]
    outbox.put(
        connection,
        [
            Delivery(
                id=f"{event}-{number}",
                event=event,
                rule=to.rule,
                kind=kind,
                target=target,
                body=body,
                created_at=now,
                next_at=now,
            )
            for number, (kind, target) in enumerate(places)
        ],
    )
    return event


def told(rule: Rule, threshold: int, figures: Figures) -> dict[str, Any]:
    """Return what a message says of a threshold that was reached. Sums are USD."""
    by_percent = rule.measure == "percent"
    return _about(rule) | {
        "threshold": threshold if by_percent else usd(NanoUsd(threshold)),
        "unit": rule.measure,
        "window": figures.window,
        "window_start": _iso(figures.start) if figures.start else None,
        "spent": usd(NanoUsd(figures.spent)),
        "limit": None if figures.limit is None else usd(NanoUsd(figures.limit)),
    }


def trial(rule: Rule) -> dict[str, Any]:
    """Return what a message says that was asked for to see whether it arrives."""
    return _about(rule) | {"test": True}


class House:
    """Raises the alarms that concern the installation: each incident once, or once a day."""

    def __init__(self, options: HouseOptions, node: str) -> None:
        self._to = Destinations(HOUSE, options.webhooks, options.emails)
        self._node = node

    @property
    def listens(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self._to.webhooks or self._to.emails)

    def overran(self, connection: Connection, found: Sequence[Overrun], now: float) -> None:
        """Tell of usage beyond its bound: of each endpoint once a day."""
        if not self.listens:
            return
        sums: dict[str, list[Overrun]] = {}
        for each in found:
            sums.setdefault(each.endpoint, []).append(each)
        day = window_start("daily", now)
        for endpoint, these in sorted(sums.items()):
            if not alert_rows.tell(
                connection, Mark(rule=HOUSE, mark=f"overrun:{endpoint}", start=day), now
            ):
                continue
            data = {
                "node": self._node,
                "endpoint": endpoint,
                "generation": these[0].generation,
                "amount": usd(NanoUsd(sum(each.amount for each in these))),
                "charged_to": "account" if these[0].purse else "house",
            }
            post(connection, self._to, OVERRUN, data, now)

    def refused(self, connection: Connection, why: dict[str, str], now: float) -> None:
        """Note which journals are refused, by name, and tell of each once."""
        for name, reason in sorted(why.items()):
            mark = Mark(rule=HOUSE, mark=self.mark(name), note=reason[:MOST_TEXT])
            if alert_rows.tell(connection, mark, now) and self.listens:
                data = {"node": self._node, "journal": name, "reason": reason[:MOST_TEXT]}
                post(connection, self._to, REFUSED, data, now)

    def mark(self, journal: str) -> str:
        """Return under which mark a journal of this node is noted."""
        return f"{self.marks}{journal}"

    @property
    def marks(self) -> str:
        """How the marks of all journals of this node begin."""
        return f"{JOURNAL}:{self._node}:"


def _about(rule: Rule) -> dict[str, Any]:
    return {
        "alert_id": rule.id,
        "alert_name": rule.name,
        "account": rule.account,
        "key_hash": rule.key_hash,
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
