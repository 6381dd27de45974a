"""`dragoman alerts`: tell people when much was spent.

What may be done is decided in `dragoman.office.alerts`. It works beside a running server, which
looks at what is spent, and delivers.
"""

import time
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from dragoman.access.audit import Act
from dragoman.cli.console import err, out, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG
from dragoman.config import Settings
from dragoman.ledger import alert_rows, outbox
from dragoman.ledger.alert_rows import HOUSE
from dragoman.ledger.alerts import Rule
from dragoman.ledger.purses import Interval
from dragoman.ledger.types import DEFAULT
from dragoman.office import alerts as office
from dragoman.office import keys
from dragoman.office.alert_bodies import (
    AlertRow,
    DeliveryRow,
    NewAlert,
    SecretBody,
    ShownBody,
    alert_row,
    delivery_row,
)
from dragoman.office.alerts import Alerting
from dragoman.office.key_admin import Manager
from dragoman.office.keys import CLI
from dragoman.office.premises import Premises
from dragoman.office.reading import read
from dragoman.office.watchtower import alerting_of

MOST = 10**9

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Tell people when much was spent: by webhook or e-mail.",
)

AccountOption = Annotated[str, typer.Option("--account", metavar="ID", help="Of which account.")]
AlertArgument = Annotated[str, typer.Argument(metavar="ALERT", help="How its id begins.")]


class Span(StrEnum):
    """The windows in which sums are counted."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    TOTAL = "total"


SPANS: dict[Span, Interval] = {
    Span.DAILY: "daily",
    Span.WEEKLY: "weekly",
    Span.MONTHLY: "monthly",
    Span.TOTAL: "total",
}


@app.command(epilog=EPILOG)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What messages call it.")],
    percent: Annotated[
        list[int] | None,
        typer.Option("--percent", metavar="N", help="Of the limit or credit; may be repeated."),
    ] = None,
    usd: Annotated[
        list[str] | None,
        typer.Option("--usd", metavar="USD", help="Spent in the window; may be repeated."),
    ] = None,
    window: Annotated[
        Span | None,
        typer.Option("--window", help="Of --usd, in UTC; monthly if left out."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Watch this key, not the account.")
    ] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option("--webhook", metavar="URL", help="Send it there, signed; may be repeated."),
    ] = None,
    email: Annotated[
        list[str] | None,
        typer.Option("--email", metavar="ADDRESS", help="Send it there; may be repeated."),
    ] = None,
    account: AccountOption = DEFAULT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an alert. What its webhooks are signed with is printed this once."""
    chosen = settings(data, config)
    with opened_existing(chosen) as premises:
        watched = None if key is None else premises.ledger.run_now(keys.find(key))
        new = NewAlert(
            name=name,
            key_hash=None if watched is None else watched.hash,
            percent=tuple(percent) if percent else None,
            usd=tuple(usd) if usd else None,
            window=None if window is None else SPANS[window],
            webhooks=tuple(webhook or ()),
            emails=tuple(email or ()),
        )
        new = read(msgspec.json.encode(new), NewAlert)  # bounded as by the API
        whose = account if watched is None else watched.account
        work = office.make(new, _alerting(chosen, premises), _manager(whose))
        made = premises.ledger.run_now(work)
    if as_json:
        print_json(SecretBody(alert_row(made.rule), made.secret))
        return
    out().print(made.rule.id, style="bold")
    err().print(f"{name} tells {_places(made.rule)} at {_when(made.rule)}.")
    if made.rule.webhooks:
        err().print(f"Webhooks are signed with {made.secret} - it is not shown again.")


