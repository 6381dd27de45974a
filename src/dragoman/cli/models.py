"""`dragoman models`: what can be called, how much it holds, and what it costs at the cheapest.

The rows, the filters and their meanings are those of `GET /models`. How models are set
side by side is told in `dragoman.cli.compare`.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from msgspec import Struct
from typer.core import TyperGroup

from dragoman.catalog.filters import passing, read
from dragoman.catalog.listing import Listed, listed, unmeasured
from dragoman.catalog.names import nearest
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.query import choice, known
from dragoman.catalog.sorting import in_order
from dragoman.catalog.types import Catalog
from dragoman.cli.catalog import Shelf, look
from dragoman.cli.compare import compare
from dragoman.cli.comparison import standing
from dragoman.cli.console import err, per_million, print_json, print_table
from dragoman.cli.context import ConfigOption, DataOption, JsonOption, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure
from dragoman.cli.workload import amount
from dragoman.core import money
from dragoman.core.errors import InvalidRequest
from dragoman.wire.model_query import NEEDS, ORDERS, needs, order

MEASURED = frozenset({"throughput-high-to-low", "latency-low-to-high"})
OPTIONS = {"max_price": "--max-price", "model_authors": "--author", "providers": "--provider"}
"""Parameter of `GET /models` -> the option that sets it."""


class ListByDefault(TyperGroup):
    """Takes what is no command for what to list, so that `models gpt` is `models list gpt`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command where the arguments leave it out, then parse as usual."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else ["list", *args])


app = typer.Typer(cls=ListByDefault, add_completion=False)
app.command("compare", epilog=EPILOG)(compare)


class Line(Struct, frozen=True, kw_only=True):
    """A model that a request may name. Prices are those of its cheapest endpoint.

    `status` is told by `standing`.
    """

    id: str
    name: str
    status: str
    context: int | None
    prompt_usd_per_million: float | None
    completion_usd_per_million: float | None
    providers: tuple[str, ...]


@app.command("list", epilog=EPILOG)
def models(
    search: Annotated[
        list[str] | None, typer.Argument(metavar="SEARCH", help="Words of the id or name.")
    ] = None,
    *,
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="WORD", help=f"One of {', '.join(ORDERS)}.")
    ] = None,
    needed: Annotated[
        list[str] | None,
        typer.Option(
            "--needs",
            metavar="WORDS",
            help="tools, image, json, reasoning and others; all of them.",
        ),
    ] = None,
    max_price: Annotated[
        str | None, typer.Option("--max-price", metavar="USD", help="Of a million prompt tokens.")
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", metavar="TOKENS", help="At least, such as 200k.")
    ] = None,
    author: Annotated[list[str] | None, typer.Option("--author", help="Who made it.")] = None,
    provider: Annotated[list[str] | None, typer.Option("--provider", help="Who serves it.")] = None,
    free: Annotated[bool, typer.Option("--free", help="Only free tiers.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Those that cannot be called, or do not chat, too.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that can be called. Side by side: dragoman models compare A B"""
    query = {
        "q": " ".join(search or ()),
        "max_price": max_price or "",
        "context": _tokens(context),
        "model_authors": ",".join(author or ()),
        "providers": ",".join(provider or ()),
        **_everything(all_),
        **_needs(needed or ()),
        **_sort(sort),
    }
    shelf = look(settings(data, config))
    found = [line(row) for row in chosen(shelf.catalog, query) if row.lead.free or not free]
    for slug, problem in shelf.silent.items():
        err().print(f"{slug} did not list its models: {problem}")
    if query.get("sort") in MEASURED:
        err().print(f"Only a running gateway measures {sort}; GET /models sorts by it.")
    if as_json:
        print_json(found)
    elif found:
        _show(found, all_)
        if not (any(query.values()) or free):
            _tell_of_others(shelf.catalog, len(found))
    else:
        wished = any(query.values()) or free
        err().print(_nothing(shelf, query["q"], wished=wished))


def chosen(catalog: Catalog, query: Mapping[str, str]) -> Sequence[Listed]:
    """Return the rows that a query of `GET /models` asks for. Raises Failure."""
    try:
        filters = read(query, catalog)
    except InvalidRequest as error:
        name, colon, why = error.message.partition(":")
        raise Failure(f"{OPTIONS.get(name, name)}{colon}{why}", USAGE) from error
    rows = passing(listed(catalog, filters.availability), filters, catalog, time.time())
    return in_order(rows, filters.sort, unmeasured)


def line(row: Listed) -> Line:
    """Return a row of the catalog as it is printed."""
    price = row.lead.price
    return Line(
        id=row.row.id,
        name=row.row.name,
        status=standing(row.endpoints),
        context=row.row.context_length,
        prompt_usd_per_million=float(money.per_million(price.prompt)) if price else None,
        completion_usd_per_million=float(money.per_million(price.completion)) if price else None,
        providers=tuple(sorted({each.provider for each in row.endpoints})),
    )


def _everything(all_: bool) -> dict[str, str]:
    return {"availability": "all", "output_modalities": "all"} if all_ else {}


def _needs(given: Sequence[str]) -> dict[str, str]:
    words = [word.strip() for each in given for word in each.split(",") if word.strip()]
    return needs(sorted(known("--needs", words, sorted(NEEDS.keys() | PARAMETERS))))


def _sort(word: str | None) -> dict[str, str]:
    chosen_word = choice({"--sort": word} if word else {}, "--sort", tuple(ORDERS))
    return {"sort": order(chosen_word)} if chosen_word else {}


def _tokens(text: str | None) -> str:
    try:
        return str(amount(text)) if text else ""
    except ValueError as error:
        raise Failure(f"--context: {error}", USAGE) from error


def _nothing(shelf: Shelf, words: str, *, wished: bool) -> str:
    if words:
        near = ", ".join(nearest(words, shelf.catalog.models))
        return (
            f"No model that can be called is like {words}. With --all, others are listed. "
            f"The nearest: {near}"
        )
    if wished:
        return "No model that can be called is like that. With --all, others are listed."
    if shelf.silent:
        return "No model can be called. Is the host up? What is wrong with it: dragoman doctor"
    return "No model can be called. Set a key such as OPENAI_API_KEY, or: dragoman init"


def _tell_of_others(catalog: Catalog, shown: int) -> None:
    """Say that there are models for something else than chat, if there are."""
    if others := len(chosen(catalog, {"output_modalities": "all"})) - shown:
        err().print(
            f"{others} more can be called and {'do' if others > 1 else 'does'} not chat: --all"
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
