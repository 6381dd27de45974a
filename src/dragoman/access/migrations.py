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
    Migration(
        2,
        "kinds, terms and owners of keys; the audit log; idempotency keys",
        (
            "ALTER TABLE api_key ADD COLUMN kind TEXT NOT NULL DEFAULT 'inference'",
            "ALTER TABLE api_key ADD COLUMN account TEXT NOT NULL DEFAULT 'default'",
            "ALTER TABLE api_key ADD COLUMN limit_reset TEXT",
            "ALTER TABLE api_key ADD COLUMN include_byok_in_limit BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE api_key ADD COLUMN expires_at DOUBLE PRECISION",
            "ALTER TABLE api_key ADD COLUMN allowed_models TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE api_key ADD COLUMN allowed_providers TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE api_key ADD COLUMN rpm BIGINT",
            "ALTER TABLE api_key ADD COLUMN tpm BIGINT",
            "ALTER TABLE api_key ADD COLUMN concurrency BIGINT",
            """
            CREATE TABLE audit (
                id BIGINT NOT NULL PRIMARY KEY,
                at DOUBLE PRECISION NOT NULL,
                actor TEXT NOT NULL,
                action TEXT NOT NULL,
                subject TEXT NOT NULL,
                detail TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE idempotency (
                account TEXT NOT NULL,
                key TEXT NOT NULL,
                digest TEXT NOT NULL,
                nonce TEXT NOT NULL,
                subject TEXT NOT NULL,
                created_at DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (account, key)
            )
            """,
            "CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)",
        ),
    ),
    Migration(
        3,
        "members of accounts, whose a key is, and what accounts let be stored",
        (
            "ALTER TABLE api_key ADD COLUMN creator TEXT",
            """
            CREATE TABLE member (
                id TEXT NOT NULL PRIMARY KEY,
                account TEXT NOT NULL,
                name TEXT NOT NULL,
                email TEXT NOT NULL,
                role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
                limit_nanos BIGINT,
                limit_reset TEXT,
                created_at DOUBLE PRECISION NOT NULL,
                removed_at DOUBLE PRECISION
            )
            """,
            "CREATE INDEX ix_member_account ON member (account)",
            """
            CREATE UNIQUE INDEX ux_member_email ON member (account, email)
            WHERE removed_at IS NULL
            """,
            """
            CREATE TABLE account_setting (
                account TEXT NOT NULL PRIMARY KEY,
                store_content BOOLEAN NOT NULL
            )
            """,
        ),
    ),
    Migration(
        4,
        "what each end user of a key may spend",
        (
            "ALTER TABLE api_key ADD COLUMN user_limit_nanos BIGINT",
            "ALTER TABLE api_key ADD COLUMN user_limit_reset TEXT",
        ),
    ),
)
