"""Adjusting entries: corrected prices move accounts and purses alike, once, and the proof holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger.adjust import Adjusted, Settlement, adjust
from dragoman.ledger.entries import every_account
from dragoman.ledger.migrations import MIGRATIONS, ROOM
from dragoman.ledger.proof import prove
from dragoman.ledger.tables import entry
from dragoman.ledger.types import Code, Draw, House, Settled
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.ledger.books import KEY, LIFE, balance, limited, prepaid, take
from tests.postgres import open_database

PAID = "acct_a"


@pytest.fixture
def db(tmp_path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, tmp_path / "ledger.db")
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    yield database
    database.close()


def charged(db: Database, cost: int, overrun: int = 0) -> Settlement:
    """Settle a generation of a prepaid account and a limited key; return it, owing what it cost."""
    credit = prepaid(db, 10_000)
    limited(db, 50_000)
    ids = (credit, KEY.id)
    take(db, dict.fromkeys(ids, cost))
    draws = tuple(Draw(id_, NanoUsd(cost)) for id_ in ids)
    ended = Settled(
        offset=1, account=PAID, cost=NanoUsd(cost), draws=draws, overrun=NanoUsd(overrun)
    )
    db.run_now(settle.apply(LIFE, [ended], 1, 2.0))
    return Settlement(
        generation="gen-1",
        account=PAID,
        cost=NanoUsd(cost + overrun),
        owed=NanoUsd(cost + overrun),
        price="old",
        draws=draws,
    )


def rerated(
    db: Database, was: Settlement, owed: int, price: str, *, charge_more: bool = False
) -> Adjusted:
    again = Settlement(
        generation=was.generation,
        account=was.account,
        cost=was.cost,
        owed=NanoUsd(owed),
        price=price,
        draws=was.draws,
    )
    (done,) = db.run_now(adjust([again], 3.0, charge_more=charge_more))
    assert db.run_now(prove).violations == ()
    return done


def left(db: Database, account: str) -> int:
    return {each.id: each.balance_nanos for each in db.run_now(every_account)}[account]


def entries(db: Database) -> int:
    def work(connection: Connection) -> int:
        query = select(entry.c.id).where(entry.c.code == Code.ADJUSTMENT)
        return len(connection.execute(query).all())

    return db.run_now(work)


def spent(db: Database, was: Settlement) -> list[int]:
    return [balance(db, draw.purse).spent for draw in was.draws]


def test_a_lower_price_gives_back_to_the_account_and_its_purses_once(db: Database) -> None:
    was = charged(db, 1000)
    assert rerated(db, was, 700, "new") == Adjusted(
        generation="gen-1", outcome="booked", charged=700, account=-300
    )
    assert (left(db, PAID), left(db, House.INCOME), spent(db, was)) == (9_300, 700, [700, 700])
    assert rerated(db, was, 700, "new").outcome == "same"
    assert (left(db, PAID), entries(db)) == (9_300, 1)


def test_a_higher_price_is_charged_only_where_that_is_asked_for(db: Database) -> None:
    was = charged(db, 1000)
    assert rerated(db, was, 1400, "new").outcome == "left"
    assert (left(db, PAID), entries(db)) == (9_000, 0)
    done = rerated(db, was, 1400, "new", charge_more=True)
    assert (done.account, done.house) == (400, 0)
    assert (left(db, PAID), spent(db, was)) == (8_600, [1400, 1400])


def test_a_price_may_change_its_mind_and_every_step_is_booked(db: Database) -> None:
    was = charged(db, 1000)
    for owed, price in ((700, "b"), (1000, "a"), (700, "b"), (0, "c")):
        assert rerated(db, was, owed, price, charge_more=True).outcome == "booked"
        assert (left(db, PAID), spent(db, was)) == (10_000 - owed, [owed, owed])
    assert entries(db) == 4


def test_what_is_not_free_is_borne_by_the_house(db: Database) -> None:
    was = charged(db, 1000)
    done = rerated(db, was, 31_000, "new", charge_more=True)
    assert (done.account, done.house, done.charged) == (9_000, 21_000, 10_000)
    assert (left(db, PAID), left(db, House.OVERRUN)) == (0, -21_000)
    assert left(db, House.INCOME) == 31_000
    done = rerated(db, was, 12_000, "newer")
    assert (done.account, done.house) == (0, -19_000)
    done = rerated(db, was, 4_000, "newest")
    assert (done.account, done.house) == (-6_000, -2_000)
    assert (left(db, PAID), left(db, House.OVERRUN)) == (6_000, 0)


def test_an_overrun_is_given_back_to_the_house_first(db: Database) -> None:
    was = charged(db, 1000, overrun=500)
    done = rerated(db, was, 900, "new")
    assert (done.account, done.house) == (-100, -500)
    assert (left(db, House.OVERRUN), left(db, House.INCOME)) == (0, 900)


def test_a_postpaid_account_without_limits_is_charged_alone(db: Database) -> None:
    db.run_now(leases.open_journal(LIFE, "node", 0.0))
    db.run_now(settle.apply(LIFE, [Settled(offset=1, account="default", cost=NanoUsd(80))], 1, 2.0))
    was = Settlement(
        generation="gen-2", account="default", cost=NanoUsd(80), owed=NanoUsd(80), price="old"
    )
    assert rerated(db, was, 50, "new").account == -30
    assert left(db, "default") == -50


def test_what_was_given_back_tells_those_who_were_refused(db: Database) -> None:
    was = charged(db, 1000)
    epoch, _ = db.run_now(leases.changes(0))
    rerated(db, was, 1, "new")
    later, changed = db.run_now(leases.changes(epoch))
    assert later > epoch
    assert set(changed) == {draw.purse for draw in was.draws}


def test_adjustments_that_the_purse_does_not_know_are_named(db: Database) -> None:
    was = charged(db, 1000)
    rerated(db, was, 700, "new")
    forged = text("UPDATE charge SET amount_nanos = 0 WHERE incarnation = 'rerate'")
    db.run_now(lambda connection: connection.execute(forged))
    rules = {each.rule for each in db.run_now(prove).violations}
    assert rules == {"adjustments are in the purses", "spent is the charges"}
