"""Rules that tell somebody on loopback, and what became of their messages."""

import json

from msgspec import structs
from sqlalchemy import text, update

from dragoman.ledger import outbox
from dragoman.ledger.alert_tables import alert_delivery
from dragoman.ledger.alerts import Rule
from dragoman.office import alerts
from dragoman.office.alert_bodies import NewAlert
from dragoman.store.sql import Database
from tests.office.alert_scene import ALERTING, manager


def rule(ledger: Database, url: str | None = None, *emails: str) -> Rule:
    """Make a rule that tells this address; which the API would not admit, since it is loopback."""
    new = NewAlert(name="much", usd=(1,), webhooks=("https://hooks.example.com/",), emails=emails)
    made = ledger.run_now(alerts.make(new, ALERTING, manager())).rule
    hooks = json.dumps([url] if url else [])
    change = f"UPDATE alert_rule SET webhooks = '{hooks}' WHERE id = '{made.id}'"
    ledger.run_now(lambda c: c.execute(text(change)))
    return structs.replace(made, webhooks=(url,) if url else ())


def try_out(ledger: Database, of: Rule) -> None:
    ledger.run_now(alerts.try_out(of.id, manager()))


def states(ledger: Database, of: Rule) -> list[tuple[str, int, str | None]]:
    found = ledger.run_now(outbox.latest(of.id, 100))
    return [(each.state, each.attempts, each.error) for each in found]


def hasten(ledger: Database) -> None:
    """Have all that waits be due now."""
    ledger.run_now(lambda c: c.execute(update(alert_delivery).values(next_at=0.0)))
