"""The tables of accounts' own credentials, as they are now, and how they came to be."""

from sqlalchemy import BigInteger, Boolean, Column, Double, MetaData, Table, Text

from dragoman.store.migrations import Migration

ROOM = "byok"

MIGRATIONS = (
    Migration(
        1,
        "accounts' own credentials, and the keys they are sealed with",
        (
            """
            CREATE TABLE own_credential (
                id TEXT NOT NULL PRIMARY KEY,
                account TEXT NOT NULL,
                provider TEXT NOT NULL,
                origin TEXT NOT NULL,
                label TEXT NOT NULL,
                name TEXT,
                disabled BOOLEAN NOT NULL,
                is_fallback BOOLEAN NOT NULL,
                is_required BOOLEAN NOT NULL,
                is_byok_only BOOLEAN NOT NULL,
                declared_zdr BOOLEAN,
                sort_order BIGINT NOT NULL,
                allowed_models TEXT NOT NULL,
                allowed_keys TEXT NOT NULL,
                version BIGINT NOT NULL,
                sealed TEXT NOT NULL,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION,
                deleted_at DOUBLE PRECISION
            )
            """,
            "CREATE INDEX ix_own_credential_account ON own_credential (account)",
            """
            CREATE TABLE data_key (
                account TEXT NOT NULL PRIMARY KEY,
                kek TEXT NOT NULL,
                sealed TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        2,
        "whose keys may use an account's own credential",
        ("ALTER TABLE own_credential ADD COLUMN allowed_users TEXT NOT NULL DEFAULT '[]'",),
    ),
)

metadata = MetaData()

own_credential = Table(
    "own_credential",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("name", Text),
    Column("disabled", Boolean, nullable=False),
    Column("is_fallback", Boolean, nullable=False),
    Column("is_required", Boolean, nullable=False),
    Column("is_byok_only", Boolean, nullable=False),
    Column("declared_zdr", Boolean),
    Column("sort_order", BigInteger, nullable=False),
    Column("allowed_models", Text, nullable=False),
    Column("allowed_keys", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_at", Double(), nullable=False),
    Column("updated_at", Double()),
    Column("deleted_at", Double()),
    Column("allowed_users", Text, nullable=False),
)
"""The three lists are JSON arrays; an empty one allows all. `sealed` is empty once deleted."""

data_key = Table(
    "data_key",
    metadata,
    Column("account", Text, primary_key=True),
    Column("kek", Text, nullable=False),
    Column("sealed", Text, nullable=False),
)
"""For each account the key its credentials are sealed with, itself sealed under the kek."""
