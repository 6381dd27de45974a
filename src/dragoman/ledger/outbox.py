"""The outbox of alerts: messages that wait, were delivered, or are given up. Units of work.

A message goes in by the transaction that found the news, so neither is there without the
other. Whoever would deliver one claims it for a while first: several nodes may look for them.
One that is claimed and not ended is delivered again, so a message comes at least once.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from dragoman.ledger.alert_tables import alert_delivery
from dragoman.store.sql import Work

Kind = Literal["webhook", "email"]
State = Literal["waiting", "sent", "dead"]

PAUSES_S: Final = (10.0, 60.0, 300.0, 900.0, 2400.0)
"""How long after each attempt that failed the next one comes, before it is spread."""
SPREAD: Final = 0.25
"""The part by which a pause is longer or shorter, so that receivers are not hit all at once."""
MOST_ATTEMPTS: Final = len(PAUSES_S) + 1
MOST_AGE_S: Final = 86_400.0
MOST_ERROR: Final = 300
KEEP_SENT_S: Final = 7 * 86_400.0
KEEP_DEAD_S: Final = 30 * 86_400.0


class Delivery(Struct, frozen=True, kw_only=True):
    """A message for one destination. `event` is the message's own id, the same at each attempt.

    `error` says why the last attempt failed, in words that may be told to its owner.
    """

    id: str
    event: str
    rule: str
    kind: Kind
    target: str
    body: str
    state: State = "waiting"
    attempts: int = 0
    created_at: float
    next_at: float
    ended_at: float | None = None
    error: str | None = None


def put(connection: Connection, messages: Iterable[Delivery]) -> None:
    """Add messages."""
    rows = [msgspec.structs.asdict(each) for each in messages]
    if rows:
        connection.execute(insert(alert_delivery), rows)


def due(now: float, limit: int) -> Work[tuple[Delivery, ...]]:
    """Read at most so many messages whose time has come, those that wait longest first."""
    table = alert_delivery.c
    query = select(alert_delivery).where(table.state == "waiting", table.next_at <= now)
    return _read(query.order_by(table.next_at, table.id).limit(limit))


def latest(rule: str, limit: int) -> Work[tuple[Delivery, ...]]:
    """Read the last messages of a rule, newest first."""
    table = alert_delivery.c
    query = select(alert_delivery).where(table.rule == rule)
    return _read(query.order_by(table.created_at.desc(), table.id).limit(limit))


def waiting(connection: Connection, rule: str) -> int:
    """Return how many messages of a rule are still to be delivered."""
    table = alert_delivery.c
    query = select(func.count()).where(table.rule == rule, table.state == "waiting")
    return int(connection.execute(query).scalar_one())


def dead(connection: Connection) -> dict[str, int]:
    """Return how many messages were given up, by rule."""
    table = alert_delivery.c
    query = select(table.rule, func.count()).where(table.state == "dead").group_by(table.rule)
    return {rule: int(number) for rule, number in connection.execute(query)}


def claim(message: Delivery, until: float) -> Work[bool]:
    """Take a message for an attempt, which is counted; False if somebody else has."""
    table = alert_delivery.c
    taken = update(alert_delivery).where(
        table.id == message.id,
        table.state == "waiting",
        table.attempts == message.attempts,
    )
    values = {"attempts": message.attempts + 1, "next_at": until}
    return lambda connection: connection.execute(taken.values(values)).rowcount == 1


def end(message: Delivery, state: State, now: float, error: str | None = None) -> Work[None]:
    """Note that a message was delivered, or is given up."""
    return _write(message, {"state": state, "ended_at": now, "error": _short(error)})


def again(message: Delivery, at: float, error: str) -> Work[None]:
    """Note that an attempt failed, and when the next one is."""
    return _write(message, {"next_at": at, "error": _short(error)})


def pause_s(attempts: int, lot: float) -> float:
    """Return how long to wait after so many attempts. `lot` is drawn from 0 to 1."""
    pause = PAUSES_S[min(attempts, len(PAUSES_S)) - 1]
    return pause * (1 - SPREAD + 2 * SPREAD * lot)


def is_hopeless(attempts: int, created_at: float, now: float) -> bool:
    """Say whether a message that was attempted so often is given up."""
    return attempts >= MOST_ATTEMPTS or now - created_at >= MOST_AGE_S


def withdraw(connection: Connection, rule: str) -> None:
    """Delete all messages of a rule: nobody is to get them any more."""
    connection.execute(delete(alert_delivery).where(alert_delivery.c.rule == rule))


def sweep(now: float) -> Work[None]:
    """Forget what was delivered a week ago, or given up a month ago."""
    table = alert_delivery.c
    old = or_(
        (table.state == "sent") & (table.ended_at < now - KEEP_SENT_S),
        (table.state == "dead") & (table.ended_at < now - KEEP_DEAD_S),
    )

    def work(connection: Connection) -> None:
        connection.execute(delete(alert_delivery).where(old))

    return work


def _read(query: Select[Any]) -> Work[tuple[Delivery, ...]]:
    def work(connection: Connection) -> tuple[Delivery, ...]:
        return tuple(Delivery(**row) for row in connection.execute(query).mappings())

    return work


def _write(message: Delivery, values: dict[str, object]) -> Work[None]:
    """Write over a message that was claimed, unless it was claimed anew since."""
    table = alert_delivery.c
    ours = (table.id == message.id, table.attempts == message.attempts, table.state == "waiting")
    change = update(alert_delivery).where(*ours).values(values)

    def work(connection: Connection) -> None:
        connection.execute(change)

    return work


def _short(error: str | None) -> str | None:
    return None if error is None else error[:MOST_ERROR]
