"""How the tables of records came to be, step by step. A step that was released never changes."""

from dragoman.store.migrations import Migration

ROOM = "records"

MIGRATIONS = (
    Migration(
        1,
        "generations and usage per key and day",
        (
            """
            CREATE TABLE generation (
                id TEXT NOT NULL PRIMARY KEY,
                created_at DOUBLE PRECISION NOT NULL,
                key_hash TEXT NOT NULL,
                requested TEXT NOT NULL,
                model TEXT,
                provider TEXT,
                provider_name TEXT,
                endpoint TEXT,
                upstream_id TEXT,
                api_type TEXT NOT NULL,
                strategy TEXT NOT NULL,
                streamed BOOLEAN NOT NULL,
                cancelled BOOLEAN NOT NULL,
                status INTEGER NOT NULL,
                error_type TEXT,
                finish_reason TEXT,
                native_finish_reason TEXT,
                usage TEXT NOT NULL,
                cost_nanos BIGINT NOT NULL,
                price_known BOOLEAN NOT NULL,
                latency_ms BIGINT,
                generation_ms BIGINT,
                attempts TEXT NOT NULL,
                notes TEXT NOT NULL,
                session_id TEXT,
                "user" TEXT,
                referer TEXT,
                title TEXT,
                user_agent TEXT,
                tags TEXT NOT NULL,
                service_tier TEXT
            )
            """,
            "CREATE INDEX ix_generation_created_at ON generation (created_at)",
            "CREATE INDEX ix_generation_key_hash ON generation (key_hash, created_at)",
            """
            CREATE TABLE key_usage (
                key_hash TEXT NOT NULL,
                day DATE NOT NULL,
                requests BIGINT NOT NULL,
                prompt_tokens BIGINT NOT NULL,
                completion_tokens BIGINT NOT NULL,
                cost_nanos BIGINT NOT NULL,
                PRIMARY KEY (key_hash, day)
            )
            """,
        ),
    ),
)
