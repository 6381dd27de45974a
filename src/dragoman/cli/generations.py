"""`dragoman generations`: forget what was said in them. What they cost stays on record."""

from typing import Annotated

import typer
from msgspec import Struct

from dragoman.cli.consent import ask
from dragoman.cli.console import out, print_json
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.ledger.types import DEFAULT
from dragoman.office.key_bodies import utc_time
from dragoman.office.keys import find
from dragoman.records.content_rows import ROWS_AT_ONCE, Forgotten, forget

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Forget what was said in generations.",
)


class Done(Struct, frozen=True):
    """Of how many generations was forgotten what was said."""

    forgotten: int


@app.callback()
def _generations() -> None:
    """Forget what was said in generations."""


@app.command("forget", epilog=EPILOG)
def forget_(
    id_: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only this one.", show_default=False)
    ] = None,
    account: Annotated[str, typer.Option("--account", metavar="ID", help="Whose.")] = DEFAULT,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Only those of this key: its name or hash."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="TIME", help="Only older ones: 2027-01-31T00:00:00Z."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before all of them are forgotten.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget what was said in generations of an account. What they cost stays on record.

    Where nothing says which, all of them are meant, and it asks.
    """
    if not (id_ or key or before or yes):
        if as_json:
            raise Failure("--json does not ask: add --yes, or say which generations.", USAGE)
        what = f"Forget what was said in all generations of {account}?"
        ask(what)
    until = None if before is None else utc_time(before, "--before")
    count = 0
    with opened_existing(settings(data, config)) as premises:
        hash_ = None if key is None else premises.ledger.run_now(find(key)).hash
        wanted = Forgotten(account=account, before=until, id=id_, key_hash=hash_)
        while gone := premises.records.run_now(forget(wanted)):
            count += gone
            if gone < ROWS_AT_ONCE:
                break
    if as_json:
        print_json(Done(count))
    else:
        words = "1 generation" if count == 1 else f"{count:,} generations"
        out().print(f"What was said in {words} of {account} is forgotten.")
