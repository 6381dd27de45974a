"""Find entries by what they are for. Called in units of work for `dragoman.store.sql.Database`."""

import msgspec
from sqlalchemy import Connection, RowMapping, func, select

from dragoman.ledger.tables import entry
from dragoman.ledger.types import Code, Entry


def find(connection: Connection, code: Code, reference: str) -> Entry | None:
    """Read the entry of this code and reference, None if there is none."""
    query = select(entry).where(entry.c.code == code, entry.c.reference == reference)
    row = connection.execute(query).mappings().first()
    return None if row is None else _entry(row)


def beginning_with(connection: Connection, code: Code, beginning: str) -> tuple[Entry, ...]:
    """Read the entries of this code whose references begin so, in the order of these."""
    letters = func.substr(entry.c.reference, 1, len(beginning))
    query = select(entry).where(entry.c.code == code, letters == beginning)
    # Narrowed by the index of references first: no letter of ASCII comes after a tilde.
    query = query.where(entry.c.reference >= beginning, entry.c.reference <= f"{beginning}~")
    rows = connection.execute(query.order_by(entry.c.reference)).mappings()
    return tuple(map(_entry, rows))


def _entry(row: RowMapping) -> Entry:
    return msgspec.convert({name: row[name] for name in Entry.__struct_fields__}, Entry)
