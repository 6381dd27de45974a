"""`dragoman models`: what can be called, how much it holds, and what it costs at the cheapest."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from msgspec import Struct

from dragoman.catalog.listing import is_callable
from dragoman.catalog.names import nearest
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.cli.catalog import Shelf, look
from dragoman.cli.console import err, per_million, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, settings
from dragoman.cli.exits import EPILOG
from dragoman.core import money

app = typer.Typer(add_completion=False)


class Line(Struct, frozen=True, kw_only=True):
    """A model that a request may name. Prices are those of its cheapest endpoint.

    `status` is `ready`, or why it cannot be called: `not configured`, `deprecated`, `inactive`.
    """

    id: str
    name: str
    status: str
    context: int | None
    prompt_usd_per_million: float | None
    completion_usd_per_million: float | None
    providers: tuple[str, ...]


@app.command(epilog=EPILOG)
def models(
    search: Annotated[
        list[str] | None, typer.Argument(metavar="SEARCH", help="Words of the id or name.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Those of providers that are not configured, too.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that can be called."""
    shelf = look(settings(data, config))
    words = [word.lower() for word in search or ()]
    found = [line for line in lines(shelf.catalog, all_) if _matches(line, words)]
    for slug, problem in shelf.silent.items():
        err().print(f"{slug} did not list its models: {problem}")
    if as_json:
        print_json(found)
        return
    if not found:
        err().print(_nothing(shelf, words))
        return
    _show(found, all_)


def lines(catalog: Catalog, all_: bool) -> Iterator[Line]:
    """Yield a line for each model by id, and one for its free tier; only callable ones unless all.

    As in a request, free endpoints are reached as `model:free` only.
    """
    for model in catalog.models.values():
        for free in (False, True):
            endpoints = [each for each in model.endpoints if each.free is free]
            ready = [each for each in endpoints if is_callable(each)]
            if shown := ready or (endpoints if all_ else []):
                yield _line(model, shown, free)


def _line(model: Model, endpoints: Sequence[Endpoint], free: bool) -> Line:
    prices = [each.price for each in endpoints if each.price]
    price = min(prices, key=lambda each: 3 * each.prompt + each.completion, default=None)
    return Line(
        id=f"{model.id}:free" if free else model.id,
        name=model.name,
        status=_status(endpoints),
        context=max((each.context for each in endpoints if each.context), default=None),
        prompt_usd_per_million=float(money.per_million(price.prompt)) if price else None,
        completion_usd_per_million=float(money.per_million(price.completion)) if price else None,
        providers=tuple(sorted({each.provider for each in endpoints})),
    )


def _status(endpoints: Sequence[Endpoint]) -> str:
    if any(map(is_callable, endpoints)):
        return "ready"
    if any(each.status == "active" for each in endpoints):
        return "not configured"
    return endpoints[0].status


def _matches(line: Line, words: Sequence[str]) -> bool:
    text = f"{line.id} {line.name}".lower()
    return all(word in text for word in words)


def _nothing(shelf: Shelf, words: Sequence[str]) -> str:
    if not words and shelf.silent:
        return "No model can be called. Is the host up? What is wrong with it: dragoman doctor"
    if not words:
        return "No model can be called. Set a key such as OPENAI_API_KEY, or: dragoman init"
    near = nearest(" ".join(words), shelf.catalog.models)
    return (
        f"No model that can be called is like {' '.join(words)}. With --all, others are listed. "
        f"The nearest: {', '.join(near)}"
    )


def _show(found: Sequence[Line], all_: bool) -> None:
    heads = ["model", ">context", ">$/M in", ">$/M out", ">providers"]
    print_table(
        [*heads, "status"] if all_ else heads,
        [
            [
                line.id,
                f"{line.context:,}" if line.context else "?",
                per_million(line.prompt_usd_per_million),
                per_million(line.completion_usd_per_million),
                str(len(line.providers)),
                *([line.status] if all_ else ()),
            ]
            for line in found
        ],
    )
