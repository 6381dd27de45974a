"""`dragoman members`: the people of an account, their roles and budgets.

What may be done is decided in `dragoman.office.members`.
"""

import asyncio
import time
from enum import StrEnum
from typing import Annotated

import typer

from dragoman.access import members
from dragoman.access.audit import Act
from dragoman.access.types import Member, Role
from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.cli.limits import WINDOWS, ResetOption
from dragoman.ledger.types import DEFAULT
from dragoman.office import members as office
from dragoman.office.key_admin import Manager
from dragoman.office.keys import CLI
from dragoman.office.members import MemberChange, MemberRow, NewMember, member_row, together
from dragoman.office.premises import Premises
from dragoman.records.reader import KeyUsage, Reader

MOST = 10**9

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Keep the members of an account, their roles and budgets.",
)

AccountOption = Annotated[str, typer.Option("--account", metavar="ID", help="Of which account.")]
MemberArgument = Annotated[str, typer.Argument(metavar="MEMBER", help="The address, or the id.")]
LimitOption = Annotated[
    float | None,
    typer.Option("--limit", metavar="USD", min=0, help="What all keys of the member may spend."),
]


class Part(StrEnum):
    """The roles."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


ROLES: dict[Part, Role] = {Part.OWNER: "owner", Part.ADMIN: "admin", Part.MEMBER: "member"}


@app.command(epilog=EPILOG)
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The address.")],
    name: Annotated[
        str | None, typer.Option("--name", help="By default what stands before the @.")
    ] = None,
    role: Annotated[
        Part, typer.Option("--role", help="For management keys of the member.")
    ] = Part.MEMBER,
    limit: LimitOption = None,
    reset: ResetOption = None,
    account: AccountOption = DEFAULT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a member. Make keys for one with: dragoman keys create NAME --member EMAIL."""
    new = NewMember(
        email=email,
        name=name or email.partition("@")[0],
        role=ROLES[role],
        limit=limit,
        limit_reset=None if reset is None else WINDOWS[reset],
    )
    with opened_existing(settings(data, config)) as premises:
        made = premises.ledger.run_now(office.add(new, _manager(account)))
    if as_json:
        print_json(member_row(made))
        return
    out().print(made.id, style="bold")
    err().print(f"{made.name} ({made.email}) is {made.role} of {made.account}.")


@app.command("list", epilog=EPILOG)
def list_(
    account: AccountOption = DEFAULT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the members of an account."""
    with opened_existing(settings(data, config)) as premises:
        found, _ = premises.ledger.read_now(members.listed(account, 0, MOST))
    rows = [member_row(each) for each in found]
    if as_json:
        print_json(rows)
        return
    if not rows:
        err().print("No members, and none are needed. Add one with: dragoman members add EMAIL")
        return
    print_table(
        ("id", "name", "email", "role", ">budget"),
        [(row.id, row.name, row.email, row.member_role, _budget_words(row)) for row in rows],
    )


@app.command(epilog=EPILOG)
def remove(
    member: MemberArgument,
    account: AccountOption = DEFAULT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a member. The keys of the member are disabled."""
    with opened_existing(settings(data, config)) as premises:
        found = premises.ledger.run_now(office.find(account, member))
        premises.ledger.run_now(office.remove(found.id, _manager(account)))
    if as_json:
        print_json(member_row(found))
    else:
        out().print(f"{found.name} ({found.email}) is removed, and the member's keys are disabled.")


@app.command(epilog=EPILOG)
def budget(
    member: MemberArgument,
    usd_: Annotated[str, typer.Argument(metavar="USD", help="The most to spend, or `none`.")],
    reset: ResetOption = None,
    account: AccountOption = DEFAULT,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what all keys of a member may spend together. What they have spent counts."""
    try:
        limit = None if usd_ == "none" else float(usd_)
    except ValueError:
        limit = -1.0
    if limit is not None and not 0 <= limit <= MOST:
        raise Failure(f"{usd_!r} is no amount in USD, and not `none`.", USAGE)
    change = MemberChange(limit=limit, limit_reset=None if reset is None else WINDOWS[reset])
    with opened_existing(settings(data, config)) as premises:
        found = premises.ledger.run_now(office.find(account, member))
        used = asyncio.run(_used(premises, found))
        after = premises.ledger.run_now(office.amend(found.id, change, _manager(account), used))
    row = member_row(after)
    if as_json:
        print_json(row)
    else:
        out().print(f"{row.name} may spend {_budget_words(row) or 'without a limit'}.")


async def _used(premises: Premises, member: Member) -> KeyUsage:
    hashes = premises.ledger.read_now(members.keys_of(member.account, member.id))
    used = await Reader(premises.records).usages(hashes, time.time())
    return together(used.values())


def _manager(account: str) -> Manager:
    return Manager(account, Act(actor=CLI, at=time.time()))


def _budget_words(row: MemberRow) -> str:
    if row.limit is None:
        return ""
    return f"${row.limit:g}" + (f" {row.limit_reset}" if row.limit_reset else "")
