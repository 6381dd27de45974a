"""Keep the rules of alerts: make, show, change, test, remove. Each use case is one transaction.

The audit entry is part of it. A rule of another account does not exist for an account.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET, Struct, structs
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.core import money
from dragoman.core.errors import Conflict, InvalidRequest, NotFound
from dragoman.ledger import alert_rows, entries, leases, outbox
from dragoman.ledger.alerts import Measure, Rule
from dragoman.ledger.outbox import Delivery
from dragoman.net.fetch import FetchRefused, Permit
from dragoman.office import alarms
from dragoman.office.alert_bodies import AlertChange, NewAlert, Tested
from dragoman.office.alert_options import EMAIL
from dragoman.office.alert_secrets import Secrets
from dragoman.office.key_admin import NOWHERE, Manager
from dragoman.store.sql import Work

MOST_PER_ACCOUNT: Final = 100
MOST_WAITING: Final = 50
"""So many messages of a rule may wait, before none is added for a test."""
SHOWN: Final = 20
ID_BYTES: Final = 12
UNSAID: Final = frozenset({"updated_at", "version", "rotated_at"})
PLACES: Final = ("emails", "webhooks")
"""Of these the audit log tells that they changed: addresses may hold credentials."""


class Alerting(Struct, frozen=True):
    """With what rules are kept: what webhooks may reach, what signs them, whether mail goes out."""

    permit: Permit
    secrets: Secrets
    mails: bool = False


class Shown(Struct, frozen=True):
    """A rule, and its latest messages, newest first."""

    rule: Rule
    deliveries: tuple[Delivery, ...]


class Secretive(Struct, frozen=True):
    """A rule, and the text of its signing secret."""

    rule: Rule
    secret: str


def make(new: NewAlert, alerting: Alerting, manager: Manager) -> Work[Secretive]:
    """Make a rule for the account, or one of its keys.

    Raises InvalidRequest at once; that again, NotFound and Conflict when it runs.
    """
    measure, thresholds = _thresholds(new.percent, new.usd)
    if measure == "percent" and new.window is not None:
        raise InvalidRequest("window: leave it out with percent: it is that of the limit")
    rule = Rule(
        id=f"alert_{secrets.token_hex(ID_BYTES)}",
        account=manager.account,
        key_hash=new.key_hash,
        name=_name(new.name),
        measure=measure,
        thresholds=thresholds,
        window="total" if measure == "percent" else new.window or "monthly",
        webhooks=tuple(dict.fromkeys(new.webhooks)),
        emails=tuple(dict.fromkeys(new.emails)),
        disabled=new.disabled,
        created_at=manager.act.at,
    )
    _check_places(rule, alerting)

    def work(connection: Connection) -> Secretive:
        keyring.touch(connection)  # for the order of the audit, and of those who count
        if alert_rows.count(connection, rule.account) >= MOST_PER_ACCOUNT:
            said = f"An account has at most {MOST_PER_ACCOUNT} alerts: remove one first"
            raise Conflict(said, should_retry=False)
        _check_watched(connection, rule)
        alert_rows.add(connection, rule)
        audit.append(connection, manager.act, "alert.create", _subject(rule), _told(rule))
        return Secretive(rule, alerting.secrets.text(rule))

    return work


def one(id_: str, account: str) -> Work[Rule]:
    """Read a rule of the account. Raises NotFound."""

    def work(connection: Connection) -> Rule:
        found = alert_rows.by_id(connection, account, id_)
        if found is None:
            raise NotFound(NOWHERE)
        return found

    return work


def show(id_: str, account: str) -> Work[Shown]:
    """Read a rule of the account, and its latest messages. Raises NotFound."""

    def work(connection: Connection) -> Shown:
        rule = one(id_, account)(connection)
        return Shown(rule, outbox.latest(rule.id, SHOWN)(connection))

    return work


def amend(id_: str, change: AlertChange, alerting: Alerting, manager: Manager) -> Work[Rule]:
    """Change a rule of the account. A threshold that was told of is not told of again.

    Raises InvalidRequest and NotFound when it runs.
    """

    def work(connection: Connection) -> Rule:
        keyring.touch(connection)
        before = one(id_, manager.account)(connection)
        after = _amended(before, change)
        if after == before:
            return before
        _check_places(after, alerting)
        _check_watched(connection, after)
        if (before.measure, before.window) != (after.measure, after.window):
            alert_rows.forget(connection, before.id)
        return _changed(connection, before, after, manager, "alert.update")

    return work


def rotate(id_: str, alerting: Alerting, manager: Manager) -> Work[Secretive]:
    """Replace the signing secret of a rule; the one before signs along for a day.

    Raises NotFound.
    """

    def work(connection: Connection) -> Secretive:
        keyring.touch(connection)
        before = one(id_, manager.account)(connection)
        after = structs.replace(before, version=before.version + 1, rotated_at=manager.act.at)
        alert_rows.replace(connection, after)
        said = {"secret": "replaced"}
        audit.append(connection, manager.act, "alert.rotate", _subject(after), said)
        return Secretive(after, alerting.secrets.text(after))

    return work


def remove(id_: str, manager: Manager) -> Work[Rule]:
    """Remove a rule of the account, and its messages. Raises NotFound."""

    def work(connection: Connection) -> Rule:
        keyring.touch(connection)
        gone = one(id_, manager.account)(connection)
        alert_rows.remove(connection, gone)
        outbox.withdraw(connection, gone.id)
        audit.append(connection, manager.act, "alert.delete", _subject(gone), _told(gone))
        return gone

    return work


def try_out(id_: str, manager: Manager) -> Work[Tested]:
    """Send a message to all destinations of a rule, to see whether it arrives.

    Raises NotFound, and Conflict while too many of the rule's messages wait.
    """

    def work(connection: Connection) -> Tested:
        rule = one(id_, manager.account)(connection)
        to = alarms.destinations_of(rule)
        if outbox.waiting(connection, rule.id) >= MOST_WAITING:
            raise Conflict("Too many messages of this alert wait: its destinations do not answer")
        now = leases.database_time(connection)
        event = alarms.post(connection, to, alarms.TEST, alarms.trial(rule), now)
        return Tested(event, len(to.webhooks) + len(to.emails))

    return work


def find(wanted: str) -> Work[Rule]:
    """Find a rule of any account by how its id begins. Raises NotFound, InvalidRequest."""

    def work(connection: Connection) -> Rule:
        found = alert_rows.beginning(wanted)(connection) if wanted else ()
        if not found:
            raise NotFound(f"No alert has an id that begins with {wanted!r}")
        if len(found) > 1:
            raise InvalidRequest(f"{wanted!r} may be any of {len(found)} alerts: give more")
        return found[0]

    return work


def _amended(before: Rule, change: AlertChange) -> Rule:
    said = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
    if "name" in said:
        said["name"] = _name(said["name"])
    percent, usd = said.pop("percent", None), said.pop("usd", None)
    if percent is not None or usd is not None:
        said["measure"], said["thresholds"] = _thresholds(percent, usd)
    measure = said.get("measure", before.measure)
    if measure == "percent":
        if "window" in said:
            raise InvalidRequest("window: leave it out with percent: it is that of the limit")
        said["window"] = "total"
    elif before.measure == "percent":
        said.setdefault("window", "monthly")
    said |= {name: tuple(dict.fromkeys(said[name])) for name in PLACES if name in said}
    return structs.replace(before, **said)


def _thresholds(
    percent: Sequence[int] | None, usd: Sequence[float | str] | None
) -> tuple[Measure, tuple[int, ...]]:
    """Return by what a rule measures, and its thresholds, rising. Raises InvalidRequest."""
    if (percent is None) == (usd is None):
        raise InvalidRequest("percent, usd: give one of them, such as percent: [80, 100]")
    if percent is not None:
        return "percent", tuple(sorted(set(percent)))
    try:
        return "usd", tuple(sorted({money.amount(each) for each in usd or ()}))
    except ValueError as error:
        raise InvalidRequest(f"usd: {error}") from error


def _check_places(rule: Rule, alerting: Alerting) -> None:
    """Raise InvalidRequest for destinations that nothing could be sent to."""
    if not rule.webhooks and not rule.emails:
        raise InvalidRequest("webhooks, emails: give at least one of either")
    for number, url in enumerate(rule.webhooks):
        try:
            alerting.permit.location(url)
        except FetchRefused as why:  # the URL is not repeated: it may hold a credential
            raise InvalidRequest(f"webhooks[{number}]: {why.detail}") from why
    if rule.emails and not alerting.mails:
        raise InvalidRequest("emails: this gateway sends no mail; the operator sets alerts.smtp")
    for address in rule.emails:
        if not address.isascii() or not EMAIL.fullmatch(address):
            raise InvalidRequest(f"emails: {address[:200]!r} is no address like bob@example.com")


def _check_watched(connection: Connection, rule: Rule) -> None:
    """Raise InvalidRequest for what has no limit to measure by, NotFound where nothing is."""
    account = entries.find_account(connection, rule.account)
    if account.kind == "house":
        raise NotFound(NOWHERE)
    if rule.key_hash is None:
        if rule.measure == "percent" and account.kind != "prepaid":
            raise InvalidRequest(
                "percent: the account is not prepaid and has no credit to measure by; use usd"
            )
        return
    key = keyring.by_hash(rule.key_hash)(connection)
    if key is None or key.account != rule.account or key.revoked_at is not None:
        raise InvalidRequest(f"key_hash: the account has no key {rule.key_hash[:100]}")
    if rule.measure == "percent" and not key.limit_nanos:
        raise InvalidRequest("percent: the key has no limit to measure by; give it one, or use usd")


def _changed(
    connection: Connection, before: Rule, after: Rule, manager: Manager, action: str
) -> Rule:
    values, new = structs.asdict(before), structs.asdict(after)
    names = sorted(new.keys() - UNSAID)
    said: dict[str, Any] = {n: [values[n], new[n]] for n in names if values[n] != new[n]}
    said |= dict.fromkeys(said.keys() & PLACES, "replaced")
    after = structs.replace(after, updated_at=manager.act.at)
    alert_rows.replace(connection, after)
    audit.append(connection, manager.act, action, _subject(after), said)
    return after


def _name(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable():
        raise InvalidRequest("name: give printable characters")
    return name


def _subject(rule: Rule) -> str:
    return f"alert:{rule.id}"


def _told(rule: Rule) -> dict[str, Any]:
    told = structs.asdict(rule)
    return {n: told[n] for n in ("name", "account", "key_hash", "measure", "thresholds", "window")}
