"""`dragoman credits`: open accounts, add credit, pay it back, show what is left.

What may be done is decided in `dragoman.office.credits`. It works beside a running
server, where credit counts within a second.
"""

import time
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from msgspec import Struct

from dragoman.access.audit import Act
from dragoman.access.types import Reset
from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import (
    ConfigOption,
    DataOption,
    JsonOption,
    opened_existing,
    settings,
)
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.cli.limits import ResetOption, limit_of, words_of
from dragoman.config import Settings
from dragoman.core import money
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger.types import DEFAULT
from dragoman.office import credits as office
from dragoman.office.credits import Movement, Statement
from dragoman.office.key_info import user_limit_usd
from dragoman.office.keys import CLI, Limit
from dragoman.store.sql import Work

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Add credit to an account, refund it, or show what is left.",
)

AmountArgument = Annotated[str, typer.Argument(metavar="USD", help="How much, such as 25 or 0.5.")]
AccountOption = Annotated[str, typer.Option("--account", metavar="ID", help="Whose credit.")]
ReferenceOption = Annotated[
    str | None,
    typer.Option(
        "--reference",
        metavar="TEXT",
        show_default=False,
        help="What it is for, such as an invoice's number. The same one again changes nothing.",
    ),
]


class Shown(Struct, frozen=True, kw_only=True):
    """An account as it is printed, in USD. `free_usd` is null where nothing is refused."""

    account: str
    name: str
    kind: str
    created_at: str | None
    credits_usd: float
    usage_usd: float
    balance_usd: float
    reserved_usd: float
    free_usd: float | None
    fee_ppm: int
    user_limit_usd: float | None
    user_limit_reset: Reset | None


class Changed(Struct, frozen=True, kw_only=True):
    """Credit that was added or refunded. `repeated`: it had been before."""

    reference: str
    amount_usd: float
    repeated: bool
    account: Shown


@app.command("open", epilog=EPILOG)
def open_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose account it is.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a prepaid account. It begins with the free credit that the settings name."""
    chosen = settings(data, config)
    free = chosen.options.accounts.free_credit
    work = office.open_prepaid(
        name, free_credit=money.amount(free) if free else NanoUsd(0), now=time.time()
    )
    shown = _shown(_done(chosen, work))
    if as_json:
        print_json(shown)
        return
    out().print(shown.account, style="bold")
    err().print(f"{shown.name!r} is prepaid and begins with {_dollars(shown.credits_usd)}.")
    err().print(f"It goes by that id: dragoman keys create NAME --account {shown.account}")


@app.command(epilog=EPILOG)
def add(
    usd_: AmountArgument,
    account: AccountOption = DEFAULT,
    reference: ReferenceOption = None,
    grant: Annotated[
        bool, typer.Option("--grant", help="Give it away, instead of noting a payment.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add credit to an account."""
    work = office.add(account, _amount(usd_), reference=reference, grant=grant, now=time.time())
    _print_change(_done(settings(data, config), work), "Added", as_json)


@app.command(epilog=EPILOG)
def refund(
    usd_: AmountArgument,
    account: AccountOption = DEFAULT,
    reference: ReferenceOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay credit back that is neither used nor reserved."""
    work = office.refund(account, _amount(usd_), reference=reference, now=time.time())
    _print_change(_done(settings(data, config), work), "Refunded", as_json)


@app.command(epilog=EPILOG)
def fee(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Who pays it.")],
    ppm: Annotated[
        int, typer.Argument(metavar="PPM", help="In millionths of the cost: 50000 is 5 %.")
    ],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what an account pays on top of what its requests cost. 0: nothing."""
    work = office.set_fee(account, ppm, Act(actor=CLI, at=time.time()))
    shown = _shown(_done(settings(data, config), work))
    if as_json:
        print_json(shown)
    else:
        out().print(f"{shown.account} pays {shown.fee_ppm / 10_000:g} % on top of the cost.")


@app.command("user-limit", epilog=EPILOG)
def user_limit(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Whose keys' users.")],
    usd_: Annotated[str, typer.Argument(metavar="USD", help="The most each may, or `none`.")],
    reset: ResetOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what each end user may spend of keys that do not say it themselves."""
    to = limit_of(usd_, reset) or Limit(nanos=None)
    act = Act(actor=CLI, at=time.time())
    work = office.set_user_limit(account, to.nanos, to.reset, act)
    shown = _shown(_done(settings(data, config), work))
    if as_json:
        print_json(shown)
        return
    words = words_of(shown.user_limit_usd, shown.user_limit_reset) or "what its key may"
    out().print(f"Each user of a key of {shown.account} may spend {words}.")


@app.command(epilog=EPILOG)
def show(
    account: Annotated[str | None, typer.Argument(metavar="ID", help="Only this account.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what accounts were given, what they used, and what is left."""
    chosen = settings(data, config)
    if account is None:
        found = _done(chosen, office.statements)
    else:
        found = (_done(chosen, office.statement(account)),)
    shown = [_shown(each) for each in found]
    if as_json:
        print_json(shown)
        return
    print_table(
        ("account", "name", "kind", ">credits", ">used", ">balance", ">reserved", ">free"),
        [
            (
                each.account,
                each.name,
                each.kind,
                _dollars(each.credits_usd),
                _dollars(each.usage_usd),
                _dollars(each.balance_usd),
                _dollars(each.reserved_usd),
                "no limit" if each.free_usd is None else _dollars(each.free_usd),
            )
            for each in shown
        ],
    )


def _amount(text: str) -> NanoUsd:
    try:
        return money.amount(text)
    except ValueError as error:
        raise Failure(f"{error}", USAGE) from error


def _done(chosen: Settings, work: Work[T]) -> T:
    with opened_existing(chosen) as premises:
        return premises.ledger.run_now(work)


def _print_change(done: Movement, verb: str, as_json: bool) -> None:
    changed = Changed(
        reference=done.reference,
        amount_usd=usd(done.amount),
        repeated=done.repeated,
        account=_shown(done.statement),
    )
    if as_json:
        print_json(changed)
        return
    left = _dollars(changed.account.balance_usd)
    if changed.repeated:
        err().print(f"{changed.reference} was booked before; nothing changed.")
    else:
        out().print(f"{verb} {_dollars(changed.amount_usd)}, reference {changed.reference}.")
    out().print(f"The balance of {changed.account.account} is {left}.")


def _shown(of: Statement) -> Shown:
    made = of.account.created_at
    return Shown(
        account=of.account.id,
        name=of.account.name,
        kind=of.account.kind,
        created_at=None
        if made is None
        else datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        credits_usd=usd(of.credits),
        usage_usd=usd(of.usage),
        balance_usd=usd(of.account.balance_nanos),
        reserved_usd=usd(of.reserved),
        free_usd=None if of.free is None else usd(of.free),
        fee_ppm=of.account.fee_ppm,
        user_limit_usd=user_limit_usd(of.account),
        user_limit_reset=of.account.user_limit_reset,
    )


def _dollars(amount: float) -> str:
    return f"-${-amount:,.6f}" if amount < 0 else f"${amount:,.6f}"
