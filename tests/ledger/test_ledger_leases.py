"""Leases: all purses or none, never more than is free, whatever the limit does meanwhile."""

import time
from functools import partial
from itertools import pairwise

import pytest

from dragoman.core.errors import Unavailable
from dragoman.ledger import leases
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import Balance, Purse, Reason
from dragoman.ledger.settle import close, write_off
from dragoman.store.sql import Database
from tests.ledger.books import KEY, LIFE, OTHER, balance, limited, take

DOLLAR = 1_000_000_000


def test_a_lease_is_taken_off_what_is_free(db: Database) -> None:
    id_ = limited(db, 100)
    assert take(db, {id_: 30}).granted == {id_: 30}
    assert take(db, {id_: 20}).granted == {id_: 20}
    assert balance(db, id_) == Balance(100, 0, 50)
    assert db.run_now(lambda connection: leases.leases_of(connection, LIFE)) == {id_: 50}


def test_a_rich_purse_leases_more_than_was_asked(db: Database) -> None:
    id_ = limited(db, 1000 * DOLLAR)
    assert take(db, {id_: 5}).granted == {id_: DOLLAR}


def test_all_purses_lease_or_none(db: Database) -> None:
    key, month = limited(db, 100), limited(db, 40, OTHER)
    taken = take(db, {key: 50, month: 41})
    assert taken.granted == {}
    assert [(each.purse, each.reason) for each in taken.refused] == [(month, Reason.EXHAUSTED)]
    assert balance(db, key).leased == balance(db, month).leased == 0
    assert take(db, {key: 50, month: 40}).granted == {key: 50, month: 40}


def test_a_refusal_has_the_figures_that_decided(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 90})
    (refused,) = take(db, {id_: 11}).refused
    assert (refused.balance, refused.reason) == (Balance(100, 0, 90), Reason.IN_FLIGHT)


def test_a_purse_without_a_limit_refuses_nothing(db: Database) -> None:
    id_ = limited(db, None)
    assert take(db, {id_: 10**15}).granted == {id_: 10**15}


def test_a_limit_may_be_lowered_below_what_is_leased(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 90})
    limited(db, 10)
    assert balance(db, id_).free == -80
    assert take(db, {id_: 1}).refused[0].reason is Reason.IN_FLIGHT
    db.run_now(leases.give_back(LIFE, {id_: 90}))
    assert take(db, {id_: 10}).granted == {id_: 10}


def test_what_is_given_back_is_free_again(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 90})
    db.run_now(leases.give_back(LIFE, {id_: 30}))
    assert balance(db, id_) == Balance(100, 0, 60)
    with pytest.raises(ValueError, match="has not leased 61"):
        db.run_now(leases.give_back(LIFE, {id_: 61}))
    assert balance(db, id_).leased == 60


def test_who_was_given_up_gives_back_what_it_leased_since(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 50})
    db.run_now(write_off(LIFE, 2.0))
    db.run_now(leases.renew(LIFE, 3.0))
    take(db, {id_: 30})
    db.run_now(leases.give_back(LIFE, {id_: 40}))
    assert balance(db, id_) == Balance(100, 50, 0), "10 of it are written off: its journal tells"
    db.run_now(close(LIFE, 4.0))
    assert balance(db, id_) == Balance(100, 0, 0)
    assert db.run_now(prove).holds


def test_one_cannot_give_back_what_another_leased(db: Database) -> None:
    id_ = limited(db, 100)
    db.run_now(leases.open_journal("other", "node", 0.0))
    take(db, {id_: 50})
    with pytest.raises(ValueError, match="other has not leased"):
        db.run_now(leases.give_back("other", {id_: 1}))


@pytest.mark.parametrize("end", [close, write_off])
def test_a_worker_whose_journal_ended_leases_no_more(db: Database, end: type) -> None:
    id_ = limited(db, 100)
    db.run_now(end(LIFE, 2.0))
    with pytest.raises(Unavailable):
        take(db, {id_: 1})


def test_a_worker_without_a_journal_leases_nothing(db: Database) -> None:
    with pytest.raises(Unavailable):
        take(db, {limited(db, 100): 1}, life="nobody")


def test_a_purse_that_was_never_opened_is_a_defect(db: Database) -> None:
    id_ = limited(db, 100)
    with pytest.raises(ValueError, match="never opened"):
        take(db, {id_: 1, "key:z|total|0": 1})
    assert balance(db, id_).leased == 0


