"""The tables of keys, as they are now. `dragoman.access.migrations` tells how they came to be.

Every change of a key takes the next epoch, in the same transaction, and leaves
it in the row. So whoever remembers an epoch can ask what changed since.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

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
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("limit_reset", Text),
    Column("include_byok_in_limit", Boolean, nullable=False),
    Column("expires_at", Double()),
    Column("allowed_models", Text, nullable=False),
    Column("allowed_providers", Text, nullable=False),
    Column("rpm", BigInteger),
    Column("tpm", BigInteger),
    Column("concurrency", BigInteger),
    Column("creator", Text),
    Column("user_limit_nanos", BigInteger),
    Column("user_limit_reset", Text),
)
"""`allowed_models` and `allowed_providers` are JSON arrays; an empty one allows all."""

epoch = Table(
    "epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, with id 1."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double(), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
"""What was changed, by whom: appended to, and never changed itself. `detail` is a JSON object."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("account", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("created_at", Double(), nullable=False, index=True),
)
"""What came of a request that carried an `Idempotency-Key`, for a day. It holds no secret."""

member = Table(
    "member",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("limit_nanos", BigInteger),
    Column("limit_reset", Text),
    Column("created_at", Double(), nullable=False),
    Column("removed_at", Double()),
    Index(
        "ux_member_email",
        "account",
        "email",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
)
"""People of accounts. Of an account's members who were not removed, no two have one address."""

account_setting = Table(
    "account_setting",
    metadata,
    Column("account", Text, primary_key=True),
    Column("store_content", Boolean, nullable=False),
)
"""What accounts want otherwise than others. Most have no row."""
