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
from msgspec.structs import replace

from dragoman.access.rates import MOST
from dragoman.access.types import DEFAULT_ACCOUNT, Grant, Key, Kind, Reset
from dragoman.cli.catalog import look, shipped_only
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
from dragoman.cli.limits import (
    WINDOWS,
    ResetOption,
    UserLimitOption,
    UserResetOption,
    limit_of,
    nanos_of,
    words_of,
)
from dragoman.config import Settings
from dragoman.core.money import NanoUsd, usd
from dragoman.office import keys, members
from dragoman.office.key_bodies import model_ids, provider_slugs, utc_time
from dragoman.office.key_info import iso, limit_usd, user_limit_usd
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


ModelsOption = Annotated[
    list[str] | None,
    typer.Option("--allow-model", metavar="MODEL", help="Only this model; may be repeated."),
]
ProvidersOption = Annotated[
    list[str] | None,
    typer.Option("--allow-provider", metavar="SLUG", help="Only this provider; likewise."),
]
RpmOption = Annotated[int | None, typer.Option("--rpm", min=1, max=MOST, help="Requests a minute.")]
TpmOption = Annotated[int | None, typer.Option("--tpm", min=1, max=MOST, help="Tokens a minute.")]
ConcurrencyOption = Annotated[
    int | None, typer.Option("--concurrency", min=1, max=MOST, help="Requests at once.")
]


class Shown(Struct, frozen=True, kw_only=True):
    """A key as it is printed. `spent_usd` is what it has spent so far."""

    hash: str
    name: str
    label: str
    state: str
    created_at: str
    spent_usd: float | None = None
    kind: Kind
    account: str
    limit_usd: float | None
    limit_reset: Reset | None
    include_byok_in_limit: bool
    user_limit_usd: float | None
    user_limit_reset: Reset | None
    expires_at: str | None
    allowed_models: tuple[str, ...]
    allowed_providers: tuple[str, ...]
    rpm: int | None
    tpm: int | None
    concurrency: int | None


class Created(Struct, frozen=True, kw_only=True):
    """A new key, printed this once with its text."""

    key: str
    hash: str
    name: str
    label: str
    created_at: str
    kind: Kind
    expires_at: str | None


@app.command(epilog=EPILOG)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="USD", help="The most the key may spend.")
    ] = None,
    reset: ResetOption = None,
    user_limit: UserLimitOption = None,
    user_reset: UserResetOption = None,
    account: Annotated[
        str, typer.Option("--account", metavar="ID", help="Who pays: see dragoman credits show.")
    ] = DEFAULT_ACCOUNT,
    management: Annotated[
        bool,
        typer.Option("--management", help="For managing keys over the API, not for inference."),
    ] = False,
    member: Annotated[
        str | None,
        typer.Option("--member", metavar="EMAIL", help="Whose key it is: see dragoman members."),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="In UTC: 2027-12-31T23:59:59Z."),
    ] = None,
    models: ModelsOption = None,
    providers: ProvidersOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once, and stored nowhere."""
    chosen = settings(data, config)
    users = limit_of(user_limit, user_reset) or keys.Limit(nanos=None)
    grant = Grant(
        kind="management" if management else "inference",
        limit_nanos=None if limit is None else nanos_of(limit),
        limit_reset=None if reset is None else WINDOWS[reset],
        user_limit_nanos=users.nanos,
        user_limit_reset=users.reset,
        expires_at=None if expires is None else utc_time(expires),
        allowed_models=model_ids(models, look(chosen).catalog) if models else (),
        allowed_providers=_slugs(providers, chosen) if providers else (),
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
    )
    with opened(chosen) as premises:
        work = keys.create(
            name,
            prefix=chosen.options.access.key_prefix,
            pepper=premises.pepper,
            now=time.time(),
            grant=_given_to(premises, grant, account, member),
            account=account,
        )
        _print_created(*premises.ledger.run_now(work), as_json=as_json)


@app.command("list", epilog=EPILOG)
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Revoked keys, too.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys and what each has spent, newest first."""
    with opened_existing(settings(data, config)) as premises:
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
        ("label", "name", "kind", "state", "created", ">spent", ">limit", "hash"),
        [
            (
                key.label,
                key.name,
                key.kind,
                key.state,
                key.created_at,
                f"${key.spent_usd:.6f}",
                words_of(key.limit_usd, key.limit_reset),
                key.hash[:12],
            )
            for key in shown
        ],
    )


@app.command("limit", epilog=EPILOG)
def limit_(
    key: KeyArgument,
    usd_: Annotated[
        str | None, typer.Argument(metavar="USD", help="The most it may spend, or `none`.")
    ] = None,
    reset: ResetOption = None,
    user_limit: UserLimitOption = None,
    user_reset: UserResetOption = None,
    include_byok: Annotated[
        bool | None,
        typer.Option(
            "--include-byok/--no-byok", help="Count what own credentials cost at providers."
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what a key and its end users may spend. What the key has spent counts for it."""
    to = keys.Limits(
        key=limit_of(usd_, reset), users=limit_of(user_limit, user_reset), include_byok=include_byok
    )
    if to == keys.Limits():
        raise Failure("Give USD, --user-limit, --include-byok or --no-byok.", USAGE)
    with opened_existing(settings(data, config)) as premises:
        found = premises.ledger.run_now(keys.find(key))
        used = asyncio.run(Reader(premises.records).usage(found.hash, time.time()))
        shown = _shown(premises.ledger.run_now(keys.limit(found.hash, to, used, time.time())))
    if as_json:
        print_json(shown)
        return
    words = words_of(shown.limit_usd, shown.limit_reset) or "without a limit"
    of_users = words_of(shown.user_limit_usd, shown.user_limit_reset)
    each = f", each of its users {of_users}" if of_users else ""
    out().print(f"{shown.name} ({shown.label}) may spend {words}{each}.")


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


def _print_created(text: str, key: Key, *, as_json: bool) -> None:
    if as_json:
        print_json(_created(text, key))
        return
    out().print(text, style="bold")
    err().print(f"This is {key.name!r}. Keep it: it is shown this once and stored nowhere.")


def _created(text: str, key: Key) -> Created:
    return Created(
        key=text,
        hash=key.hash,
        name=key.name,
        label=key.label,
        created_at=_date(key.created_at),
        kind=key.kind,
        expires_at=None if key.expires_at is None else iso(key.expires_at),
    )


def _given_to(premises: Premises, grant: Grant, account: str, member: str | None) -> Grant:
    """Return the grant for a key of this member of the account. Raises NotFound."""
    if member is None:
        return grant
    return replace(grant, creator=premises.ledger.run_now(members.find(account, member)).id)


def _slugs(names: list[str], chosen: Settings) -> tuple[str, ...]:
    return provider_slugs(names, shipped_only(chosen).catalog)


def _change(work: Work[Key], chosen: Settings, as_json: bool) -> None:
    with opened_existing(chosen) as premises:
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
        kind=key.kind,
        account=key.account,
        limit_usd=limit_usd(key),
        limit_reset=key.limit_reset,
        include_byok_in_limit=key.include_byok_in_limit,
        user_limit_usd=user_limit_usd(key),
        user_limit_reset=key.user_limit_reset,
        expires_at=None if key.expires_at is None else iso(key.expires_at),
        allowed_models=key.allowed_models,
        allowed_providers=key.allowed_providers,
        rpm=key.rpm,
        tpm=key.tpm,
        concurrency=key.concurrency,
    )


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= time.time():
        return "expired"
    return "disabled" if key.disabled else "active"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
