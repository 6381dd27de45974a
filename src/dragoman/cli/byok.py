"""`dragoman byok`: accounts' own credentials at providers, and the key they are sealed under.

What may be done is decided in `dragoman.office.byok`. A secret is asked for, or read from
standard input or a variable: arguments of a command can be seen by others.
"""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct, structs

from dragoman.access import own_credentials
from dragoman.access.audit import Act
from dragoman.access.types import DEFAULT_ACCOUNT, OwnCredential
from dragoman.cli.catalog import look, shipped_only
from dragoman.cli.consent import ask
from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import (
    ConfigOption,
    DataOption,
    JsonOption,
    opened,
    opened_existing,
    opened_locked,
    settings,
)
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.config import Settings
from dragoman.office import byok as office
from dragoman.office.byok import Safe
from dragoman.office.byok_bodies import ByokChange, ByokRow, NewByok, byok_row
from dragoman.office.credits import statement
from dragoman.office.key_admin import Manager
from dragoman.office.keys import CLI

SHOWN_ID = 8
LONGEST_SECRET = 16_384

CredentialArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or how that begins.")
]
VariableOption = Annotated[
    str | None,
    typer.Option("--key-env", metavar="VARIABLE", help="Which variable holds the secret."),
]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Keep accounts' own credentials at providers (bring your own key).",
)


class Shown(ByokRow, frozen=True, kw_only=True):
    """A credential as it is printed: with its account, and the address it may be sent to."""

    account: str
    origin: str
    forgotten: bool
    """Whether its secret has to be entered again."""


class Rotated(Struct, frozen=True, kw_only=True):
    """What a rotation did: the id of the key now in force, and how many accounts it seals."""

    kek: str | None
    accounts: int


