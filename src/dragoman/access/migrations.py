"""How the tables of keys came to be, step by step. A step that was released never changes."""

from dragoman.store.migrations import Migration

ROOM = "access"

MIGRATIONS = (
    Migration(
        1,
        "keys and their epoch",
        (
            """
            CREATE TABLE api_key (
                hash TEXT NOT NULL PRIMARY KEY,
                verifier TEXT NOT NULL,
                name TEXT NOT NULL,
                label TEXT NOT NULL,
                created_at DOUBLE PRECISION NOT NULL,
                updated_at DOUBLE PRECISION,
                disabled BOOLEAN NOT NULL,
                revoked_at DOUBLE PRECISION,
                limit_nanos BIGINT,
                changed_epoch BIGINT NOT NULL
            )
            """,
            "CREATE INDEX ix_api_key_changed_epoch ON api_key (changed_epoch)",
            "CREATE TABLE epoch (id INTEGER NOT NULL PRIMARY KEY, value BIGINT NOT NULL)",
            "INSERT INTO epoch (id, value) VALUES (1, 0)",
        ),
    ),
)
