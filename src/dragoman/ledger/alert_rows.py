"""The rows of alert rules, and of what was told. Units of work for `store.sql.Database`.

Who may do what is decided in `dragoman.office.alerts`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, text, update

from dragoman.ledger.alert_tables import alert_rule, alert_told
from dragoman.ledger.alerts import Rule
from dragoman.store.sql import Work

LISTS = ("thresholds", "webhooks", "emails")
HOUSE = "house"
"""Stands where the id of a rule does, for incidents of the house."""

_TELL = text(
    "INSERT INTO alert_told (rule, mark, window_start, limit_nanos, told_at, note)"
    " VALUES (:rule, :mark, :start, :limit, :now, :note)"
    " ON CONFLICT (rule, mark, window_start) DO NOTHING"
)


def every(connection: Connection) -> tuple[Rule, ...]:
    """Read the rules of all accounts that are not disabled, by id."""
    query = select(alert_rule).where(alert_rule.c.disabled.is_(False)).order_by(alert_rule.c.id)
    return tuple(map(_rule, connection.execute(query).mappings()))


def listed(account: str, offset: int, limit: int) -> Work[tuple[tuple[Rule, ...], int]]:
    """Read a page of an account's rules by when they were made; and how many there are."""
    query = _of(account).order_by(alert_rule.c.created_at, alert_rule.c.id)

    def work(connection: Connection) -> tuple[tuple[Rule, ...], int]:
        rows = connection.execute(query.offset(offset).limit(limit)).mappings()
        return tuple(map(_rule, rows)), count(connection, account)

    return work


def count(connection: Connection, account: str) -> int:
    """Return how many rules an account has."""
    query = select(func.count()).select_from(_of(account).subquery())
    return int(connection.execute(query).scalar_one())


def by_id(connection: Connection, account: str, id_: str) -> Rule | None:
    """Read a rule of the account, None if it has none of this id."""
    query = _of(account).where(alert_rule.c.id == id_)
    row = connection.execute(query).mappings().first()
    return None if row is None else _rule(row)


def beginning(wanted: str) -> Work[tuple[Rule, ...]]:
    """Read the rules of any account whose ids begin so: for the operator's command line."""
    letters = func.substr(alert_rule.c.id, 1, len(wanted))
    query = select(alert_rule).where(letters == wanted).order_by(alert_rule.c.id)
    return lambda connection: tuple(map(_rule, connection.execute(query).mappings()))


def locked(connection: Connection, id_: str) -> Rule | None:
    """Read a rule that may tell, and keep other writers from it; None if it may not any more."""
    query = select(alert_rule).where(alert_rule.c.id == id_, alert_rule.c.disabled.is_(False))
    row = connection.execute(query.with_for_update()).mappings().first()
    return None if row is None else _rule(row)


def add(connection: Connection, made: Rule) -> None:
    """Insert `made`."""
    connection.execute(insert(alert_rule).values(_row_of(made)))


def replace(connection: Connection, made: Rule) -> None:
    """Write all fields of `made` over the row with its id."""
    ours = (alert_rule.c.id == made.id, alert_rule.c.account == made.account)
    connection.execute(update(alert_rule).where(*ours).values(_row_of(made)))


def remove(connection: Connection, gone: Rule) -> None:
    """Delete a rule, and what it told."""
    ours = (alert_rule.c.id == gone.id, alert_rule.c.account == gone.account)
    connection.execute(delete(alert_rule).where(*ours))
    forget(connection, gone.id)


def told(connection: Connection, rules: Sequence[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """Read what some rules told: (rule, start of the window) -> {mark: limit of the time}."""
    columns = (
        alert_told.c.rule,
        alert_told.c.window_start,
        alert_told.c.mark,
        alert_told.c.limit_nanos,
    )
    found: dict[tuple[str, int], dict[str, Any]] = {}
    query = select(*columns).where(alert_told.c.rule.in_(rules))
    for rule, start, mark, limit in connection.execute(query):
        found.setdefault((rule, start), {})[mark] = limit
    return found


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of: a threshold of a rule in a window, or an incident of the house on a day."""

    rule: str
    mark: str
    start: int = 0
    limit: int | None = None
    note: str | None = None


def tell(connection: Connection, mark: Mark, now: float) -> bool:
    """Note that something is told; False when it was."""
    values = msgspec.structs.asdict(mark) | {"now": now}
    return connection.execute(_TELL, values).rowcount == 1


def arm(connection: Connection, rule: str, marks: Iterable[str], start: int = 0) -> None:
    """Forget that these were told of in a window."""
    table = alert_told.c
    ours = (table.rule == rule, table.window_start == start, table.mark.in_(list(marks)))
    connection.execute(delete(alert_told).where(*ours))


def forget(connection: Connection, rule: str, before: int | None = None) -> None:
    """Forget what a rule told; of windows that began `before` only, if that is given."""
    gone = delete(alert_told).where(alert_told.c.rule == rule)
    if before is not None:
        gone = gone.where(alert_told.c.window_start < before, alert_told.c.window_start > 0)
    connection.execute(gone)


def notes(beginning: str) -> Work[dict[str, str]]:
    """Read the incidents of the house that stand, whose marks begin so: mark -> note."""
    table = alert_told.c
    letters = func.substr(table.mark, 1, len(beginning))
    query = select(table.mark, table.note).where(
        table.rule == HOUSE, table.window_start == 0, letters == beginning
    )

    def work(connection: Connection) -> dict[str, str]:
        return {mark: note or "" for mark, note in connection.execute(query.order_by(table.mark))}

    return work


def _of(account: str) -> Select[tuple[Any, ...]]:
    return select(alert_rule).where(alert_rule.c.account == account)


def _rule(row: RowMapping) -> Rule:
    values = dict(row)
    return Rule(**values | {name: tuple(msgspec.json.decode(row[name])) for name in LISTS})


def _row_of(made: Rule) -> dict[str, Any]:
    values = msgspec.structs.asdict(made)
    return values | {name: msgspec.json.encode(values[name]).decode() for name in LISTS}
