"""Find entries by what they are for. Called in units of work for `dragoman.store.sql.Database`."""

import msgspec
from sqlalchemy import Connection, func, select

from dragoman.core.money import NanoUsd
from dragoman.ledger.tables import entry
from dragoman.ledger.types import Code, Entry


def find(connection: Connection, code: Code, reference: str) -> Entry | None:
    """Read the entry of this code and reference, None if there is none."""
    query = select(entry).where(entry.c.code == code, entry.c.reference == reference)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    return msgspec.convert({name: row[name] for name in Entry.__struct_fields__}, Entry)


def total(connection: Connection, code: Code, beginning: str) -> NanoUsd:
    """Add up the entries of this code whose references begin so."""
    letters = func.substr(entry.c.reference, 1, len(beginning))
    query = select(func.coalesce(func.sum(entry.c.amount_nanos), 0))
    query = query.where(entry.c.code == code, letters == beginning)
    # Narrowed by the index of references first: no letter of ASCII comes after a tilde.
    query = query.where(entry.c.reference >= beginning, entry.c.reference <= f"{beginning}~")
    return NanoUsd(int(connection.execute(query).scalar_one()))
