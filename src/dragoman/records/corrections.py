"""What is put right in the records after the fact: costs, once their prices were corrected.

The books are the ledger's; here the row of a generation and the sums it is part of are
brought to the same figure. A correction that comes twice finds itself done.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, and_, or_, select, update

from dragoman.core.money import NanoUsd
from dragoman.records.lines import line
from dragoman.records.recorder import add_sums
from dragoman.records.rollup import Share, Sums, more_cost, share
from dragoman.records.rows import from_row
from dragoman.records.tables import generation
from dragoman.records.types import Generation
from dragoman.store.sql import Work


class Span(Struct, frozen=True, kw_only=True):
    """Which generations: from `since` on and before `until`, in Unix time; None lets all through.

    `model` is the one that answered, without its variant or with it.
    """

    since: float
    until: float
    model: str | None = None
    provider: str | None = None


class Correction(Struct, frozen=True, kw_only=True):
    """What a generation of some Unix time cost after all, and by which version of a price."""

    id: str
    created_at: float
    cost: NanoUsd
    price_id: str


def page(
    span: Span, limit: int, after: tuple[float, str] = (0.0, "")
) -> Work[tuple[Generation, ...]]:
    """Read at most `limit` generations that were answered, oldest first, behind `after`.

    `after` is the time and the id of the last one of the page before.
    """
    table = generation.c
    at, id_ = after
    query = (
        select(generation)
        .where(table.created_at >= max(span.since, at), table.created_at < span.until)
        .where(or_(table.created_at > at, and_(table.created_at == at, table.id > id_)))
        .where(table.endpoint.is_not(None))
    )
    if span.model is not None:
        query = query.where(table.model.in_((span.model, f"{span.model}:free")))
    if span.provider is not None:
        query = query.where(table.provider == span.provider)
    query = query.order_by(table.created_at, table.id).limit(limit)
    return lambda connection: tuple(
        from_row(dict(row)) for row in connection.execute(query).mappings()
    )


def correct(corrections: Sequence[Correction]) -> Work[int]:
    """Write corrected costs over those of generations and into all sums they are part of.

    Returns how many generations were not at their corrected price before. In the order of
    the ids, so that no two writers wait crosswise.
    """

    def work(connection: Connection) -> int:
        # Added, not updated: what the generations came to may not be written yet.
        sums = Sums()
        for each in sorted(corrections, key=lambda one: one.id):
            if (more := _correct(connection, each)) is not None:
                sums.add(more)
        add_sums(connection, sums)
        return sums.generations

    return work


def _correct(connection: Connection, correction: Correction) -> Share | None:
    """Correct a row, and return what that adds to sums; None if it was done before."""
    table = generation.c
    its = and_(table.created_at == correction.created_at, table.id == correction.id)
    row = connection.execute(select(generation).where(its).with_for_update()).mappings().first()
    if row is None or row["price_id"] == correction.price_id:
        return None
    values = {"cost_nanos": correction.cost, "price_id": correction.price_id, "price_known": True}
    connection.execute(update(generation).where(its).values(**values))
    made = from_row(dict(row))
    return more_cost(share(line(made)), correction.cost - made.cost_nanos)
