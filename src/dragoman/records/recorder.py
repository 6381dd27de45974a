"""Writes generations down, and adds them to the sums that reports are made of.

A generation that is already there is not inserted again, so that a batch may be written
twice. Batches come from journals, by way of `dragoman.records.journaled`, which says when
sums are written, too; `store` does both at once, for rows that come by themselves.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from dragoman.records import labels, trail
from dragoman.records.lines import Line, line
from dragoman.records.rollup import Sums, share
from dragoman.records.tables import generation, key_usage, rollup, series, speed
from dragoman.records.types import Generation
from dragoman.store.bulk import add_rows, insert_new_rows, insert_rows


def store(connection: Connection, made: Iterable[Generation]) -> None:
    """Insert those of `made` that are new, and add them to all sums."""
    sums = Sums()
    for each in insert(connection, map(line, made)):
        sums.add(share(each))
    add_sums(connection, sums)


def insert(connection: Connection, lines: Iterable[Line]) -> list[Line]:
    """Insert the rows of generations and return the lines of those that were new."""
    by_id = {each.row[0]: each for each in lines}
    if not by_id:
        return []
    try:
        with connection.begin_nested():
            _insert(connection, by_id.values())
    except IntegrityError:  # some are there already: the batch is written for the second time
        query = select(generation.c.id).where(generation.c.id.in_(by_id))
        for known in connection.execute(query).scalars():
            del by_id[known]
        _insert(connection, by_id.values())
    if by_id and connection.dialect.name == "sqlite":
        trail.extend(connection)
    return [*by_id.values()]


def add_sums(connection: Connection, sums: Sums) -> None:
    """Add what generations come to."""
    if not sums.generations:
        return
    apps, users, tags = labels.lost(connection, sums.names())
    rolled = sums.rolled((apps, users, tags))
    used = rolled.usage
    if connection.dialect.name == "sqlite":
        # A date goes as text, since the driver's own way to write one is deprecated.
        used = [(key_hash, day.isoformat(), *rest) for key_hash, day, *rest in used]
    add_rows(connection, key_usage, used)
    insert_new_rows(connection, series, rolled.series)
    add_rows(connection, rollup, rolled.sums)
    add_rows(connection, speed, rolled.speeds)


def _insert(connection: Connection, lines: Iterable[Line]) -> None:
    insert_rows(connection, generation, [each.row for each in lines])
