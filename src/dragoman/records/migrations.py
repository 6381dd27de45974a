"""How the tables of records came to be, step by step. A step that was released never changes."""

from dragoman.store.migrations import Migration

ROOM = "records"

_SERIES = """
CREATE TABLE series (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    provider_name TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    app TEXT NOT NULL,
    label TEXT NOT NULL
)
"""
_ROLLUP = """
CREATE TABLE rollup (
    face INTEGER NOT NULL,
    start BIGINT NOT NULL,
    series BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    fallbacks BIGINT NOT NULL,
    byok_requests BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    byok_cost_nanos BIGINT NOT NULL,
    timed BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    generation_ms BIGINT NOT NULL,
    generated_tokens BIGINT NOT NULL,
    PRIMARY KEY (face, start, series)
)
"""
_SPEED = """
CREATE TABLE speed (
    face INTEGER NOT NULL,
    start BIGINT NOT NULL,
    series BIGINT NOT NULL,
    code INTEGER NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (face, start, series, code)
)
"""
_SPEED_PAGE = """
CREATE TABLE speed_page (
    face INTEGER NOT NULL,
    start BIGINT NOT NULL,
    kind INTEGER NOT NULL,
    number INTEGER NOT NULL,
    counts {bytes} NOT NULL,
    PRIMARY KEY (face, start, kind, number)
)
"""
_CONTENT = """
CREATE TABLE content (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    packed {bytes} NOT NULL
)
"""
_CONTENT_INDEXES = (
    "CREATE INDEX ix_content_created_at ON content (created_at)",
    "CREATE INDEX ix_content_account ON content (account, created_at)",
)

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
    Migration(
        2,
        "no index of generations by key: it cost every request more than all else of its row",
        ("DROP INDEX ix_generation_key_hash",),
    ),
    Migration(
        3,
        "how far journals are recorded",
        (
            """
            CREATE TABLE recorded (
                incarnation TEXT NOT NULL PRIMARY KEY,
                applied_offset BIGINT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        4,
        "the price version, the fee and the purses of a generation",
        (
            "ALTER TABLE generation ADD COLUMN price_id TEXT",
            "ALTER TABLE generation ADD COLUMN fee_ppm BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE generation ADD COLUMN draws TEXT NOT NULL DEFAULT '[]'",
            """
            CREATE TABLE price_version (
                id TEXT NOT NULL PRIMARY KEY,
                price TEXT NOT NULL,
                first_seen DOUBLE PRECISION NOT NULL
            )
            """,
        ),
    ),
    Migration(
        5,
        "what many generations come to, and the way to those of a key",
        (
            "ALTER TABLE generation ADD COLUMN account TEXT NOT NULL DEFAULT 'default'",
            "ALTER TABLE key_usage ADD COLUMN last_at DOUBLE PRECISION NOT NULL DEFAULT 0",
            """
            UPDATE key_usage SET last_at = latest.at FROM (
                SELECT key_hash, max(created_at) AS at FROM generation GROUP BY key_hash
            ) AS latest WHERE latest.key_hash = key_usage.key_hash
            """,
            """
            CREATE TABLE label (
                kind TEXT NOT NULL,
                name TEXT NOT NULL,
                PRIMARY KEY (kind, name)
            )
            """,
        ),
        {
            "sqlite": (
                _SERIES.replace("BIGINT", "INTEGER"),
                f"{_ROLLUP} WITHOUT ROWID",
                f"{_SPEED} WITHOUT ROWID",
                """
                CREATE TABLE derived_key_run (
                    number INTEGER NOT NULL PRIMARY KEY,
                    last_row INTEGER NOT NULL,
                    latest DOUBLE PRECISION NOT NULL
                )
                """,
                """
                CREATE TABLE derived_key_trail (
                    run INTEGER NOT NULL,
                    "key" TEXT NOT NULL,
                    at DOUBLE PRECISION NOT NULL,
                    "row" INTEGER NOT NULL,
                    PRIMARY KEY (run, "key", at, "row")
                ) WITHOUT ROWID
                """,
            ),
            "postgresql": (
                _SERIES,
                _ROLLUP,
                _SPEED,
                # What there is becomes the part for days that have none of their own.
                "ALTER TABLE generation RENAME TO generation_rest",
                "ALTER TABLE generation_rest DROP CONSTRAINT generation_pkey",
                "ALTER TABLE generation_rest ADD PRIMARY KEY (id, created_at)",
                "ALTER INDEX ix_generation_created_at RENAME TO generation_rest_created_at_idx",
                """
                CREATE TABLE generation (LIKE generation_rest INCLUDING DEFAULTS)
                PARTITION BY RANGE (created_at)
                """,
                "ALTER TABLE generation ADD PRIMARY KEY (id, created_at)",
                "CREATE INDEX ix_generation_created_at ON generation (created_at)",
                "CREATE INDEX ix_generation_key_hash ON generation (key_hash, created_at)",
                "ALTER TABLE generation ATTACH PARTITION generation_rest DEFAULT",
            ),
        },
    ),
    Migration(
        6,
        "requests served with accounts' own credentials",
        (
            "ALTER TABLE generation ADD COLUMN is_byok BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE generation ADD COLUMN byok_nanos BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE key_usage ADD COLUMN byok_nanos BIGINT NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        7,
        "how far journals are added up",
        (
            "ALTER TABLE recorded ADD COLUMN summed_offset BIGINT NOT NULL DEFAULT 0",
            "UPDATE recorded SET summed_offset = applied_offset",
        ),
    ),
    Migration(
        8,
        "what was said, where an account lets it be stored",
        (),
        {
            "sqlite": (_CONTENT.format(bytes="BLOB"), *_CONTENT_INDEXES),
            "postgresql": (_CONTENT.format(bytes="BYTEA"), *_CONTENT_INDEXES),
        },
    ),
    Migration(
        9,
        "speeds in parts by what they are of, since a report reads one of the three",
        (),
        {
            "postgresql": (
                "ALTER TABLE speed RENAME TO speed_whole",
                "ALTER TABLE speed_whole RENAME CONSTRAINT speed_pkey TO speed_whole_pkey",
                "CREATE TABLE speed (LIKE speed_whole) PARTITION BY RANGE (code)",
                "ALTER TABLE speed ADD PRIMARY KEY (face, start, series, code)",
                "CREATE TABLE speed_latency PARTITION OF speed FOR VALUES FROM (MINVALUE) TO (256)",
                "CREATE TABLE speed_generation PARTITION OF speed FOR VALUES FROM (256) TO (512)",
                """
                CREATE TABLE speed_throughput
                PARTITION OF speed FOR VALUES FROM (512) TO (MAXVALUE)
                """,
                "INSERT INTO speed SELECT * FROM speed_whole",
                "DROP TABLE speed_whole",
            ),
        },
    ),
    Migration(
        10,
        "speeds of days that are over in few bytes, to which a running server moves them",
        (),
        {
            "sqlite": (_SPEED_PAGE.format(bytes="BLOB"),),
            "postgresql": (_SPEED_PAGE.format(bytes="BYTEA"),),
        },
    ),
)