def test_the_purse_of_the_present_window_has_the_limit_of_its_key(db: Database) -> None:
    def present(limit: int | None, now: float) -> leases.Present:
        return db.run_now(lambda c: leases.present(c, "key:k", "daily", limit, now))

    assert present(70, 86_400.0) == leases.Present(KEY, 172_800)
    assert balance(db, KEY.id).limit == 70
    assert present(None, 172_799.0).purse == KEY
    assert balance(db, KEY.id).limit is None
    assert present(70, 172_800.0).purse != KEY


def test_changes_of_limits_are_told_from_an_epoch_on(db: Database) -> None:
    limited(db, 100)
    epoch, _ = db.run_now(leases.changes(0))
    assert db.run_now(leases.changes(epoch)) == (epoch, ())
    month = limited(db, 5, OTHER)
    take(db, {month: 5})
    assert db.run_now(leases.changes(epoch)) == (epoch + 1, (month,))
    db.run_now(lambda connection: leases.raise_limit(connection, KEY, -1))
    assert balance(db, KEY.id).limit == 99


def test_changes_of_many_limits_are_told_a_page_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "MOST_CHANGES", 3)
    ids = [limited(db, 100, Purse(f"key:{number}", "total", 0)) for number in range(8)]
    ids.append(limited(db, 99, Purse("key:0", "total", 0)))
    (present, _), epoch = db.run_now(leases.changes(2**62)), 0
    told: list[str] = []
    while (page := db.run_now(leases.changes(epoch)))[1]:
        assert len(page[1]) <= 3
        assert page[0] > epoch
        epoch, found = page
        told += found
    assert (epoch, told) == (present, ids[1:])


def test_who_does_not_renew_is_stale(db: Database) -> None:
    id_ = limited(db, 100)
    db.run_now(leases.open_journal("other", "node", 0.0))
    take(db, {id_: 1})
    take(db, {id_: 1}, life="other")
    db.run_now(leases.renew("other", 50.0))
    assert db.run_now(leases.stale(10.0)) == (LIFE,)
    assert db.run_now(leases.stale(60.0)) == (LIFE, "other")


def test_the_database_has_a_clock(db: Database) -> None:
    before, now, after = time.time(), db.run_now(leases.database_time), time.time()
    assert all(a <= b + 0.1 for a, b in pairwise((before, now, after)))


def test_a_purse_with_a_limit_is_opened_when_something_is_first_leased_of_it(db: Database) -> None:
    limited(db, 100)
    limits: dict[str, int | None] = {"user:k:a|daily|86400": 30}
    wanted = dict.fromkeys(limits, 20)
    assert db.run_now(leases.take(LIFE, wanted, 1.0, limits)).granted == wanted
    (refused,) = db.run_now(leases.take(LIFE, wanted, 1.0, limits)).refused
    assert (refused.balance, refused.reason) == (Balance(30, 0, 20), Reason.IN_FLIGHT)
    raised: dict[str, int | None] = dict.fromkeys(limits, 40)
    assert db.run_now(leases.take(LIFE, wanted, 1.0, raised)).granted == wanted
    lowered: dict[str, int | None] = dict.fromkeys(limits, 10)
    (refused,) = db.run_now(leases.take(LIFE, {**wanted}, 1.0, lowered)).refused
    assert (refused.balance, refused.reason) == (Balance(10, 0, 40), Reason.EXHAUSTED)
    free: dict[str, int | None] = dict.fromkeys(limits)
    assert db.run_now(leases.take(LIFE, wanted, 1.0, free)).granted == wanted


def test_what_is_leased_is_found_by_how_its_purse_begins(db: Database) -> None:
    take(db, {limited(db, 100): 10})
    wanted = {"user:k:b|total|0": 1, "user:k:a|total|0": 1}
    limits: dict[str, int | None] = dict.fromkeys(wanted, 5)
    db.run_now(leases.take(LIFE, wanted, 1.0, limits))
    assert db.run_now(lambda c: leases.leased(c, "user:")) == tuple(sorted(wanted))
    db.run_now(leases.give_back(LIFE, wanted))
    assert db.run_now(lambda c: leases.leased(c, "user:")) == ()


@pytest.mark.parametrize(
    ("amounts", "spent"), [([5, 7], 12), ([5, -3], 2), ([5, -9], 0), ([-1], 0)]
)
def test_what_was_spent_before_is_counted_in_and_out_again(
    db: Database, amounts: list[int], spent: int
) -> None:
    id_ = limited(db, 100)
    for amount in amounts:
        db.run_now(partial(leases.bring_forward, opened=KEY, spent=amount))
    assert balance(db, id_).spent == spent
    assert db.run_now(prove).holds
