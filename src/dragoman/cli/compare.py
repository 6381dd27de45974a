"""`dragoman models compare`: models side by side, and what a workload costs at each endpoint.

What is compared is made in `dragoman.cli.comparison`; here it becomes tables.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from dragoman.catalog.listing import find
from dragoman.catalog.names import nearest
from dragoman.catalog.types import Catalog, Model
from dragoman.cli.catalog import look
from dragoman.cli.comparison import Compared, Comparison, Offer, Span, comparison
from dragoman.cli.console import err, out, per_million, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, settings
from dragoman.cli.exits import USAGE, Failure
from dragoman.cli.workload import EXAMPLE, Workload, amount, read_workload
from dragoman.core.money import NANO

USUAL_PROMPT, USUAL_COMPLETION = "1000000", "200000"


def compare(
    names: Annotated[list[str], typer.Argument(metavar="MODEL", help="Such as demo/parrot.")],
    *,
    prompt: Annotated[
        str | None,
        typer.Option("--prompt-tokens", metavar="N", help=f"By default {USUAL_PROMPT}."),
    ] = None,
    completion: Annotated[
        str | None,
        typer.Option("--completion-tokens", metavar="N", help=f"By default {USUAL_COMPLETION}."),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option("--workload", metavar="TEXT", help=f"In place of these, such as '{EXAMPLE}'."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Endpoints that cannot be called, too.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show models side by side, and what a workload costs at each of their endpoints."""
    wanted = _workload(prompt, completion, workload)
    shelf = look(settings(data, config))
    for slug, problem in shelf.silent.items():
        err().print(f"{slug} did not list its models: {problem}")
    found = comparison([model_of(shelf.catalog, name) for name in names], wanted, all_)
    if as_json:
        print_json(found)
        return
    _show_facts(found.models)
    out().print(f"\nWhat {wanted} cost:\n")
    _show_offers(found)


def _workload(prompt: str | None, completion: str | None, text: str | None) -> Workload:
    if text and (prompt or completion):
        raise Failure("--workload says it all; leave out the other options.", USAGE)
    try:
        if text:
            return read_workload(text)
        return Workload(
            prompt_tokens=amount(prompt or USUAL_PROMPT),
            completion_tokens=amount(completion or USUAL_COMPLETION),
        )
    except ValueError as error:
        raise Failure(f"{error}.", USAGE) from error


def model_of(catalog: Catalog, name: str) -> Model:
    """Return the model of this name. Raises Failure that names the nearest."""
    model = find(catalog, name)
    if model is None:
        near = ", ".join(nearest(name, catalog.models))
        raise Failure(f"{name} is not a model of the catalog. The nearest: {near}", USAGE)
    return model


def _show_facts(models: Sequence[Compared]) -> None:
    facts: list[tuple[str, Callable[[Compared], str]]] = [
        ("model", lambda model: model.id),
        ("status", lambda model: model.status),
        ("context", lambda model: _tokens(model.context)),
        ("max output", lambda model: _tokens(model.max_output)),
        ("takes", lambda model: ", ".join(model.inputs)),
        ("gives", lambda model: ", ".join(model.outputs)),
        ("$/M in", lambda model: _span(model.prompt_usd_per_million)),
        ("$/M out", lambda model: _span(model.completion_usd_per_million)),
        ("providers", lambda model: str(len(model.providers))),
    ]
    rows = [[name, *map(cell, models)] for name, cell in facts]
    rows += [
        [name, *("yes" if name in model.parameters else "no" for model in models)]
        for name in sorted({name for model in models for name in model.parameters})
    ]
    print_table(["fact", *(model.name for model in models)], rows)


def _show_offers(found: Comparison) -> None:
    period = found.workload.period
    head = f">$ per {period}" if period else ">$"
    print_table(
        ["model", "at", ">context", ">$/M in", ">$/M out", head, "remarks"],
        [[model.id, *_cells(offer)] for model in found.models for offer in model.offers],
    )


def _cells(offer: Offer) -> list[str]:
    remarks = [] if offer.status == "ready" else [offer.status]
    if not offer.fits:
        remarks.append("too long")
    if offer.cheapest:
        remarks.append("cheapest")
    return [
        offer.tag,
        _tokens(offer.context),
        per_million(offer.prompt_usd_per_million),
        per_million(offer.completion_usd_per_million),
        _dollars(offer),
        ", ".join(remarks),
    ]


def _dollars(offer: Offer) -> str:
    """Return the cost to the cent or, where it has smaller digits, to the last of them."""
    if offer.cost_nano_usd is None:
        return "?"
    whole, _, cents = f"{offer.cost_nano_usd / NANO:,f}".partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def _tokens(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _span(span: Span | None) -> str:
    if span is None:
        return "?"
    cheapest = per_million(span.cheapest)
    if span.least == span.most:
        return cheapest
    return f"{cheapest} ({per_million(span.least)} to {per_million(span.most)})"
