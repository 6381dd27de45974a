"""`dragoman export`: generations as CSV, JSON lines or Parquet, to a file or to stdout."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import IO, Annotated, Any, Final, Literal

import typer

from dragoman.cli.console import err
from dragoman.cli.context import ConfigOption, DataOption, opened_existing, settings
from dragoman.cli.exits import EPILOG, USAGE, Failure, unusable
from dragoman.cli.logs import seconds
from dragoman.office import keys
from dragoman.office.export import COLUMNS, exported, pages, record
from dragoman.records.reader import Reader, Wanted

KINDS: Final = MappingProxyType(
    {
        bool: ("streamed", "cancelled", "price_known", "is_byok"),
        int: (
            "status", "tokens_prompt", "tokens_completion", "tokens_reasoning", "tokens_cached",
            "latency_ms", "generation_ms", "attempts", "fee_ppm",
        ),
        float: ("cost_usd", "byok_cost_usd"),
    }
)  # fmt: skip
"""Of which type the columns are that are not text."""

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def export(
    form: Annotated[
        Literal["csv", "json", "parquet"],
        typer.Option("--format", help="csv, json (a line each), or parquet."),
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A new file; stdout without it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only those younger: 90s, 15m, 1h, 7d.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Only this key's: its name, label or hash.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only this model's.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write generations to a file, the oldest first."""
    parquet = _parquet(output) if form == "parquet" else None
    with opened_existing(settings(data, config)) as premises:
        wanted = Wanted(
            model=model,
            key_hash=None if key is None else premises.ledger.run_now(keys.find(key)).hash,
            since=None if since is None else time.time() - seconds(since),
        )
        reader = Reader(premises.records)
        try:
            with _opened(output) as file:
                if parquet is None:
                    asyncio.run(_write(exported(reader, wanted, _text(form)), file))
                else:
                    asyncio.run(_write_parquet(reader, wanted, file, parquet))
        except OSError as error:
            if output is None:
                raise
            raise unusable(error, output) from error
    if output is not None:
        err().print(f"Written to {output}")


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Have a new file, or stdout. Raises OSError; what was not written whole is removed."""
    if output is None:
        yield sys.stdout.buffer
        return
    with output.open("xb") as file:
        try:
            yield file
        except BaseException:
            output.unlink(missing_ok=True)
            raise


def _text(form: str) -> Literal["csv", "json"]:
    return "csv" if form == "csv" else "json"


def _parquet(output: Path | None) -> Any:
    """Return the library that writes Parquet, which few need. Raises Failure."""
    if output is None:
        raise Failure("--format parquet: name a file with --output", USAGE)
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise Failure(
            "Parquet needs pyarrow. Install it with: pip install 'pyarrow>=21'", USAGE
        ) from error


async def _write(pieces: AsyncIterator[bytes], file: IO[bytes]) -> None:
    async for piece in pieces:
        file.write(piece)
    file.flush()


async def _write_parquet(reader: Reader, wanted: Wanted, file: IO[bytes], libraries: Any) -> None:
    """Write a row group a page. The columns and their types are the same in every file."""
    arrow, parquet = libraries
    types = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64()}
    of = {name: types[kind] for kind, names in KINDS.items() for name in names}
    of["created_at"] = arrow.timestamp("us", tz="UTC")
    schema = arrow.schema([(name, of.get(name, arrow.string())) for name in COLUMNS])
    with parquet.ParquetWriter(file, schema) as writer:
        async for page in pages(reader, wanted):
            rows = [dict(zip(COLUMNS, record(made), strict=True)) for made in page]
            for row, made in zip(rows, page, strict=True):
                row["created_at"] = datetime.fromtimestamp(made.created_at, UTC)
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
