"""`dragoman keys`: make, list and change keys, beside a running server or without one.

A change acts on running servers within a second. What may be changed is decided
in `dragoman.office.keys`.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import Struct

from dragoman.access.types import Key
from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import (
    ConfigOption,
    DataOption,
    JsonOption,
    opened,
    opened_existing,
    settings,
)
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.config import Settings
from dragoman.core.money import NanoUsd, usd
from dragoman.office import keys
from dragoman.office.premises import Premises
from dragoman.records.reader import Reader
from dragoman.store.sql import Work

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Create, list, disable and revoke keys.",
)

KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="Its name, its label, or how its hash begins.")
]


class Shown(Struct, frozen=True, kw_only=True):
    """A key as it is printed. `spent_usd` is what it has spent so far."""

    hash: str
    name: str
    label: str
    state: str
    created_at: str
    spent_usd: float | None = None


class Created(Struct, frozen=True, kw_only=True):
    """A new key, printed this once with its text."""

    key: str
    hash: str
    name: str
    label: str
    created_at: str


@app.command(epilog=EPILOG)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="USD", help="The most the key may spend.")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once, and stored nowhere."""
    if limit is not None:
        raise Failure(
            "--limit comes with the ledger, which keeps spending limits. Make the key without it.",
            USAGE,
        )
    chosen = settings(data, config)
    with opened(chosen.data) as premises:
        work = keys.create(
            name,
            prefix=chosen.options.access.key_prefix,
            pepper=premises.pepper,
            now=time.time(),
        )
        text, key = premises.ledger.run_now(work)
    if as_json:
        print_json(
            Created(
                key=text,
                hash=key.hash,
                name=key.name,
                label=key.label,
                created_at=_date(key.created_at),
            )
        )
        return
    out().print(text, style="bold")
    err().print(f"This is {key.name!r}. Keep it: it is shown this once and stored nowhere.")


@app.command("list", epilog=EPILOG)
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Revoked keys, too.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys and what each has spent, newest first."""
    with opened_existing(settings(data, config).data) as premises:
        made = premises.ledger.run_now(keys.every)
        found = [key for key in made if all_ or key.revoked_at is None]
        shown = asyncio.run(_with_spending(premises, found))
    if as_json:
        print_json(shown)
        return
    if not shown:
        why = "All keys are revoked; --all lists them." if made else "No keys yet."
        err().print(f"{why} Make one with: dragoman keys create NAME")
        return
    print_table(
        ("label", "name", "state", "created", ">spent", "hash"),
        [
            (key.label, key.name, key.state, key.created_at, f"${key.spent_usd:.6f}", key.hash[:12])
            for key in shown
        ],
    )


@app.command(epilog=EPILOG)
def disable(
    key: KeyArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a key off, until it is enabled again."""
    _change(keys.disable(key, time.time()), settings(data, config), as_json)


@app.command(epilog=EPILOG)
def enable(
    key: KeyArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a disabled key on again."""
    _change(keys.enable(key, time.time()), settings(data, config), as_json)


@app.command(epilog=EPILOG)
def revoke(
    key: KeyArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a key off for good."""
    _change(keys.revoke(key, time.time()), settings(data, config), as_json)


def _change(work: Work[Key], chosen: Settings, as_json: bool) -> None:
    with opened_existing(chosen.data) as premises:
        key = premises.ledger.run_now(work)
    shown = _shown(key)
    if as_json:
        print_json(shown)
        return
    out().print(f"{shown.name} ({shown.label}) is {shown.state}.")


async def _with_spending(premises: Premises, found: list[Key]) -> list[Shown]:
    reader = Reader(premises.records)
    now = time.time()
    return [_shown(key, (await reader.usage(key.hash, now)).total) for key in found]


def _shown(key: Key, spent: NanoUsd | None = None) -> Shown:
    return Shown(
        hash=key.hash,
        name=key.name,
        label=key.label,
        state=_state(key),
        created_at=_date(key.created_at),
        spent_usd=None if spent is None else usd(spent),
    )


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "disabled" if key.disabled else "active"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
