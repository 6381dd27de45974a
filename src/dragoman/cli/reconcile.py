"""`dragoman reconcile`: our records beside what a provider says it counted and charged.

The shapes of exports are read in `dragoman.office.exports`, the comparison is made in
`dragoman.office.reconcile`.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from dragoman.catalog.types import Catalog
from dragoman.cli.catalog import shipped_only
from dragoman.cli.console import err, out, print_json, print_table, printable
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, FAILED, USAGE, Failure, unusable
from dragoman.office import exports
from dragoman.office.reconcile import Drift, Side, reconcile

app = typer.Typer(add_completion=False)


class Shape(StrEnum):
    """Whose export it is."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    CSV = "csv"


class Report(Struct, frozen=True, kw_only=True):
    """What was compared, and whether no drift is beyond the tolerance."""

    provider: str
    tolerance: float
    holds: bool
    rows: tuple[Drift, ...]


@app.command("reconcile", epilog=EPILOG)
def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The export, JSON or CSV.")],
    *,
    shape: Annotated[Shape, typer.Option("--provider", help="Whose export it is.")],
    of: Annotated[
        str | None,
        typer.Option(
            "--of", metavar="SLUG", help="Whose requests of ours; by default those of --provider."
        ),
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help=f"A column of a CSV file. Fields: {', '.join(exports.FIELDS)}.",
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0, max=100, metavar="PERCENT", help="Of their figure."),
    ] = 1.0,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare tokens and USD per model and day; exit code 1 where they differ too much."""
    if of is None and shape is Shape.CSV:
        raise Failure("A CSV file does not say whose it is: add --of SLUG.", USAGE)
    slug = of or str(shape)
    content = _content(file)
    rows = exports.read(content, shape.value, _names(named or []))
    chosen = settings(data, config)
    catalog = shipped_only(chosen).catalog
    if slug not in catalog.providers:
        raise Failure(f"{slug} is not the slug of a provider.", USAGE)
    with opened_existing(chosen) as premises:
        found = reconcile(premises.records, slug, rows, _upstream(catalog, slug))
    if exports.goes_on(content):
        err().print(
            "The export goes on (has_more): days that are not in the file are not compared."
        )
    worst = max((each.drift for each in found), default=0.0)
    holds = worst * 100 <= tolerance
    if as_json:
        print_json(Report(provider=slug, tolerance=tolerance, holds=holds, rows=found))
    else:
        _print(found, tolerance)
    if not holds:
        err().print(f"The worst drift is {worst:.2%}, beyond {tolerance:g} %.")
        raise typer.Exit(FAILED)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise unusable(error, file) from error


def _names(given: Sequence[str]) -> dict[str, str]:
    """Return field -> column. Raises Failure."""
    names = {}
    for each in given:
        field, equals, column = each.partition("=")
        if not (equals and column):
            raise Failure(f"--map {each}: write it as field=column", USAGE)
        names[field.strip()] = column
    return names


def _upstream(catalog: Catalog, slug: str) -> dict[str, str]:
    """Return endpoint id -> the name by which the provider knows the model."""
    return {
        each.id: each.upstream
        for model in catalog.models.values()
        for each in model.endpoints
        if each.provider == slug
    }


def _print(found: Sequence[Drift], tolerance: float) -> None:
    if not found:
        err().print("The export holds nothing.")
        return
    heads = (
        "day", "model", ">in ours", ">in theirs", ">out ours", ">out theirs",
        ">USD ours", ">USD theirs", ">drift",
    )  # fmt: skip
    rows = [
        (
            each.day,
            printable(each.model),
            *_pair(each, "prompt"),
            *_pair(each, "completion"),
            *_pair(each, "usd"),
            _drift(each),
        )
        for each in found
    ]
    print_table(heads, rows, [_style(each, tolerance) for each in found])
    ours, theirs = (_total(found, side) for side in ("ours", "theirs"))
    by_theirs = "the export tells no cost" if theirs is None else f"${theirs:,.6f} by theirs"
    out().print(f"In all ${ours or Decimal(0):,.6f} by ours, {by_theirs}.")


def _style(each: Drift, tolerance: float) -> str | None:
    if each.drift * 100 > tolerance:
        return "red"
    return "yellow" if each.drift else "green"


def _pair(each: Drift, field: str) -> tuple[str, str]:
    return _cell(each.ours, field), _cell(each.theirs, field)


def _cell(side: Side | None, field: str) -> str:
    value: int | Decimal | None = getattr(side, field, None)
    if value is None:
        return "-"
    return f"{value:,.6f}" if isinstance(value, Decimal) else f"{value:,}"


def _drift(each: Drift) -> str:
    if each.ours is None:
        return "only theirs"
    return "only ours" if each.theirs is None else f"{each.drift:.2%}"


def _total(found: Sequence[Drift], name: str) -> Decimal | None:
    """Return what one side costs in all, None where it tells no cost."""
    sides: list[Side | None] = [getattr(each, name) for each in found]
    told = [side.usd for side in sides if side is not None and side.usd is not None]
    return sum(told, Decimal(0)) if told else None
