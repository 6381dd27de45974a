"""The tables of keys, as they are now. `dragoman.access.migrations` tells how they came to be.

Every change of a key takes the next epoch, in the same transaction, and leaves
it in the row. So whoever remembers an epoch can ask what changed since.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, Table, Text

metadata = MetaData()

api_key = Table(
    "api_key",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("verifier", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Double(), nullable=False),
    Column("updated_at", Double()),
    Column("disabled", Boolean, nullable=False),
    Column("revoked_at", Double()),
    Column("limit_nanos", BigInteger),
    Column("changed_epoch", BigInteger, nullable=False, index=True),
)

epoch = Table(
    "epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, with id 1."""
