"""The seal: by which a database knows the pepper that its keys were made with.

Nodes that share a database must share the pepper. One that starts with another would refuse
every key there is and make keys that the others refuse, and so would a node whose database
was restored without its pepper. The seal tells them at the start. It is the pepper's
signature under a text that is no key.
"""

import hmac

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, select, text

from dragoman.store.custody import Pepper
from dragoman.store.migrations import Migration, steps

ROOM = "seal"
SIGNED = "dragoman:seal"

MIGRATIONS = (
    Migration(
        1,
        "the seal of the pepper",
        ("CREATE TABLE seal (id INTEGER NOT NULL PRIMARY KEY, mark TEXT NOT NULL)",),
    ),
)

seal = Table(
    "seal",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("mark", Text, nullable=False),
)
"""One row, with id 1, or none while no pepper was ever used."""


def is_sealed(connection: Connection) -> bool:
    """Say whether a pepper was ever used with this database."""
    return mark(connection) is not None


def mark(connection: Connection) -> str | None:
    """Return the seal, None while there is none or no table for it. It differs by installation."""
    if ROOM not in steps(connection):
        return None
    known: str | None = connection.execute(select(seal.c.mark)).scalar()
    return known


def is_of_another(connection: Connection, pepper: Pepper) -> bool:
    """Say whether the database was sealed with another pepper than this. Only reads."""
    known = mark(connection)
    return known is not None and not hmac.compare_digest(known, pepper.sign(SIGNED))


def fits(connection: Connection, pepper: Pepper) -> bool:
    """Say whether this is the pepper of the database; the first one ever asked about is.

    Needs a write transaction.
    """
    ours = pepper.sign(SIGNED)
    # Of two nodes that start together one seals, and the other waits here and sees it.
    connection.execute(
        text("INSERT INTO seal VALUES (1, :mark) ON CONFLICT DO NOTHING"), {"mark": ours}
    )
    known = connection.execute(select(seal.c.mark)).scalar_one()
    return hmac.compare_digest(str(known), ours)
