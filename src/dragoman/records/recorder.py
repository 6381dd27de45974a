"""Writes generations down, in batches, in the background.

Recording costs the request an append to a list. A generation and its share of
the key's usage are written in one transaction, and a generation that is already
there is not counted again, so that a batch may be written twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import Connection, insert, select, update

from dragoman.records.rows import fitting, to_row
from dragoman.records.tables import generation, key_usage
from dragoman.records.types import Generation
from dragoman.store.batch import Batch, BatchOptions
from dragoman.store.sql import Database

SUMS = ("requests", "prompt_tokens", "completion_tokens", "cost_nanos")


class Recorder:
    """Takes generations and sees that they reach the database."""

    def __init__(self, records: Database, options: BatchOptions | None = None) -> None:
        self._records = records
        self._batch: Batch[Generation] = Batch(self._write, options or BatchOptions())

    @property
    def dropped(self) -> int:
        """How many generations were lost since the start."""
        return self._batch.dropped

    def record(self, made: Generation) -> None:
        """Have `made` written soon. Never blocks and never fails."""
        self._batch.put(made)

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        await self._batch.run()

    async def flush(self) -> None:
        """Write all that was recorded before now, or raise Unavailable."""
        await self._batch.flush()

    async def close(self) -> None:
        """Write what is left, for a few seconds at most."""
        await self._batch.close()

    async def _write(self, made: Sequence[Generation]) -> None:
        await self._records.run(lambda connection: store(connection, made))


def store(connection: Connection, made: Iterable[Generation]) -> None:
    """Insert those of `made` that are new, and add them to the usage of their keys."""
    by_id = {each.id: each for each in made}
    query = select(generation.c.id).where(generation.c.id.in_(by_id))
    for known in connection.execute(query).scalars():
        del by_id[known]
    if not by_id:
        return
    connection.execute(insert(generation), [to_row(each) for each in by_id.values()])
    for (key_hash, day), sums in _per_key_and_day(by_id.values()).items():
        _add_usage(connection, key_hash, day, sums)


def _per_key_and_day(made: Iterable[Generation]) -> dict[tuple[str, date], list[int]]:
    totals: defaultdict[tuple[str, date], list[int]] = defaultdict(lambda: [0] * len(SUMS))
    for each in made:
        day = datetime.fromtimestamp(each.created_at, UTC).date()
        add = (1, each.usage.prompt, each.usage.completion, each.cost_nanos)
        before = totals[each.key_hash, day]
        totals[each.key_hash, day] = [fitting(a + b) for a, b in zip(before, add, strict=True)]
    return totals


def _add_usage(connection: Connection, key_hash: str, day: date, sums: Sequence[int]) -> None:
    # Update, else insert, in plain SQL: a database has one recorder that writes.
    named = dict(zip(SUMS, sums, strict=True))
    statement = update(key_usage).where(key_usage.c.key_hash == key_hash, key_usage.c.day == day)
    raised = {name: key_usage.c[name] + value for name, value in named.items()}
    if connection.execute(statement.values(raised)).rowcount == 0:
        connection.execute(insert(key_usage).values(key_hash=key_hash, day=day, **named))
