"""`dragoman audit`: who changed what, and when, newest first. Nothing of it can be edited."""

from typing import Annotated

import msgspec
import typer

from dragoman.access import audit as log
from dragoman.access.audit import Entry
from dragoman.cli.console import err, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG
from dragoman.office.key_info import iso

MOST = 100_000
SHOWN_HASH = 12

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def audit(
    number: Annotated[
        int, typer.Option("-n", "--number", min=1, max=MOST, help="How many, newest first.")
    ] = 50,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who changed which key, and when."""
    with opened_existing(settings(data, config)) as premises:
        found = premises.ledger.run_now(log.latest(number))
    if as_json:
        print_json([{**msgspec.structs.asdict(each), "at": iso(each.at)} for each in found])
    elif found:
        print_table(("at", "actor", "action", "subject", "detail"), map(_line, found))
    else:
        err().print("Nothing was changed yet.")


def _line(entry: Entry) -> tuple[str, ...]:
    detail = " ".join(f"{name}={_said(name, value)}" for name, value in entry.detail.items())
    return (
        iso(int(entry.at)),
        _short(entry.actor),
        entry.action,
        _short(entry.subject),
        printable(detail),
    )


def _said(name: str, value: object) -> str:
    if name.endswith("_at") and isinstance(value, int | float):
        return iso(value)
    return msgspec.json.encode(value).decode()


def _short(who: str) -> str:
    kind, colon, hash_ = who.partition(":")
    return f"{kind}{colon}{hash_[:SHOWN_HASH]}"
