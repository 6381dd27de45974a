"""The tables of alerts, as they are now, and how they came to be.

`alert_told` says what was told of: a row for each threshold of a rule in a window, and for each
incident of the house. `alert_delivery` is the outbox: a row for each message and destination,
from the transaction that found the news until it was delivered, or given up.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, MetaData, Table, Text

from dragoman.store.migrations import Migration

ROOM = "alerts"

MIGRATIONS = (
    Migration(
        1,
        "rules of alerts, what was told, and what is to be delivered",
        (
            """
            CREATE TABLE alert_rule (
                id TEXT NOT NULL PRIMARY KEY,
                account TEXT NOT NULL,
                key_hash TEXT,
                name TEXT NOT NULL,
                measure TEXT NOT NULL,
                thresholds TEXT NOT NULL,
                "window" TEXT NOT NULL,
                webhooks TEXT NOT NULL,
                emails TEXT NOT NULL,
                disabled BOOLEAN NOT NULL,
                version BIGINT NOT NULL,
                rotated_at DOUBLE PRECISION,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION
            )
            """,
            "CREATE INDEX ix_alert_rule_account ON alert_rule (account)",
            """
            CREATE TABLE alert_told (
                rule TEXT NOT NULL,
                mark TEXT NOT NULL,
                window_start BIGINT NOT NULL,
                limit_nanos BIGINT,
                told_at DOUBLE PRECISION NOT NULL,
                note TEXT,
                PRIMARY KEY (rule, mark, window_start)
            )
            """,
            """
            CREATE TABLE alert_delivery (
                id TEXT NOT NULL PRIMARY KEY,
                event TEXT NOT NULL,
                rule TEXT NOT NULL,
                kind TEXT NOT NULL,
                target TEXT NOT NULL,
                body TEXT NOT NULL,
                state TEXT NOT NULL,
                attempts BIGINT NOT NULL,
                created_at DOUBLE PRECISION NOT NULL,
                next_at DOUBLE PRECISION NOT NULL,
                ended_at DOUBLE PRECISION,
                error TEXT
            )
            """,
            "CREATE INDEX ix_alert_delivery_due ON alert_delivery (state, next_at)",
            "CREATE INDEX ix_alert_delivery_rule ON alert_delivery (rule, created_at)",
        ),
    ),
)

metadata = MetaData()

alert_rule = Table(
    "alert_rule",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("key_hash", Text),
    Column("name", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("thresholds", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("webhooks", Text, nullable=False),
    Column("emails", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("rotated_at", Double()),
    Column("created_at", Double(), nullable=False),
    Column("updated_at", Double()),
)
"""Lists are JSON arrays. No secret is here: it follows from the id, the version and the pepper."""

alert_told = Table(
    "alert_told",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("mark", Text, primary_key=True),
    Column("window_start", BigInteger, primary_key=True, autoincrement=False),
    Column("limit_nanos", BigInteger),
    Column("told_at", Double(), nullable=False),
    Column("note", Text),
)

alert_delivery = Table(
    "alert_delivery",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("created_at", Double(), nullable=False),
    Column("next_at", Double(), nullable=False),
    Column("ended_at", Double()),
    Column("error", Text),
    Index("ix_alert_delivery_due", "state", "next_at"),
    Index("ix_alert_delivery_rule", "rule", "created_at"),
)
"""`state` is `waiting`, `sent` or `dead`; `kind` is `webhook` or `email`."""
