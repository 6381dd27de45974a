"""What is sent to `/alerts`, and what comes back. Sums are USD.

Names and shapes are ours: OpenRouter's alerts are set up on its pages, and have no API.
"""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.core.money import NanoUsd, usd
from dragoman.ledger.alerts import Rule
from dragoman.ledger.outbox import Delivery, Kind, State
from dragoman.ledger.purses import Interval

MOST_THRESHOLDS = 10
MOST_PLACES = 10


Name = Annotated[str, Meta(min_length=1, max_length=100)]
Percents = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=100)], ...], Meta(min_length=1, max_length=MOST_THRESHOLDS)
]
Sums = Annotated[tuple[float | str, ...], Meta(min_length=1, max_length=MOST_THRESHOLDS)]
Urls = Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(max_length=MOST_PLACES)]
Emails = Annotated[tuple[Annotated[str, Meta(max_length=254)], ...], Meta(max_length=MOST_PLACES)]


class NewAlert(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /alerts`: either `percent` of a limit, or `usd` spent in a `window`."""

    name: Name
    key_hash: str | None = None
    percent: Percents | None = None
    usd: Sums | None = None
    window: Interval | None = None
    webhooks: Urls = ()
    emails: Emails = ()
    disabled: bool = False


class AlertChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /alerts/{id}`. What is absent stays."""

    name: Name | UnsetType = UNSET
    percent: Percents | UnsetType = UNSET
    usd: Sums | UnsetType = UNSET
    window: Interval | UnsetType = UNSET
    webhooks: Urls | UnsetType = UNSET
    emails: Emails | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class AlertRow(Struct, frozen=True, kw_only=True):
    """A rule as the API shows it."""

    id: str
    name: str
    account: str
    key_hash: str | None
    percent: tuple[int, ...] | None
    usd: tuple[float, ...] | None
    window: Interval | None
    webhooks: tuple[str, ...]
    emails: tuple[str, ...]
    disabled: bool
    created_at: str
    updated_at: str | None


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """A message to one destination. `error` says why its last attempt failed."""

    id: str
    type: str
    kind: Kind
    to: str
    state: State
    attempts: int
    error: str | None
    created_at: str
    next_at: str | None
    ended_at: str | None


class AlertBody(Struct, frozen=True):
    """One rule."""

    data: AlertRow


class AlertsBody(Struct, frozen=True):
    """A page of rules."""

    data: tuple[AlertRow, ...]
    total_count: int


class SecretBody(Struct, frozen=True):
    """A rule, and the secret that its webhooks are signed with, told this once."""

    data: AlertRow
    secret: str


class ShownBody(Struct, frozen=True):
    """A rule, and its latest messages."""

    data: AlertRow
    deliveries: tuple[DeliveryRow, ...]


class Tested(Struct, frozen=True):
    """A message that is on its way to see whether it arrives."""

    id: str
    destinations: int


class TestedBody(Struct, frozen=True):
    """The answer to `POST /alerts/{id}/test`."""

    data: Tested


class Deleted(Struct, frozen=True):
    """The answer to a deletion."""

    deleted: bool = True


class _Typed(Struct, frozen=True):
    type: str


def alert_row(rule: Rule) -> AlertRow:
    """Return a rule as it is shown."""
    by_percent = rule.measure == "percent"
    return AlertRow(
        id=rule.id,
        name=rule.name,
        account=rule.account,
        key_hash=rule.key_hash,
        percent=rule.thresholds if by_percent else None,
        usd=None if by_percent else tuple(usd(NanoUsd(each)) for each in rule.thresholds),
        window=None if by_percent else rule.window,
        webhooks=rule.webhooks,
        emails=rule.emails,
        disabled=rule.disabled,
        created_at=_iso(rule.created_at),
        updated_at=None if rule.updated_at is None else _iso(rule.updated_at),
    )


def delivery_row(message: Delivery) -> DeliveryRow:
    """Return a message as it is shown."""
    waits = message.state == "waiting"
    return DeliveryRow(
        id=message.event,
        type=msgspec.json.decode(message.body, type=_Typed).type,
        kind=message.kind,
        to=message.target,
        state=message.state,
        attempts=message.attempts,
        error=message.error,
        created_at=_iso(message.created_at),
        next_at=_iso(message.next_at) if waits else None,
        ended_at=None if message.ended_at is None else _iso(message.ended_at),
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
