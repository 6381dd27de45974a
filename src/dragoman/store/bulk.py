"""Many rows into one table, at the price of the driver alone.

SQLAlchemy goes over the parameters of every row; these rows come as tuples that need no
going over. One statement takes many rows, since SQLite's driver lets go of the
interpreter once a statement, and getting it back from a busy event loop is dear to both.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import Column, Connection, Table
from sqlalchemy.engine import Dialect

HIGHEST = {"adding": "highest"}
"""The `info` of a column of which `add_rows` keeps the higher value instead of the sum."""

PLAIN: dict[str | int | None, str] = {
    None: "NULL", 0: "0", 1: "1", "": "''", "[]": "'[]'", "{}": "'{}'",
}  # fmt: skip
"""Values that may stand in a statement, and how."""

Same = tuple[tuple[int, str | int | None], ...]
"""The places of columns, and what all rows have there."""

SAME = "same"
"""Where a connection's info keeps them, by table."""

Known = Literal["refused", "added to", "left"]
"""What becomes of a row whose primary key is there already."""

ROWS_AT_ONCE = (100, 20, 4, 1)
"""How many rows a statement has: few forms, so that the driver keeps them prepared. It holds the
interpreter while it takes a statement's values, which requests wait for: some 0.3 ms."""
MOST_PARAMETERS = 32_000
"""SQLite takes 32,766 of them (limits, "Maximum Number Of Host Parameters"), PostgreSQL 32,767."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of the table's columns, as the driver takes them.

    Raises the errors of `Connection.execute`.
    """
    _write(connection, table, rows, "refused")


def add_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, or add all but the primary key to the row that has it already.

    Of a column that is marked HIGHEST the higher value stays. No two rows may have the same
    key. Otherwise as `insert_rows`.
    """
    _write(connection, table, rows, "added to")


def insert_new_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert those rows whose primary key is not there yet. Otherwise as `insert_rows`."""
    _write(connection, table, rows, "left")


def _write(
    connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]], known: Known
) -> None:
    done = 0
    most = MOST_PARAMETERS // len(table.columns)
    by_place = connection.dialect.paramstyle != "numeric_dollar"
    for size in ROWS_AT_ONCE:
        while size <= most and len(rows) - done >= size:
            some = rows[done : done + size]
            same = _same(connection, table, some) if by_place else ()
            if same:
                some = [*map(_getter(same, len(table.columns)), some)]
            statement = _statement(table, size, known, connection.dialect, same)
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))
            done += size


def _same(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> Same:
    """Return the columns with the same plain value in each row that this connection ever wrote.

    They stand in the statement: to hand over a None takes SQLite's driver as long as three texts.
    They only ever become fewer, so that a statement has few forms.
    """
    columns, same = [*zip(*rows, strict=True)], connection.info.setdefault(SAME, {})
    before: Same | None = same.get(table)
    if before is None:  # two at least are handed over, which `itemgetter` then makes a tuple of
        before = tuple(
            [(n, each[0]) for n, each in enumerate(columns[2:], 2) if _is_plain(each[0])]
        )
    still = [each for each in before if columns[each[0]].count(each[1]) == len(rows)]
    if len(still) < len(before):
        before = tuple(still)
    same[table] = before
    return before


def _is_plain(value: Any) -> bool:
    return not isinstance(value, float) and value in PLAIN


@lru_cache(maxsize=256)
def _getter(same: Same, width: int) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return what takes the values of all other columns from a row."""
    left_out = {place for place, _ in same}
    return itemgetter(*(place for place in range(width) if place not in left_out))


@lru_cache(maxsize=256)
def _statement(table: Table, rows: int, known: Known, dialect: Dialect, same: Same) -> str:
    quote = dialect.identifier_preparer
    names = ", ".join(quote.format_column(column) for column in table.columns)
    width = len(table.columns)
    if dialect.paramstyle == "numeric_dollar":
        values = ", ".join(
            f"({', '.join(f'${first + n}' for n in range(1, width + 1))})"
            for first in range(0, rows * width, width)
        )
    else:
        fixed = {place: PLAIN[value] for place, value in same}
        row = ", ".join(fixed.get(place, "?") for place in range(width))
        values = ", ".join([f"({row})"] * rows)
    insert = f"INSERT INTO {quote.format_table(table)} ({names}) VALUES {values}"  # noqa: S608 - names of ours
    return insert if known == "refused" else f"{insert} {_conflict(table, known, dialect)}"


def _conflict(table: Table, known: Known, dialect: Dialect) -> str:
    """Return the clause of an upsert, as SQLite and PostgreSQL have it."""
    quote = dialect.identifier_preparer
    key = tuple(table.primary_key.columns)
    keys = ", ".join(map(quote.format_column, key))
    if known == "left":
        return f"ON CONFLICT ({keys}) DO NOTHING"
    sums = ", ".join(_added(each, dialect) for each in table.columns if each not in key)
    return f"ON CONFLICT ({keys}) DO UPDATE SET {sums}"


def _added(column: Column[Any], dialect: Dialect) -> str:
    quote = dialect.identifier_preparer
    name, of = quote.format_column(column), quote.format_table(column.table)
    if column.info == HIGHEST:
        highest = "greatest" if dialect.name == "postgresql" else "max"
        return f"{name} = {highest}({of}.{name}, excluded.{name})"
    return f"{name} = {of}.{name} + excluded.{name}"
