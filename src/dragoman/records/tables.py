"""The tables of what happened, as they are now. `migrations` beside it tells how they came to be.

`generation` has a column per field of `Generation`, with its name, so that
people can filter by any; what has parts of its own is JSON text. `key_usage`
is the sum per key and UTC day, so that asking for a key's usage costs the same
after ten generations and ten million.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

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
    Index("ix_generation_created_at", "created_at"),
    Index("ix_generation_key_hash", "key_hash", "created_at"),
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
)
