"""`dragoman accounts`: what an account wants otherwise than others.

Their credit is the business of `dragoman credits`.
"""

import time
from enum import StrEnum
from typing import Annotated

import typer

from dragoman.access.audit import Act
from dragoman.cli.console import out, print_json
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.office.contents import set_store_content
from dragoman.office.keys import CLI

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Change what an account wants: whether what is said is stored.",
)


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


@app.callback()
def _accounts() -> None:
    """Change what an account wants: whether what is said is stored."""


@app.command("set", epilog=EPILOG)
def set_(
    account: Annotated[str, typer.Argument(metavar="ID", help="See dragoman credits show.")],
    store_content: Annotated[
        Switch | None,
        typer.Option("--store-content", help="Whether prompts and answers are stored."),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an account. A running server has heard of it within a second."""
    if store_content is None:
        raise Failure("Say what to change: --store-content on or off.", USAGE)
    stores = store_content is Switch.ON
    work = set_store_content(account, stores=stores, act=Act(actor=CLI, at=time.time()))
    with opened_existing(settings(data, config)) as premises:
        shown = premises.ledger.run_now(work)
    if as_json:
        print_json(shown)
    elif shown.store_content:
        out().print(f"What is said with keys of {shown.id} is stored from now on.")
    else:
        out().print(
            f"What is said with keys of {shown.id} is stored no longer. To forget what was:"
            f" dragoman generations forget --account {shown.id}"
        )
