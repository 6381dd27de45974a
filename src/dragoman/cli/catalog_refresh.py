"""`dragoman catalog refresh`, `status`, `pending` and `approve`: a newer catalog, and its prices.

Works beside a running server, which takes up what is in force within a second. What
is sound is decided in `dragoman.catalog.check`, what waits in `dragoman.catalog.changes`.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import Struct

from dragoman.catalog.changes import UNITS, Hold, endpoints
from dragoman.catalog.types import Price
from dragoman.cli.catalog import opened
from dragoman.cli.console import err, out, per_million, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, settings, usable
from dragoman.cli.exits import EPILOG, FAILED, USAGE, Failure
from dragoman.cli.gateway import outward
from dragoman.config import Settings
from dragoman.core import money
from dragoman.core.clock import Clock
from dragoman.core.money import PicoUsd
from dragoman.office.archive import Archive, Attempt, Edition
from dragoman.office.refresh import Outcome, Refused, Unknown, refresh
from dragoman.office.refresh import approve as approve_prices

app = typer.Typer()


class Refusal(Struct, frozen=True, kw_only=True):
    """A catalog that was not taken, and why."""

    source: str
    problems: tuple[str, ...]
    changed: bool = False


class Waiting(Struct, frozen=True, kw_only=True):
    """A price that waits. `was` and `asks` are USD per unit, as text."""

    endpoint: str
    model: str
    provider: str
    times: float
    unit: str
    above: int
    was: dict[str, str]
    asks: dict[str, str]


class Done(Struct, frozen=True, kw_only=True):
    """An endpoint whose new price came into force."""

    endpoint: str
    asks: dict[str, str]


class Counted(Struct, frozen=True, kw_only=True):
    """How much a catalog holds."""

    models: int
    endpoints: int


class InForce(Struct, frozen=True, kw_only=True):
    """The refreshed catalog that counts."""

    source: str
    fetched_at: str
    digest: str
    waiting: int


class Tried(Struct, frozen=True, kw_only=True):
    """How the last refresh went. Without problems, well."""

    at: str
    source: str
    problems: tuple[str, ...]


class Status(Struct, frozen=True, kw_only=True):
    """What counts, where it came from, and how it is refreshed."""

    counts: Counted
    refreshed: InForce | None
    set_aside: tuple[str, ...]
    last_try: Tried | None
    refresh_url: str | None
    refresh_hours: float


@app.command("refresh", epilog=EPILOG)
def fetch(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="URL|FILE",
            help="Where it is; by default catalog.refresh_url of the settings.",
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a newer catalog into force, unless anything in it is wrong."""
    chosen = settings(data, config)
    where = source or chosen.options.catalog.refresh_url
    if where is None:
        raise Failure("Name an https address or a file, or set catalog.refresh_url.", USAGE)
    try:
        with usable(chosen.data), err().status(f"Fetching and checking {printable(where)}…"):
            outcome = asyncio.run(_refreshed(where, chosen))
    except Refused as refused:
        _refuse(refused, as_json=as_json)
        raise typer.Exit(FAILED) from refused
    if as_json:
        print_json(outcome)
    else:
        _show(outcome)


