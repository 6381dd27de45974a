"""`dragoman prices`: what each endpoint of a model charges, and charging the past anew.

What re-rating may change is decided in `dragoman.office.rerate`.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from msgspec import Struct

from dragoman.access.audit import Act
from dragoman.catalog import tariff
from dragoman.catalog.options import PriceOptions
from dragoman.catalog.own import read_price
from dragoman.catalog.types import Catalog, Endpoint, Model, Price
from dragoman.cli.catalog import look, shipped_only
from dragoman.cli.compare import model_of
from dragoman.cli.consent import ask
from dragoman.cli.console import err, out, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure, unusable
from dragoman.cli.logs import seconds
from dragoman.core.money import NANO, PICO, price_text
from dragoman.office import rerate as office
from dragoman.office.keys import CLI
from dragoman.office.rerate import Differences, Done
from dragoman.records.corrections import Span

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Show what endpoints charge, or charge the past anew by a corrected price.",
)

DAY = re.compile(r"\d{4}-\d\d-\d\d")
PER_MILLION = (
    "prompt", "completion", "cache_read", "cache_read_marked", "cache_write", "cache_write_1h",
    "reasoning", "audio", "audio_output", "image_output",
)  # fmt: skip
APIECE = ("image", "request", "search")
WORDS = {
    "cache_write_1h": "write 1h",
    "cache_write": "write",
    "cache_read": "cached",
    "cache_read_marked": "marked",
}


class Shown(Struct, frozen=True, kw_only=True):
    """What an endpoint charges. `price` has USD per unit, as text; null is *not known*."""

    endpoint: str
    provider: str
    version: str | None
    price: dict[str, object] | None


class Report(Struct, frozen=True, kw_only=True):
    """What re-rating changes, and what of it was booked; null for a dry run."""

    differences: Differences
    done: Done | None


@app.command(epilog=EPILOG)
def show(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Such as openai/gpt-4o.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each endpoint of a model charges: in USD per million tokens, fees apiece."""
    model = model_of(look(settings(data, config)).catalog, name)
    if as_json:
        print_json([_shown(each) for each in model.endpoints])
        return
    units = [unit for unit in (*PER_MILLION, *APIECE) if _is_used(model, unit)]
    heads = [f">{WORDS.get(unit, unit.replace('_', ' '))}" for unit in units]
    rows = [row for each in model.endpoints for row in _rows(each, units)]
    print_table(["endpoint", "version", *heads, "rates"], rows)


