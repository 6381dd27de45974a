"""`dragoman init`: a commented dragoman.yaml, and the JSON Schema that editors check it with.

The text stands in `template.yaml` beside this module.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from dragoman.cli.console import out, print_json
from dragoman.cli.exits import EPILOG, USAGE, Failure, unusable
from dragoman.config import FILE_NAME, json_schema

TEMPLATE = Path(__file__).with_name("template.yaml")
SCHEMA_NAME = "dragoman.schema.json"
PRIVATE = 0o600

app = typer.Typer(add_completion=False)


@app.command(epilog=EPILOG)
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path(
        FILE_NAME
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema and write nothing.")
    ] = False,
) -> None:
    """Write a commented dragoman.yaml, with its JSON Schema beside it for editors."""
    if schema:
        print_json(json_schema())
        return
    if file.is_dir():
        file /= FILE_NAME
    beside = file.with_name(SCHEMA_NAME)
    _write(file, TEMPLATE.read_text(encoding="utf-8"), force)
    _write(beside, schema_text(json_schema()), force=True)
    out().print(f"Wrote {file} and {beside}. Check it with: dragoman doctor --config {file}")


def schema_text(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(schema)).decode() + "\n"


def _write(path: Path, text: str, force: bool) -> None:
    """Write a file that its owner alone may read, since keys may come to stand in it."""
    mode = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(path, mode, PRIVATE), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Failure(f"{path} exists. Replace it with --force", USAGE) from error
    except OSError as error:
        raise unusable(error, f"{path} cannot be written") from error
