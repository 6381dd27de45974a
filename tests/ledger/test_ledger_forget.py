"""What is forgotten of users' purses, and what stays; and that the books still add up."""

import pytest
from sqlalchemy import select

from dragoman.core.money import NanoUsd
from dragoman.ledger import adjust, leases, settle
from dragoman.ledger.adjust import Settlement
from dragoman.ledger.forget import AT_ONCE, forget_users
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import purse, purse_of_user, users_scope
from dragoman.ledger.tables import purse as purses
from dragoman.ledger.types import Draw
from dragoman.store.sql import Database
from tests.ledger.books import LIFE, balance, ended, limited, take

DAY = 86_400.0
LONG_AGO = 86_400.0 * 365


def of_user(name: str, at: float) -> str:
    return purse_of_user(purse(users_scope("k"), "daily", at).id, name)


def lease(db: Database, id_: str, amount: int) -> None:
    limits: dict[str, int | None] = {id_: 1000}
    assert db.run_now(leases.take(LIFE, {id_: amount}, 1.0, limits)).granted


def left(db: Database) -> set[str]:
    return set(db.run_now(lambda connection: connection.execute(select(purses.c.id)).scalars()))


def test_a_users_purse_is_forgotten_long_after_its_window(db: Database) -> None:
    key = limited(db, 1000)
    take(db, {key: 50})
    now = db.run_now(leases.database_time)
    old, new = of_user("a", LONG_AGO), of_user("a", now - 30 * DAY)
    forever = purse_of_user(purse(users_scope("k"), "total", 0.0).id, "a")
    for id_ in (old, new, forever):
        lease(db, id_, 50)
    draws = (key, old, new, forever)
    db.run_now(settle.apply(LIFE, [ended(1, 50, *draws)], 1, 2.0))
    assert db.run_now(forget_users) is False
    assert left(db) == {key, new, forever}
    assert balance(db, key).spent == 50
    assert db.run_now(prove).holds


@pytest.mark.parametrize("written_off", [False, True])
def test_what_a_journal_may_still_tell_finds_its_purse(db: Database, *, written_off: bool) -> None:
    limited(db, 1000)
    old = of_user("a", LONG_AGO)
    lease(db, old, 50)
    if written_off:
        db.run_now(settle.write_off(LIFE, 5.0))
    db.run_now(forget_users)
    assert old in left(db)
    db.run_now(settle.apply(LIFE, [ended(1, 20, old)], 1, 6.0))
    db.run_now(settle.close(LIFE, 7.0))
    assert (balance(db, old).spent, balance(db, old).leased) == (20, 0)
    assert db.run_now(prove).holds
    db.run_now(forget_users)
    assert old not in left(db)
    assert db.run_now(prove).holds


def test_a_price_that_is_corrected_later_leaves_a_forgotten_purse_alone(db: Database) -> None:
    key, old = limited(db, 1000), of_user("a", LONG_AGO)
    lease(db, old, 50)
    take(db, {key: 50})
    db.run_now(settle.apply(LIFE, [ended(1, 50, key, old)], 1, 2.0))
    db.run_now(forget_users)
    settlement = Settlement(
        generation="gen-1",
        account="default",
        cost=NanoUsd(50),
        owed=NanoUsd(20),
        price="v2",
        draws=(Draw(key, NanoUsd(50)), Draw(old, NanoUsd(50))),
    )
    (done,) = db.run_now(adjust.adjust([settlement], 3.0, charge_more=False))
    assert (done.outcome, done.account) == ("booked", -30)
    assert balance(db, key).spent == 20
    assert left(db) == {key}
    assert db.run_now(prove).holds


def test_many_are_forgotten_in_parts(db: Database) -> None:
    limited(db, 1000)
    ids = [of_user(f"user {n}", LONG_AGO) for n in range(AT_ONCE + 1)]
    wanted = dict.fromkeys(ids, 1)
    limits: dict[str, int | None] = dict.fromkeys(ids, 5)
    db.run_now(leases.take(LIFE, wanted, 1.0, limits))
    db.run_now(leases.give_back(LIFE, wanted))
    assert db.run_now(forget_users) is True
    assert len(left(db)) == 2
    assert db.run_now(forget_users) is False
    assert len(left(db)) == 1
