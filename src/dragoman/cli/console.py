"""What commands print: people get text, coloured on a terminal only; programs get JSON.

Results go to stdout, remarks to stderr, so that a pipe carries the results alone.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    """Print `value` as one JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
    sys.stdout.flush()


def per_million(usd: float | None) -> str:
    """Return a price per million tokens as a cell."""
    return "?" if usd is None else f"{usd:.6f}".rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """Return `text` without what would command a terminal. Lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(each for each in text if each in "\n\t" or each.isprintable())


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their heads. A head that begins with `>` is aligned to the right.

    Off a terminal nothing is cut or wrapped, so that a pipe sees every cell whole.
    """
    console = out()
    if not console.is_terminal:
        _print_plain(console, heads, [*rows])
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head.lstrip(">"), justify="right" if head[0] == ">" else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table, soft_wrap=False)


def _print_plain(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [[head.lstrip(">").upper() for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.rjust(width) if head[0] == ">" else cell.ljust(width)
            for head, cell, width in zip(heads, line, widths, strict=True)
        )
        console.print(GAP.join(cells).rstrip())
