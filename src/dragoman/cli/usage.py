"""`dragoman usage`: what was asked and what it cost, by model, key or whatever, with bars."""

import asyncio
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from dragoman.access import keyring
from dragoman.cli.console import err, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.cli.logs import seconds
from dragoman.core.errors import InvalidRequest
from dragoman.office import keys
from dragoman.office.analytics import in_order, query_body, question, read_query
from dragoman.office.export import cell
from dragoman.office.premises import Premises
from dragoman.records.metrics import DIMENSIONS, METRICS, Value
from dragoman.records.questions import Answer, Line
from dragoman.records.reader import Reader

SHOWN = (
    "request_count", "tokens_prompt", "tokens_completion", "total_usage", "error_rate",
    "p50_latency", "p99_latency",
)  # fmt: skip
PERIODS = ("hour", "day", "week", "month")
NAMES: Mapping[str, str] = {"key": "api_key_id", "user": "external_user", "session": "session_id"}
GROUPS = ("model", "provider", "endpoint", "key", "app", "user", "tag", "session", *PERIODS)
"""What the help names; any other dimension of analytics will do, too."""
ROWS = 20
BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def usage(
    by: Annotated[
        str,
        typer.Option(help=f"{', '.join(GROUPS)}."),
    ] = "model",
    since: Annotated[
        str, typer.Option(metavar="AGE", help="How far back: 90s, 15m, 1h, 7d.")
    ] = "7d",
    key: Annotated[
        str | None, typer.Option(help="Only this key's: its name, label or hash.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--number",
            min=1,
            max=10_000,
            help=f"How many rows: {ROWS} without it, of CSV all.",
        ),
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show usage, the dearest first."""
    now = time.time()
    if by not in PERIODS and NAMES.get(by, by) not in DIMENSIONS:
        raise Failure(f"--by: {by[:80]!r} is not one of {', '.join(GROUPS)}", USAGE)
    with opened_existing(settings(data, config)) as premises:
        body = _body(premises, by, key, (now - seconds(since), now), number or ROWS)
        try:
            query = read_query(msgspec.json.encode(body))
            asked = question(query, None, now)
        except InvalidRequest as error:
            raise Failure(error.message, USAGE) from error
        found = asyncio.run(Reader(premises.records).answer(asked))
        names = premises.ledger.run_now(
            lambda connection: {each.hash: each.name for each in keyring.every_key(connection)}
        )
    if as_json:
        print_json(query_body(query, found, names, (time.time() - now) * 1000)["data"])
    elif as_csv:
        _print_csv(by, in_order(query, found.lines)[:number], names)
    else:
        _show(by, in_order(query, found.lines)[: number or ROWS], names, found)


def _body(
    premises: Premises, by: str, key: str | None, within: tuple[float, float], number: int
) -> dict[str, object]:
    """Return the query as the API would get it."""
    start, end = (datetime.fromtimestamp(at, UTC).isoformat() for at in within)
    body: dict[str, object] = {
        "metrics": list(SHOWN),
        "time_range": {"start": start, "end": end},
        "limit": number,
    }
    if by in PERIODS:
        body |= {"granularity": by, "order_by": {"field": "date", "direction": "desc"}}
    else:
        order = {"field": "total_usage", "direction": "desc"}
        body |= {"dimensions": [NAMES.get(by, by)], "order_by": order}
    if key is not None:
        hash_ = premises.ledger.run_now(keys.find(key)).hash
        body["filters"] = [{"field": "api_key_id", "operator": "eq", "value": hash_}]
    return body


def _show(by: str, lines: Sequence[Line], names: Mapping[str, str], found: Answer) -> None:
    if not lines:
        err().print("No usage in that time.")
        return
    costs = [float(METRICS["total_usage"].of(line.totals) or 0) for line in lines]
    weights = costs if any(costs) else [float(line.totals.of("requests")) for line in lines]
    most = max(weights) or 1.0
    rows = []
    for line, weight in zip(lines, weights, strict=True):
        cells = [_cell(name, METRICS[name].of(line.totals)) for name in SHOWN]
        rows.append((printable(_name(by, line, names)), bar(weight / most), *cells))
    heads = (by, "share", ">requests", ">in", ">out", ">cost", ">errors", ">p50", ">p99")
    print_table(heads, rows)
    for warning in found.warnings:
        err().print(f"Note: {warning}.")


def bar(part: float) -> str:
    """Return a bar whose length is a part (0 to 1) of the whole width."""
    eighths = round(part * BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(1)


def _name(by: str, line: Line, names: Mapping[str, str]) -> str:
    if line.at is not None:
        moment = datetime.fromtimestamp(line.at, UTC)
        return f"{moment:%Y-%m-%d %H:%M}" if by == "hour" else f"{moment:%Y-%m-%d}"
    value = line.values[0]
    return "-" if value is None else names.get(str(value), str(value))


def _cell(name: str, value: Value) -> str:
    if value is None:
        return "-"
    match METRICS[name].format:
        case "currency":
            return f"${value:,.4f}"
        case "percent":
            return f"{value:.1%}"
        case "latency":
            return f"{value / 1000:.2f} s"
        case _:
            return f"{value:,}"


def _print_csv(by: str, lines: Sequence[Line], names: Mapping[str, str]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow((by, *SHOWN))
    for line in lines:
        writer.writerow(
            (cell(_name(by, line, names)), *(METRICS[n].of(line.totals) for n in SHOWN))
        )