@app.command(epilog=EPILOG)
def status(
    data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show which catalog counts, where it came from, and how the last refresh went."""
    found = _status(settings(data, config))
    if as_json:
        print_json(found)
        return
    print_table(["what", "is"], _lines(found))


@app.command(epilog=EPILOG)
def pending(
    data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the prices that changed more than fivefold, and wait for approval."""
    holds = _holds(settings(data, config))
    if as_json:
        print_json([_waiting(hold) for hold in holds])
    elif holds:
        _show_holds(holds)
    else:
        err().print("No price waits.")


@app.command(epilog=EPILOG)
def approve(
    endpoint: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENDPOINT|MODEL", help="Whose price is right after all."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every price that waits.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let prices that wait come into force."""
    if bool(endpoint) is all_:
        raise Failure("Name endpoints or models, or say --all.", USAGE)
    chosen = settings(data, config)
    try:
        with usable(chosen.data):
            done = approve_prices(Archive(chosen.data), None if all_ else endpoint)
    except Unknown as error:
        raise Failure(f"{error} Those that do are listed by: dragoman catalog pending") from error
    if as_json:
        print_json([Done(endpoint=each.endpoint, asks=_amounts(each.asks)) for each in done])
        return
    for each in done:
        out().print(f"{each.endpoint}: the new price is in force.")
    if not done:
        err().print("No price waits.")


async def _refreshed(source: str, chosen: Settings) -> Outcome:
    async with outward(chosen) as client:
        return await refresh(source, Archive(chosen.data), client, Clock())


def _refuse(refused: Refused, *, as_json: bool) -> None:
    if as_json:
        print_json(Refusal(source=refused.source, problems=refused.problems))
        return
    for problem in refused.problems:
        err().print(printable(f"{refused.source}: {problem}"))
    err().print("Refused. The catalog that was in force still is.")


def _show(outcome: Outcome) -> None:
    if not outcome.changed:
        out().print(f"{printable(outcome.source)} has not changed.")
        return
    out().print(
        f"{outcome.models:,} models at {outcome.endpoints:,} endpoints are in force: "
        f"{outcome.added:,} new, {outcome.repriced:,} at another price."
    )
    if outcome.waiting:
        err().print(
            f"Changed more than fivefold, and waiting: {len(outcome.waiting):,}. "
            "See them with: dragoman catalog pending"
        )


def _status(chosen: Settings) -> Status:
    rows, options = opened(chosen).rows, chosen.options.catalog
    attempt = Archive(chosen.data).attempt()
    models = rows.shipped.models
    return Status(
        counts=Counted(models=len(models), endpoints=sum(1 for _ in endpoints(models))),
        refreshed=_in_force(rows.edition) if rows.edition else None,
        set_aside=rows.problems,
        last_try=_tried(attempt) if attempt else None,
        refresh_url=options.refresh_url,
        refresh_hours=options.refresh_hours,
    )


def _in_force(edition: Edition) -> InForce:
    return InForce(
        source=edition.source,
        fetched_at=_date(edition.fetched_at),
        digest=edition.digest,
        waiting=len(edition.holds),
    )


def _tried(attempt: Attempt) -> Tried:
    return Tried(at=_date(attempt.at), source=attempt.source, problems=attempt.problems)


def _lines(found: Status) -> list[list[str]]:
    force, tried = found.refreshed, found.last_try
    every = f"every {found.refresh_hours:g} hours"
    lines = [
        ["models", f"{found.counts.models:,} at {found.counts.endpoints:,} endpoints"],
        ["in force", f"{force.source}, {force.fetched_at}" if force else "as shipped"],
        ["refresh", f"{found.refresh_url}, {every}" if found.refresh_url else "by hand"],
        ["prices waiting", f"{force.waiting:,}" if force else "0"],
    ]
    if tried:
        well = "went well" if not tried.problems else f"was refused: {tried.problems[0]}"
        lines.append(["last refresh", f"{tried.at}, {tried.source}, {well}"])
    lines += [["set aside", problem] for problem in found.set_aside]
    return [[name, printable(text)] for name, text in lines]


def _holds(chosen: Settings) -> tuple[Hold, ...]:
    edition = opened(chosen).rows.edition
    return edition.holds if edition else ()


def _waiting(hold: Hold) -> Waiting:
    return Waiting(
        endpoint=hold.endpoint,
        model=hold.model,
        provider=hold.provider,
        times=hold.times,
        unit=hold.unit,
        above=hold.above,
        was=_amounts(hold.was),
        asks=_amounts(hold.asks),
    )


def _show_holds(holds: Sequence[Hold]) -> None:
    rows = []
    for hold in holds:
        was, asks = (per_million(float(money.per_million(PicoUsd(a)))) for a in hold.amounts)
        rows.append([hold.endpoint, hold.unit, was, asks, f"{hold.times:,.0f}"])
    print_table(["endpoint", "price of", ">$/M now", ">$/M asked", ">times"], rows)
    err().print("To let one come into force: dragoman catalog approve MODEL")


def _amounts(price: Price) -> dict[str, str]:
    """Return what each unit costs in USD, as text; that of longer prompts is left out."""
    amounts = {unit: getattr(price, unit) for unit in UNITS}
    return {unit: money.price_text(each) for unit, each in amounts.items() if each is not None}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