@app.command(epilog=EPILOG)
def add(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Its slug or name.")],
    variable: VariableOption = None,
    name: Annotated[str | None, typer.Option("--name", help="What it is for.")] = None,
    fallback: Annotated[
        bool, typer.Option("--fallback", help="Use it after the installation's credentials.")
    ] = False,
    required: Annotated[
        bool, typer.Option("--required", help="Never use the installation's for these models.")
    ] = False,
    only: Annotated[
        bool, typer.Option("--only", help="Never use the installation's for this provider.")
    ] = False,
    models: Annotated[
        list[str] | None,
        typer.Option("--allow-model", metavar="MODEL", help="Only this model; may be repeated."),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", metavar="ID", help="Whose.")
    ] = DEFAULT_ACCOUNT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a credential. Its secret is asked for, or read from standard input."""
    chosen = settings(data, config)
    catalog = (look(chosen) if models else shipped_only(chosen)).catalog
    office.provider_of(provider, catalog)  # before anybody is asked for a secret in vain
    new = NewByok(
        provider=provider,
        key=_secret(variable, chosen),
        name=name,
        is_fallback=fallback,
        is_required=required,
        is_byok_only=only,
        allowed_models=tuple(models) if models else None,
    )
    with opened(chosen) as premises:
        premises.ledger.run_now(statement(account))  # which says so if there is no such account
        safe = Safe(premises.vault, premises.pepper)
        manager = Manager(account, Act(actor=CLI, at=time.time()))
        made = premises.ledger.run_now(office.add(new, catalog, safe, manager)).credential
    shown = _shown(made)
    if as_json:
        print_json(shown)
        return
    out().print(shown.id, style="bold")
    err().print(f"{shown.label} is sealed, for {shown.origin} only.")


@app.command("list", epilog=EPILOG)
def list_(
    data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the credentials of all accounts, in the order they are tried in."""
    with opened_existing(settings(data, config)) as premises:
        shown = [_shown(each) for each in premises.ledger.run_now(own_credentials.accounts)]
    if as_json:
        print_json(shown)
        return
    if not shown:
        err().print("No credentials yet. Add one with: dragoman byok add PROVIDER")
        return
    _print(shown)


def _print(shown: Sequence[Shown]) -> None:
    print_table(
        ("id", "account", "provider", "label", "name", "use", "address"),
        [
            (
                each.id[:SHOWN_ID],
                each.account,
                each.provider,
                each.label,
                each.name or "",
                _use(each),
                each.origin,
            )
            for each in shown
        ],
    )


@app.command(epilog=EPILOG)
def remove(
    id_: CredentialArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a credential, and wipe its secret."""
    with opened_existing(settings(data, config)) as premises:
        found = premises.ledger.run_now(office.find(id_))
        manager = Manager(found.account, Act(actor=CLI, at=time.time()))
        premises.ledger.run_now(office.delete(found.id, manager))
    if as_json:
        print_json(_shown(found))
        return
    out().print(f"{found.label} at {found.provider} is removed.")


@app.command(epilog=EPILOG)
def replace(
    id_: CredentialArgument,
    variable: VariableOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter the secret of a credential anew. Everything else about it stays."""
    chosen = settings(data, config)
    catalog = shipped_only(chosen).catalog
    with opened_existing(chosen) as premises:
        found = premises.ledger.run_now(office.find(id_))
        change = ByokChange(key=_secret(variable, chosen))
        manager = Manager(found.account, Act(actor=CLI, at=time.time()))
        work = office.amend(found.id, change, catalog, premises.vault, manager)
        shown = _shown(premises.ledger.run_now(work))
    if as_json:
        print_json(shown)
        return
    out().print(f"{shown.label} is sealed, for {shown.origin} only.")


@app.command(epilog=EPILOG)
def forget(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget the secrets that the file `kek` does not open any more, once it is lost for good.

    The credentials stay, without a secret and unused, until it is entered again.
    """
    if as_json and not yes:
        raise Failure("--json does not ask: add --yes.", USAGE)
    with opened_locked(settings(data, config)) as premises:
        found = premises.ledger.run_now(office.lost(premises.vault))
        if found.accounts and not yes:
            err().print(
                f"{premises.vault.keks.path} does not open the secrets of {len(found.accounts)} "
                "accounts. Other nodes, and backups, may have a file that does: copy it here "
                "instead. What is forgotten cannot be opened by those either."
            )
            what = f"Forget the secrets of {len(found.credentials)} credentials?"
            ask(what)
        act = Act(actor=CLI, at=time.time())
        found = premises.ledger.run_now(office.forget_lost(premises.vault, act))
    shown = [_shown(structs.replace(each, sealed="")) for each in found.credentials]
    if as_json:
        print_json(shown)
        return
    if not found.accounts:
        err().print("Nothing is lost: all that is sealed can be opened.")
        return
    _print(shown)
    err().print("Enter each again: dragoman byok replace ID, or PATCH /api/v1/byok/{id}.")


@app.command(epilog=EPILOG)
def rotate(
    prepare: Annotated[
        bool,
        typer.Option("--prepare", help="Only make the new key, to be copied to other nodes."),
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new key-encryption key in force, and drop the one before.

    It works beside running servers. Nodes with data directories of their own need the file
    `kek` of this one, first after --prepare, and again afterwards.
    """
    with opened_existing(settings(data, config)) as premises:
        keks = premises.vault.keks
        if prepare:
            done = Rotated(kek=keks.add().id, accounts=0)
        else:
            kek, count = premises.ledger.run_now(office.rotate(premises.vault))
            if kek is not None:
                keks.keep(kek)
            done = Rotated(kek=None if kek is None else kek.id, accounts=count)
    if as_json:
        print_json(done)
    elif done.kek is None:
        err().print("Nothing was ever sealed, so there is nothing to rotate.")
    elif prepare:
        out().print(f"{keks.path}: the new key {done.kek} is there, and not in force yet.")
        err().print("Copy the file to every other node, then run: dragoman byok rotate")
    else:
        out().print(f"The key {done.kek} is in force, and seals {done.accounts} accounts.")


def _secret(variable: str | None, chosen: Settings) -> str:
    """Return the secret from where it is. Raises Failure where there is none."""
    if variable is not None:
        text = chosen.environ.get(variable, "")
    elif sys.stdin.isatty():
        text = typer.prompt("Key", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
        if text.startswith("{"):
            text += sys.stdin.read(LONGEST_SECRET)  # JSON, as a cloud's console saves it
    if not text.strip():
        where = "standard input" if variable is None else f"the variable {variable}"
        raise Failure(f"There is no key in {where}.", USAGE)
    return text.strip()


def _shown(made: OwnCredential) -> Shown:
    row = byok_row(made)
    return Shown(
        **{name: getattr(row, name) for name in row.__struct_fields__},
        account=made.account,
        origin=made.origin,
        forgotten=not made.sealed,
    )


def _use(each: Shown) -> str:
    if each.forgotten:
        return "no secret"
    if each.disabled:
        return "disabled"
    if each.is_fallback:
        return "fallback"
    if each.is_byok_only:
        return "only"
    return "required" if each.is_required else "first"
