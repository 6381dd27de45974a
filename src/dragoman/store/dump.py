"""The rows of a database as lines of JSON, and back. Knows no table.

What a dump needs is learnt from the database itself: which tables there are, in which order
they can be filled, of which type each column is. The lines are the same whatever the
database, so that a dump of one kind can be loaded into the other. A row is an array in the
order of the columns; days are ISO 8601, bytes base64.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, MetaData, Table, delete, func, select, text

from dragoman.store.bulk import insert_rows
from dragoman.store.migrations import applied

ROWS_AT_ONCE = 1000

DERIVED = "derived_"
"""How the names of tables begin that can be made again from others."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Any]).decode


class Misfit(Exception):
    """Rows do not belong into this database: another table, other columns, another form."""


class Contents(Struct, frozen=True, kw_only=True):
    """A table in a dump: its name, and its columns in the order of the values of a row."""

    table: str
    columns: tuple[str, ...]


def tables(connection: Connection) -> list[Table]:
    """Return the tables of rooms, each after those that it refers to.

    Which migrations ran is no room's: a dump says so in words. What can be made again from
    other tables is left out, and so are the parts of a table, which is dumped as one.
    """
    metadata = MetaData()
    metadata.reflect(connection)
    left_out = {applied.name, *_parts(connection)}
    return [
        table
        for table in metadata.sorted_tables
        if table.name not in left_out and not table.name.startswith(DERIVED)
    ]


def _parts(connection: Connection) -> Sequence[str]:
    """Return the names of tables that are parts of others."""
    if connection.dialect.name != "postgresql":
        return ()
    query = text(
        "SELECT relname FROM pg_class"
        " WHERE relispartition AND relnamespace = current_schema()::regnamespace"
    )
    return connection.execute(query).scalars().all()


def contents(table: Table) -> Contents:
    """Return what a dump of this table says of it."""
    return Contents(table=str(table.name), columns=tuple(str(c.name) for c in table.columns))


def lines(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield the rows of a table, a line each, as they were when the transaction began."""
    chunks = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    for chunk in chunks.partitions():
        yield b"".join(_encode(tuple(row)) + b"\n" for row in chunk)


def load(connection: Connection, into: Table, of: Contents, rows: Iterable[bytes]) -> int:
    """Fill a table with lines of `of`, in place of what it holds; return how many there were.

    Raises Misfit, and the errors of `Connection.execute`.
    """
    if sorted(of.columns) != sorted(into.columns.keys()):
        raise Misfit(f"Table {of.table!r} has other columns here: {', '.join(into.columns.keys())}")
    order = [of.columns.index(column.name) for column in into.columns]
    readers = _readers(into, connection.dialect.name)
    _clear(connection, into)
    count = 0
    found = (_row(line, order, readers, of) for line in rows)
    while some := list(islice(found, ROWS_AT_ONCE)):
        insert_rows(connection, into, some)
        count += len(some)
    _continue_counting(connection, into)
    return count


def _clear(connection: Connection, table: Table) -> None:
    # Not where there is nothing: a table may forbid that anything is ever deleted.
    if connection.execute(select(table).limit(1)).first() is not None:
        connection.execute(delete(table))


def _continue_counting(connection: Connection, table: Table) -> None:
    """Have PostgreSQL number new rows after those that were loaded."""
    if connection.dialect.name != "postgresql":
        return
    sequence = text("SELECT pg_get_serial_sequence(:table, :column)")
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for column in table.primary_key:
        asked = {"table": quoted, "column": column.name}
        if name := connection.execute(sequence, asked).scalar():
            reached = select(func.setval(text("CAST(:name AS regclass)"), func.max(column)))
            connection.execute(reached, {"name": name})


def _row(
    line: bytes, order: list[int], readers: list[Callable[[Any], Any] | None], of: Contents
) -> tuple[Any, ...]:
    try:
        values = _decode(line)
        found = [values[place] for place in order]
        if len(values) != len(order):
            raise Misfit(f"Table {of.table!r}: a row of {len(values)} values, not {len(order)}")
        return tuple(
            read(value) if read is not None and value is not None else value
            for read, value in zip(readers, found, strict=True)
        )
    except (msgspec.DecodeError, IndexError, TypeError, ValueError) as error:
        raise Misfit(f"Table {of.table!r}: {error}") from error


def _readers(table: Table, dialect: str) -> list[Callable[[Any], Any] | None]:
    """Return per column how the driver gets a value of JSON, None where it takes it as it is."""
    known: dict[type, Callable[[Any], Any]] = {bytes: b64decode, float: float}
    if dialect == "postgresql":  # which knows days; SQLite has them as text
        known[date] = date.fromisoformat
    return [known.get(column.type.python_type) for column in table.columns]
