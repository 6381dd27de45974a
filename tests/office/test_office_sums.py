"""Sums that wait in the bookkeeper are found by who asks, and outlive the keeper."""

from pathlib import Path

from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger.acts import Progress, Start
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.records.journaled import FEW
from dragoman.records.reader import Reader, Wanted
from dragoman.relay.books import Charge, Journaled
from dragoman.store.journal.applier import Applier
from dragoman.store.journal.writer import Journal
from dragoman.store.sql import Database
from tests.records.samples import PLAIN, sample

MANY = FEW + 100


def serve(journal: Journal, first: int, count: int, *, begun: int = 0) -> None:
    """Write down requests of a key each, and some that do not end."""
    books = Journaled(journal)
    for number in range(first, first + count + begun):
        made = sample(number, key_hash=f"{number:064d}")
        books.start(Start(made.id, made.created_at, "default", made.key_hash, "m", streamed=True))
        if number < first + count:
            books.final(made, Charge(account="default", cost=made.cost_nanos))
        else:
            books.progress(Progress(made.id, "e", "p", "P", "m", 1, 1, NanoUsd(1_500)))
    journal.write()


async def spent(records: Database) -> float:
    return await Reader(records).spent() / PLAIN.cost_nanos


async def test_sums_wait_for_each_other_and_are_written_when_asked_for(
    tmp_path: Path, ledger: Database, records_db: Database
) -> None:
    journal = Journal.create(tmp_path, "node-1")
    books = Bookkeeper(ledger, records_db, "node-1", Clock())
    applier = Applier(tmp_path, "node-1", books, own=journal)
    await books.begin(journal.incarnation)
    serve(journal, 0, MANY)
    await applier.catch_up()
    assert len(await Reader(records_db).latest(Wanted(), 1000)) == MANY
    assert await spent(records_db) == 0
    await books.flush()
    await books.flush()
    assert await spent(records_db) == MANY
    serve(journal, MANY, 3)  # so few are written at once
    await applier.catch_up()
    assert await spent(records_db) == MANY + 3
    journal.close()
    applier.close()


async def test_a_keeper_that_is_killed_leaves_nothing_out_and_nothing_twice(
    tmp_path: Path, ledger: Database, records_db: Database
) -> None:
    journal = Journal.create(tmp_path, "node-1")
    first = Bookkeeper(ledger, records_db, "node-1", Clock())
    await first.begin(journal.incarnation)
    applier = Applier(tmp_path, "node-1", first, own=journal)
    serve(journal, 0, MANY)
    await applier.catch_up()
    await first.flush()
    serve(journal, MANY, MANY, begun=1)
    await applier.catch_up()
    assert await spent(records_db) == MANY
    journal.close()
    heir = Bookkeeper(ledger, records_db, "node-1", Clock())
    await Applier(tmp_path, "node-1", heir).catch_up()  # which ends the journal, too
    assert await spent(records_db) == 2 * MANY + 1
    assert len(await Reader(records_db).latest(Wanted(), 1000)) == 2 * MANY + 1
    again = Bookkeeper(ledger, records_db, "node-1", Clock())
    assert await again.applied(journal.incarnation) is None
