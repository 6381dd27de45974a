"""The tables of what happened, as they are now. `migrations` beside it tells how they came to be.

`generation` has a column per field of `Generation`, with its name, so that
people can filter by any; what has parts of its own is JSON text. `key_usage`
is the sum per key and UTC day, so that asking for a key's usage costs the same
after ten generations and ten million. It tells on which days a key was used, too.
`series`, `rollup`, `speed` and `speed_page` are what many generations come to (`rollup`
and `closing` beside it); `label` holds the names of apps, users and tags that are told apart.
`content` alone holds what was said, and only for accounts that want it.

On PostgreSQL `generation` is divided by day (`partitions`), and has an index by key. In a
SQLite file such an index would write a page of its own for each request of another key;
there `key_run` and `key_trail` find what a key did (`trail`). They can be made again from
`generation` at any time, which their names say: no backup holds them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

from dragoman.records.faces import SUMS
from dragoman.store.bulk import HIGHEST

metadata = MetaData()
only_sqlite = MetaData()

generation = Table(
    "generation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Double(), nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("requested", Text, nullable=False),
    Column("model", Text),
    Column("provider", Text),
    Column("provider_name", Text),
    Column("endpoint", Text),
    Column("upstream_id", Text),
    Column("api_type", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error_type", Text),
    Column("finish_reason", Text),
    Column("native_finish_reason", Text),
    Column("usage", Text, nullable=False),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("price_known", Boolean, nullable=False),
    Column("latency_ms", BigInteger),
    Column("generation_ms", BigInteger),
    Column("attempts", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("session_id", Text),
    Column("user", Text),
    Column("referer", Text),
    Column("title", Text),
    Column("user_agent", Text),
    Column("tags", Text, nullable=False),
    Column("service_tier", Text),
    Column("price_id", Text),
    Column("fee_ppm", BigInteger, nullable=False, server_default="0"),
    Column("draws", Text, nullable=False, server_default="[]"),
    Column("account", Text, nullable=False, server_default="default"),
    Column("is_byok", Boolean, nullable=False),
    Column("byok_nanos", BigInteger, nullable=False),
    Index("ix_generation_created_at", "created_at"),
    Index("ix_generation_key_hash", "key_hash", "created_at").ddl_if(dialect="postgresql"),
)

key_usage = Table(
    "key_usage",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("byok_nanos", BigInteger, nullable=False),
    Column("last_at", Double(), nullable=False, server_default="0", info=HIGHEST),
)

series = Table(
    "series",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_name", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("label", Text, nullable=False),
)

rollup = Table(
    "rollup",
    metadata,
    Column("face", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
)

speed = Table(
    "speed",
    metadata,
    Column("face", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
)

speed_page = Table(
    "speed_page",
    metadata,
    Column("face", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("counts", LargeBinary, nullable=False),
)
"""The counts of `speed` of days that are over, by `packing`; `closing` moves them here."""

label = Table(
    "label",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
)

key_run = Table(
    "derived_key_run",
    only_sqlite,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("last_row", BigInteger, nullable=False),
    Column("latest", Double(), nullable=False),
)

key_trail = Table(
    "derived_key_trail",
    only_sqlite,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("at", Double(), primary_key=True),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
)

recorded = Table(
    "recorded",
    metadata,
    Column("incarnation", Text, primary_key=True),
    Column("applied_offset", BigInteger, nullable=False),
    Column("summed_offset", BigInteger, nullable=False, server_default="0"),
)
"""How far each journal's generations are here, and in the sums; the ledger has its own offset."""

price_version = Table(
    "price_version",
    metadata,
    Column("id", Text, primary_key=True),
    Column("price", Text, nullable=False),
    Column("first_seen", Double(), nullable=False),
)
"""Every price that a generation may have been charged at, as JSON, under its version."""

content = Table(
    "content",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("created_at", Double(), nullable=False),
    Column("packed", LargeBinary, nullable=False),
    Index("ix_content_created_at", "created_at"),
    Index("ix_content_account", "account", "created_at"),
)
"""What was said in generations of accounts that opted in (`content_rows` beside it)."""
