"""The tables of money, as they are now. `migrations` beside it tells how they came to be.

All amounts are nano-USD in 64 bits. `charge` sums up, per purse and journal, what the
journal's generations were charged: it is what a purse's `spent_nanos` is proved by
(docs/decisions/0008). `purse_epoch` counts changes of limits, so that whoever was
refused can ask what changed since.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _only(code: str) -> dict[str, Any]:
    """Return what confines an index of entries to those of one code."""
    where = text(f"code = '{code}'")
    return {"sqlite_where": where, "postgresql_where": where}


account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Double()),
    Column("closed_at", Double()),
    Column("fee_ppm", BigInteger, nullable=False),
    Column("balance_nanos", BigInteger, nullable=False),
    Column("user_limit_nanos", BigInteger),
    Column("user_limit_reset", Text),
)

entry = Table(
    "entry",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double(), nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount_nanos", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("note", Text),
    Column("incarnation", Text),
    CheckConstraint("amount_nanos > 0"),
    CheckConstraint("debit <> credit"),
    UniqueConstraint("code", "reference"),
    Index("ix_entry_bought", "credit", **_only("top_up")),
    Index("ix_entry_paid_back", "debit", **_only("refund")),
)
"""Append-only: triggers refuse every UPDATE and DELETE."""

purse = Table(
    "purse",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("interval", Text, nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("limit_nanos", BigInteger),
    Column("spent_nanos", BigInteger, nullable=False),
    Column("leased_nanos", BigInteger, nullable=False),
    Column("changed_epoch", BigInteger, nullable=False),
    CheckConstraint("spent_nanos >= 0"),
    CheckConstraint("leased_nanos >= 0"),
    Index("ix_purse_scope", "scope"),
    Index("ix_purse_changed_epoch", "changed_epoch"),
    Index("ix_purse_window_start", "window_start"),
)

purse_epoch = Table(
    "purse_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, with id 1."""

lease = Table(
    "lease",
    metadata,
    Column("incarnation", Text, primary_key=True),
    Column("purse", Text, primary_key=True),
    Column("amount_nanos", BigInteger, nullable=False),
    Column("renewed_at", Double(), nullable=False),
    CheckConstraint("amount_nanos >= 0"),
    Index("ix_lease_purse", "purse"),
)

journal = Table(
    "journal",
    metadata,
    Column("incarnation", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("opened_at", Double(), nullable=False),
    Column("applied_offset", BigInteger, nullable=False),
    Column("open_from", BigInteger, nullable=False),
    Column("generations", BigInteger, nullable=False),
    Column("charged_nanos", BigInteger, nullable=False),
    Column("written_off_at", Double()),
    Column("closed_at", Double()),
)

charge = Table(
    "charge",
    metadata,
    Column("purse", Text, primary_key=True),
    Column("incarnation", Text, primary_key=True),
    Column("generations", BigInteger, nullable=False),
    Column("amount_nanos", BigInteger, nullable=False),
    Column("beyond_nanos", BigInteger, nullable=False),
    Column("suspense_nanos", BigInteger, nullable=False),
    Index("ix_charge_incarnation", "incarnation"),
)
"""`beyond_nanos` is what was charged as held though it was not leased: always 0, or a defect.
`suspense_nanos` is what of the amount is a write-off that no generation explains (yet)."""