@app.command("list", epilog=EPILOG)
def list_(
    account: AccountOption = DEFAULT,
    house: Annotated[
        bool, typer.Option("--house", help="The latest messages to the house instead.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the alerts of an account, or what the house was told."""
    with opened_existing(settings(data, config)) as premises:
        found, _ = premises.ledger.read_now(alert_rows.listed(account, 0, MOST))
        sent = premises.ledger.read_now(outbox.latest(HOUSE, office.SHOWN)) if house else ()
    if house:
        _print_deliveries(tuple(map(delivery_row, sent)), as_json=as_json)
        return
    rows = [alert_row(each) for each in found]
    if as_json:
        print_json(rows)
        return
    if not rows:
        err().print("No alerts. Add one with: dragoman alerts add NAME --usd 100 --webhook URL")
        return
    print_table(
        ("id", "name", "watches", "at", "tells"),
        [_cells(rule, row) for rule, row in zip(found, rows, strict=True)],
    )


@app.command(epilog=EPILOG)
def show(
    alert: AlertArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an alert, and what became of its latest messages."""
    with opened_existing(settings(data, config)) as premises:
        rule = premises.ledger.read_now(office.find(alert))
        shown = premises.ledger.read_now(office.show(rule.id, rule.account))
    row, sent = alert_row(shown.rule), tuple(map(delivery_row, shown.deliveries))
    if as_json:
        print_json(ShownBody(row, sent))
        return
    out().print(row.id, style="bold")
    state = ", disabled" if row.disabled else ""
    out().print(f"{printable(row.name)}: {_watched(row)} at {_when(rule)}{state}")
    for place in (*row.webhooks, *row.emails):
        out().print(f"tells {printable(place)}")
    _print_deliveries(sent, as_json=False)


@app.command("test", epilog=EPILOG)
def try_out(
    alert: AlertArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a message to all places an alert tells. A running server delivers it within seconds."""
    with opened_existing(settings(data, config)) as premises:
        rule = premises.ledger.read_now(office.find(alert))
        tested = premises.ledger.run_now(office.try_out(rule.id, _manager(rule.account)))
    if as_json:
        print_json(tested)
        return
    out().print(tested.id, style="bold")
    err().print(f"On its way. See whether it arrived: dragoman alerts show {rule.id}")


@app.command(epilog=EPILOG)
def rotate(
    alert: AlertArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace what webhooks are signed with. The secret before signs along for a day."""
    chosen = settings(data, config)
    with opened_existing(chosen) as premises:
        rule = premises.ledger.read_now(office.find(alert))
        work = office.rotate(rule.id, _alerting(chosen, premises), _manager(rule.account))
        made = premises.ledger.run_now(work)
    if as_json:
        print_json(SecretBody(alert_row(made.rule), made.secret))
    else:
        out().print(made.secret, style="bold")
        err().print("It is not shown again.")


@app.command(epilog=EPILOG)
def remove(
    alert: AlertArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an alert, and what of it was not delivered."""
    with opened_existing(settings(data, config)) as premises:
        rule = premises.ledger.read_now(office.find(alert))
        gone = premises.ledger.run_now(office.remove(rule.id, _manager(rule.account)))
    if as_json:
        print_json(alert_row(gone))
    else:
        out().print(f"{printable(gone.name)} is removed.")


def _alerting(chosen: Settings, premises: Premises) -> Alerting:
    return alerting_of(chosen.options.alerts, premises.pepper)


def _manager(account: str) -> Manager:
    return Manager(account, Act(actor=CLI, at=time.time()))


def _cells(rule: Rule, row: AlertRow) -> tuple[str, ...]:
    return (row.id, printable(row.name), _watched(row), _when(rule), _places(rule))


def _watched(row: AlertRow) -> str:
    return row.account if row.key_hash is None else f"key {row.key_hash[:12]}"


def _when(rule: Rule) -> str:
    row = alert_row(rule)
    if row.percent is not None:
        return ", ".join(f"{each} %" for each in row.percent)
    return ", ".join(f"${each:g}" for each in row.usd or ()) + f" {row.window}"


def _places(rule: Rule) -> str:
    counts = ((len(rule.webhooks), "webhook"), (len(rule.emails), "address"))
    plural = {"webhook": "webhooks", "address": "addresses"}
    return ", ".join(f"{n} {name if n == 1 else plural[name]}" for n, name in counts if n)


def _print_deliveries(sent: tuple[DeliveryRow, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(sent)
        return
    if not sent:
        err().print("Nothing was sent yet.")
        return
    print_table(
        ("message", "type", "to", "state", ">attempts", "why not"),
        [
            (each.id, each.type, printable(each.to), each.state, str(each.attempts), _why(each))
            for each in sent
        ],
    )


def _why(sent: DeliveryRow) -> str:
    return sent.error or ""
