"""`dragoman logs`: the latest generations, or one in detail with each attempt and its failure."""

import asyncio
import re
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from dragoman.cli.console import aligned, err, out, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, FAILED, USAGE, Failure
from dragoman.core.money import usd
from dragoman.office import keys
from dragoman.office.generations import describe
from dragoman.office.premises import Premises
from dragoman.records.reader import Reader, Wanted
from dragoman.records.types import Generation

AGE = re.compile(r"(\d{1,10})([smhd])", re.ASCII)
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST = 10_000
POLL_S = 1.0
LONGEST_S = 900.0
"""How long ago one may have begun that ends now."""
MOST_RECENT = 1000
HEADS = ("time", "model", "provider", "status", ">tokens", ">cost", ">first", ">attempts", "id")
WIDTHS = (19, 32, 16, 24, 11, 9, 7, 8, 0)
"""Columns of what is followed: nobody knows yet what will come."""
OLDEST_S = 100 * 366 * 86_400
"""No generation is older; beyond it are times that no calendar has."""

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def logs(
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Shows one generation in detail."),
    ] = None,
    *,
    number: Annotated[
        int, typer.Option("-n", "--number", min=1, max=MOST, help="How many, newest first.")
    ] = 20,
    model: Annotated[
        str | None, typer.Option(help="Only those that asked for, or got, this model.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's, by its slug.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    key: Annotated[
        str | None, typer.Option(help="Only this key's: its name, label or hash.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only those younger: 90s, 15m, 1h, 7d.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with new ones as they come; Ctrl-C ends.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the latest generations, or one in detail."""
    id_ = _id(which or [])
    with opened_existing(settings(data, config)) as premises:
        reader = Reader(premises.records)
        if id_ is not None:
            one = asyncio.run(reader.one(id_, key_hash=None))
            _show_one(id_, one, as_json)
            return
        wanted = Wanted(
            model=model,
            provider=provider,
            key_hash=_key_hash(premises, key),
            since=None if since is None else time.time() - seconds(since),
            failed=failed,
        )
        if follow:
            _follow(reader, wanted, number, as_json=as_json)
            return
        found = asyncio.run(reader.latest(wanted, number))
    if as_json:
        print_json([describe(each) for each in found])
    elif found:
        _show(found)
    else:
        anything = wanted == Wanted() and not failed
        err().print("No generations yet." if anything else "No generations like that.")


def _follow(reader: Reader, wanted: Wanted, number: int, *, as_json: bool) -> None:
    """Print the latest, the oldest first, then what comes, until interrupted.

    One is written when it ends: a long one comes after others that began later. So those of
    the last minutes are looked at again, and each is shown once.
    """
    show = _print_line if as_json else _print_row
    if not as_json:
        heads = [head.lstrip(">").upper() for head in HEADS]
        out().print(aligned(HEADS, heads, WIDTHS), style="bold")
    for each in reversed(asyncio.run(reader.latest(wanted, number))):
        show(each)
    known = {each.id for each in _recent(reader, wanted)}
    while True:
        time.sleep(POLL_S)
        recent = _recent(reader, wanted)
        for each in reversed(recent):
            if each.id not in known:
                show(each)
        known = {each.id for each in recent}


def _recent(reader: Reader, wanted: Wanted) -> tuple[Generation, ...]:
    since = max(wanted.since or 0.0, time.time() - LONGEST_S)
    return asyncio.run(reader.latest(replace(wanted, since=since), MOST_RECENT))


def _print_line(each: Generation) -> None:
    typer.echo(msgspec.json.encode(describe(each)))


def _print_row(each: Generation) -> None:
    console = out()
    console.print(printable(aligned(HEADS, _cells(each), WIDTHS)))
    console.file.flush()


def seconds(age: str) -> int:
    """Return an age such as `90s`, `15m`, `1h` or `7d` in seconds. Raises Failure."""
    match = AGE.fullmatch(age)
    if match is None:
        raise Failure(f"--since {age}: give an age such as 90s, 15m, 1h or 7d", USAGE)
    return min(int(match[1]) * UNITS_S[match[2]], OLDEST_S)


def _id(words: list[str]) -> str | None:
    if words[:1] == ["show"]:
        words = words[1:]
        if not words:
            raise Failure("logs show: give the id of a generation", USAGE)
    if len(words) > 1:
        raise Failure(f"logs: one id at a time, got {' '.join(words)}", USAGE)
    return words[0] if words else None


def _key_hash(premises: Premises, wanted: str | None) -> str | None:
    return None if wanted is None else premises.ledger.run_now(keys.find(wanted)).hash


def _show(found: Iterable[Generation]) -> None:
    print_table(HEADS, [tuple(map(printable, _cells(each))) for each in found])


def _cells(each: Generation) -> tuple[str, ...]:
    return (
        _when(each.created_at),
        each.model or each.requested,
        each.provider_name or "-",
        _status(each),
        f"{each.usage.prompt}+{each.usage.completion}",
        _cost(each),
        _duration(each.latency_ms),
        str(len(each.attempts)),
        each.id,
    )


def _show_one(id_: str, one: Generation | None, as_json: bool) -> None:
    if one is None:
        raise Failure(f"There is no generation {id_}. The latest: dragoman logs", FAILED)
    if as_json:
        print_json(describe(one))
        return
    console = out()
    for name, value in _facts(one):
        console.print(f"{name:<12}{printable(value)}")
    if one.attempts:
        console.print("\nAttempts:")
        print_table(
            ("endpoint", ">status", ">took", "why it failed"),
            [
                (
                    attempt.endpoint,
                    str(attempt.status or "-"),
                    _duration(attempt.latency_ms),
                    printable(": ".join(filter(None, (attempt.code, attempt.error)))),
                )
                for attempt in one.attempts
            ],
        )
    for note in one.notes:
        console.print(printable(f"Note: {note.field} {note.change}: {note.detail}"))


def _facts(one: Generation) -> list[tuple[str, str]]:
    usage = one.usage
    tokens = (
        f"{usage.prompt} in ({usage.cached} cached), "
        f"{usage.completion} out ({usage.reasoning} reasoning), {usage.source}"
    )
    facts = [
        ("id", one.id),
        ("time", _when(one.created_at)),
        ("asked for", one.requested),
        ("model", one.model or "-"),
        ("provider", one.provider_name or "-"),
        ("status", _status(one)),
        ("finished", " / ".join(filter(None, (one.finish_reason, one.native_finish_reason)))),
        ("strategy", one.strategy),
        ("streamed", "yes" if one.streamed else "no"),
        ("tokens", tokens),
        ("cost", _cost(one)),
        ("first after", _duration(one.latency_ms)),
        ("then", _duration(one.generation_ms)),
        ("key", one.key_hash[:12]),
        ("upstream id", one.upstream_id or ""),
        ("user", one.user or ""),
        ("app", " ".join(filter(None, (one.title, one.referer)))),
    ]
    return [(name, value) for name, value in facts if value]


def _status(one: Generation) -> str:
    if one.cancelled:
        return "client left"
    return f"{one.status} {one.error_type or ''}".strip()


def _cost(one: Generation) -> str:
    return f"${usd(one.cost_nanos):.6f}" if one.price_known else "?"


def _duration(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _when(created_at: float) -> str:
    return datetime.fromtimestamp(created_at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