@app.command(epilog=EPILOG)
def rerate(
    *,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="From then on: 2026-11-01, or an age such as 7d.")
    ],
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Before then; by default, until now.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only what this model answered.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's, by its slug.")] = None,
    to_catalog: Annotated[
        bool, typer.Option("--to-catalog", help="By the prices of the present catalog.")
    ] = False,
    price_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="By prices in YAML, under ids of endpoints or models."),
    ] = None,
    charge: Annotated[
        bool, typer.Option("--charge", help="Charge what costs more, too; else only give back.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the differences, and book nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Charge past generations anew by a corrected price, with adjusting entries."""
    if to_catalog == (price_file is not None):
        raise Failure("Give either --to-catalog or --price-file FILE.", USAGE)
    if as_json and not (dry_run or yes):
        raise Failure("--json does not ask: add --yes or --dry-run.", USAGE)
    chosen, now = settings(data, config), time.time()
    catalog = shipped_only(chosen).catalog
    new = _of_catalog(catalog) if price_file is None else _of_file(price_file, catalog)
    span = Span(
        since=moment(since, now),
        until=now if until is None else moment(until, now),
        model=None if model is None else model.removesuffix(":free"),
        provider=provider,
    )
    with opened_existing(chosen) as premises:
        found = office.differences(premises.records, span, new)
        done = None
        if not as_json:
            _print_differences(found, charge=charge)
        if found.lines and not dry_run:
            if not yes:
                _ask(found, charge=charge)
            homes = (premises.ledger, premises.records)
            act = Act(actor=CLI, at=now)
            done = office.rerate(homes, span, new, act, charge_more=charge)
    if as_json:
        print_json(Report(differences=found, done=done))
    elif done is not None:
        _print_done(done)


def moment(text: str, now: float) -> float:
    """Return the Unix time that a day (UTC) or an age means. Raises Failure."""
    if not DAY.fullmatch(text):
        return now - seconds(text)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise Failure(f"{text} is no day: {error}", USAGE) from error


def _of_catalog(catalog: Catalog) -> Callable[[str], Price | None]:
    return {
        each.id: each.price for model in catalog.models.values() for each in model.endpoints
    }.get


def _of_file(file: Path, catalog: Catalog) -> Callable[[str], Price | None]:
    """Return the prices of a file, on the terms of their hosts. Raises Failure, CatalogError."""
    try:
        rows = yaml.safe_load(file.read_bytes())
        named = msgspec.convert(rows, dict[str, PriceOptions])
    except OSError as error:
        raise unusable(error, file) from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise Failure(f"{file}: {error}", USAGE) from error
    endpoints = {each.id: each for model in catalog.models.values() for each in model.endpoints}
    found: dict[str, Price | None] = {}
    for name, options in named.items():
        price = read_price(options, f"{file}: {name}")
        if price is None:
            raise Failure(f"{file}: {name}: a price of 0 says nothing; leave it out", USAGE)
        for each in _named(name, endpoints, file):
            row = catalog.providers[each.provider]
            found[each.id] = tariff.completed(price, row.billing, each.upstream)
    return found.get


def _named(name: str, endpoints: dict[str, Endpoint], file: Path) -> list[Endpoint]:
    """Return the endpoint of this id, or all that serve the model of this id for money."""
    if name in endpoints:
        return [endpoints[name]]
    served = [each for each in endpoints.values() if each.model == name and not each.free]
    if not served:
        raise Failure(f"{file}: {name} is the id of no endpoint and of no model", USAGE)
    return served


def _ask(found: Differences, *, charge: bool) -> None:
    generations = sum(line.generations for line in found.lines)
    what = "both ways" if charge else "downwards"
    ask(f"Book this for up to {generations:,} generations, {what}?")


def _print_differences(found: Differences, *, charge: bool) -> None:
    if found.lines:
        print_table(
            (
                "endpoint", "from", "to", ">generations", ">charged", ">owed", ">back",
                ">more" if charge else ">more (left)",
            ),
            [
                (
                    line.endpoint,
                    line.was or "unknown",
                    line.becomes,
                    f"{line.generations:,}",
                    _dollars(line.charged),
                    _dollars(line.owed),
                    _dollars(line.less),
                    _dollars(line.more),
                )
                for line in found.lines
            ],
        )  # fmt: skip
    else:
        err().print("Nothing costs something else.")
    for why, number in found.skipped.items():
        err().print(f"{number:,} left alone: {why}.")


def _print_done(done: Done) -> None:
    out().print(
        f"Booked for {done.booked:,} generations: {_dollars(done.given_back)} given back, "
        f"{_dollars(done.charged)} charged."
    )
    if done.house:
        err().print(f"The house bears {_dollars(done.house)} of it (house:overrun).")
    if done.left:
        err().print(f"{done.left:,} would cost more, and were left; --charge charges them.")


def _dollars(nanos: int) -> str:
    sign = "-" if nanos < 0 else ""
    return f"{sign}${abs(nanos) / NANO:,.9f}"


def _is_used(model: Model, unit: str) -> bool:
    prices = [each.price for each in model.endpoints if each.price is not None]
    named = [*prices, *(tier for price in prices for tier in price.tiers)]
    return any(getattr(each, unit, None) is not None for each in named)


def _shown(endpoint: Endpoint) -> Shown:
    price = endpoint.price
    if price is None:
        return Shown(endpoint=endpoint.id, provider=endpoint.provider, version=None, price=None)
    named: dict[str, object] = {
        unit: price_text(amount)
        for unit in (*PER_MILLION, *APIECE)
        if (amount := getattr(price, unit)) is not None
    }
    if price.tiers:
        named["tiers"] = [
            {
                name: value if name == "min_prompt_tokens" else price_text(value)
                for name, value in msgspec.structs.asdict(tier).items()
                if value is not None
            }
            for tier in price.tiers
        ]
    if price.rates:
        named["rates"] = {rate.tier: rate.ppm / 1_000_000 for rate in price.rates}
    return Shown(
        endpoint=endpoint.id,
        provider=endpoint.provider,
        version=tariff.version(price),
        price=named,
    )


def _rows(endpoint: Endpoint, units: Sequence[str]) -> list[list[str]]:
    """Return the row of an endpoint, and one for each tier of long prompts."""
    price = endpoint.price
    if price is None:
        return [[endpoint.id, "unknown", *("?" for _ in units), ""]]
    rates = " ".join(f"{rate.tier} x{rate.ppm / 1_000_000:g}" for rate in price.rates)
    rows = [[endpoint.id, tariff.version(price), *(_cell(price, unit) for unit in units), rates]]
    for tier in price.tiers:
        above = f"  above {tier.min_prompt_tokens:,} tokens"
        rows.append([above, "", *(_cell(tier, unit) for unit in units), ""])
    return rows


def _cell(of: object, unit: str) -> str:
    amount = getattr(of, unit, None)
    if amount is None:
        return "-"
    per = 1 if unit in APIECE else 1_000_000
    return f"{(amount * per / PICO).normalize():f}"
