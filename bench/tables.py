"""Tables: for a terminal, aligned, and for the docs, in Markdown. Pure."""

from collections.abc import Sequence

Cells = Sequence[str]


def aligned(headings: Cells, rows: Sequence[Cells]) -> str:
    """Return a table for a terminal: the first column to the left, the others to the right."""
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )


def markdown(headings: Cells, rows: Sequence[Cells]) -> str:
    """Return a table for the docs."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
