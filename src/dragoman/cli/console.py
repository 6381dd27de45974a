"""What commands print: people get text, coloured on a terminal only; programs get JSON.

Results go to stdout, remarks to stderr, so that a pipe carries the results alone.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

import msgspec
import typer
from rich.cells import cell_len
from rich.console import Console

GAP = "  "


def out() -> Console:
    """Return a console on stdout. Plain where stdout is no terminal, or NO_COLOR is set."""
    return _console(sys.stdout)


def err() -> Console:
    """Return a console on stderr, for remarks and progress."""
    return _console(sys.stderr)


def _console(stream: IO[str]) -> Console:
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on stdout: in UTF-8 whatever the locale (RFC 8259)."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)))


def per_million(usd: float | None) -> str:
    """Return a price per million tokens as a cell."""
    return "?" if usd is None else f"{usd:.6f}".rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """Return `text` without what would command a terminal. Lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(each for each in text if each in "\n\t" or each.isprintable())


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str | None] = ()
) -> None:
    """Print rows under their heads. A head that begins with `>` is aligned to the right.

    No cell is ever cut: an id is there to be copied. A narrow terminal wraps the lines.
    `styles` are those of the rows, in their order, on a terminal.
    """
    console = out()
    lines = [[head.lstrip(">").upper() for head in heads], *rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    looks = ["bold", *styles, *[None] * (len(lines) - 1 - len(styles))]
    for line, look in zip(lines, looks, strict=True):
        console.print(aligned(heads, line, widths), style=look)


def aligned(heads: Sequence[str], row: Sequence[str], widths: Sequence[int]) -> str:
    """Return a row as a line of the table with these heads. What is wider than its column stays."""
    cells = (
        _padded(cell, width, to_the_right=head[0] == ">")
        for head, cell, width in zip(heads, row, widths, strict=True)
    )
    return GAP.join(cells).rstrip()


def _padded(cell: str, width: int, *, to_the_right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if to_the_right else cell + space
