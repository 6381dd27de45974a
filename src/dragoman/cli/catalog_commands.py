"""`dragoman catalog`: make the shipped catalog from models.dev's data.

What the build decides is told in `dragoman.catalog.build`; here files and addresses are read, and
files written or compared.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from dragoman.catalog import shipped
from dragoman.catalog.build.compile import Compiled, compile_catalog
from dragoman.cli import catalog_refresh
from dragoman.cli.console import err
from dragoman.cli.exits import EPILOG, FAILED, USAGE, Failure, unusable
from dragoman.cli.gateway import get
from dragoman.net.types import Limits, NetError

MOST_BYTES = 32 * 1024 * 1024
LIMITS = Limits(head_s=30.0, idle_s=30.0, body_bytes=MOST_BYTES)
MODELS = "models.json"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    help="Build, refresh and compare the catalog of models.",
)


app.add_typer(catalog_refresh.app)


@app.command(epilog=EPILOG)
def build(
    source: Annotated[str, typer.Argument(help="A file or address of models.dev's data.")],
    out: Annotated[
        Path, typer.Option(help="The directory that models.json is written to.")
    ] = Path(),
    report: Annotated[
        Path | None, typer.Option(help="The file that the account of all decisions is written to.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the result is not the shipped.")
    ] = False,
) -> None:
    """Make models.json of all hosts in providers.yaml, and a report of how it came to be."""
    rows = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
    made = compile_catalog(_read(source), rows)
    if check:
        _compare(made, report)
    else:
        _write(made, out / MODELS, report)
    hosts = made.hosts
    err().print(
        f"{hosts.models:,} models, {hosts.endpoints:,} endpoints at {hosts.providers} hosts;"
        f" {hosts.choices} models at three or more."
    )


def _read(source: str) -> bytes:
    """Return what is at `source`. Raises Failure, also for more than 32 MiB."""
    if source.startswith(("http://", "https://")):
        return _fetched(source)
    try:
        with Path(source).open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise unusable(error, source) from None
    if len(text) > MOST_BYTES:
        raise Failure(f"{source}: is longer than {MOST_BYTES:,} bytes", USAGE)
    return text


def _fetched(url: str) -> bytes:
    try:
        status, body = asyncio.run(get(url, LIMITS))
    except NetError as error:
        raise Failure(f"{url}: {error}", FAILED) from None
    if status != 200:
        raise Failure(f"{url}: answered {status}", FAILED)
    return body


def _write(made: Compiled, models: Path, report: Path | None) -> None:
    try:
        models.write_text(made.models, encoding="utf-8")
        if report is not None:
            report.write_text(made.report, encoding="utf-8")
    except OSError as error:
        raise unusable(error, error.filename or models) from None


def _compare(made: Compiled, report: Path | None) -> None:
    """Raise Failure unless what was made is what is shipped."""
    stale = [shipped.DATA / MODELS] if made.models != _text(shipped.DATA / MODELS) else []
    if report is not None and made.report != _text(report):
        stale.append(report)
    if stale:
        names = " and ".join(map(str, stale))
        raise Failure(f"{names}: not what the build makes; run it without --check", FAILED)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
