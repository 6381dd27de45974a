"""Settlement: from leased to spent, once; and what happens to what a dead worker had."""

import pytest
from msgspec.structs import replace

from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger.entries import every_account
from dragoman.ledger.proof import Proof, prove
from dragoman.ledger.purses import Balance
from dragoman.ledger.types import DEFAULT, House, Settled
from dragoman.store.sql import Database
from tests.ledger.books import KEY, LIFE, OTHER, balance, ended, limited, prepaid, take


def apply(db: Database, *batch: Settled, offset: int | None = None) -> int:
    end = batch[-1].offset if offset is None else offset
    return db.run_now(settle.apply(LIFE, batch, end, 3.0))


def balances(db: Database) -> dict[str, int]:
    return {each.id: each.balance_nanos for each in db.run_now(every_account)}


def proved(db: Database) -> Proof:
    proof = db.run_now(prove)
    assert proof.holds, proof.violations
    return proof


def test_a_cost_moves_from_leased_to_spent_in_every_purse(db: Database) -> None:
    key, month = limited(db, 100), limited(db, 100, OTHER)
    take(db, {key: 50, month: 60})
    assert apply(db, ended(10, 7, key, month), ended(20, 3, key)) == 2
    assert balance(db, key) == Balance(100, 10, 40)
    assert balance(db, month) == Balance(100, 7, 53)
    assert balances(db)[DEFAULT] == -10
    assert balances(db)[House.INCOME] == 10
    assert proved(db).generations == 2


@pytest.mark.parametrize(
    ("batch", "offset", "fresh"),
    [((10, 20), 20, 0), ((10, 20, 30), 30, 1), ((), 5, 0), ((), 40, 0), ((30, 40), 40, 2)],
)
def test_what_was_applied_is_passed_over(
    db: Database, batch: tuple[int, ...], offset: int, fresh: int
) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 50})
    apply(db, ended(10, 7, id_), ended(20, 3, id_))
    assert apply(db, *(ended(end, 1, id_) for end in batch), offset=offset) == fresh
    assert balance(db, id_).spent == 10 + fresh
    proved(db)


def test_a_batch_of_the_past_does_not_take_a_journal_back(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 50})
    batch = ended(10, 7, id_), ended(20, 3, id_)
    apply(db, *batch)
    assert apply(db, offset=5) == apply(db, batch[0]) == 0
    assert db.run_now(settle.reached(LIFE)) == settle.Reached(20, 20, closed=False)
    assert apply(db, *batch) == 0
    assert balance(db, id_).spent == 10
    proved(db)


def test_a_purse_without_a_limit_is_charged_without_a_lease(db: Database) -> None:
    limited(db, 1, OTHER)
    apply(db, ended(10, 7, KEY.id, leased=False))
    assert balance(db, KEY.id) == Balance(None, 7, 0)
    proved(db)


def test_a_prepaid_account_pays_from_its_credit(db: Database) -> None:
    id_ = prepaid(db, 100)
    take(db, {id_: 40})
    apply(db, ended(10, 7, id_, account="acct_a"))
    assert balance(db, id_) == Balance(100, 7, 33)
    assert balances(db)["acct_a"] == 93
    proved(db)


def test_the_house_bears_overruns_and_what_is_lost(db: Database) -> None:
    limited(db, 1)
    apply(db, replace(ended(10, 7), overrun=NanoUsd(2)), replace(ended(20, 0), lost=NanoUsd(9)))
    found = balances(db)
    assert (found[DEFAULT], found[House.OVERRUN], found[House.SUSPENSE]) == (-7, -2, -9)
    assert found[House.INCOME] == 18
    proved(db)


def test_what_an_unknown_account_used_is_in_suspense(db: Database) -> None:
    limited(db, 1)
    apply(db, ended(10, 7, account="acct_gone"))
    assert balances(db)[House.SUSPENSE] == -7
    proved(db)


def test_an_unknown_journal_is_said_to_be_unknown(db: Database) -> None:
    with pytest.raises(settle.UnknownJournal, match="life-1"):
        apply(db, ended(10, 7))


def test_the_leases_of_a_closed_journal_are_free_again(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 50})
    apply(db, ended(10, 7, id_))
    for _ in range(2):
        db.run_now(settle.close(LIFE, 4.0))
        assert balance(db, id_) == Balance(100, 7, 0)
    proved(db)


def test_a_charge_without_a_lease_is_a_violation_that_is_named(db: Database) -> None:
    id_ = limited(db, 100)
    take(db, {id_: 5})
    apply(db, ended(10, 7, id_))
    assert balance(db, id_) == Balance(100, 7, 0)
    (violation,) = db.run_now(prove).violations
    assert violation.rule == "nothing is charged beyond its lease"
    assert violation.subject == id_
    assert "$0.000000002" in violation.detail


def test_what_a_lost_worker_had_is_charged_in_full(db: Database) -> None:
    credit, key = prepaid(db, 100), limited(db, 100)
    take(db, {credit: 40, key: 30})
    apply(db, ended(10, 7, credit, key, account="acct_a"))
    assert db.run_now(settle.write_off(LIFE, 4.0)) == 33
    assert db.run_now(settle.write_off(LIFE, 5.0)) == 0
    assert balance(db, credit) == Balance(100, 40, 0)
    assert balance(db, key) == Balance(100, 30, 0)
    assert (balances(db)["acct_a"], balances(db)[House.SUSPENSE]) == (60, 33)
    proved(db)


def test_a_journal_that_is_found_explains_and_refunds_a_write_off(db: Database) -> None:
    credit, key = prepaid(db, 100), limited(db, 100)
    take(db, {credit: 40, key: 30})
    db.run_now(settle.write_off(LIFE, 4.0))
    apply(db, ended(10, 7, credit, key, account="acct_a"))
    assert (balances(db)["acct_a"], balances(db)[House.SUSPENSE]) == (60, 33)
    proved(db)
    apply(db, ended(20, 5, credit, account="acct_a"))
    for _ in range(2):
        db.run_now(settle.close(LIFE, 5.0))
    assert balance(db, credit) == Balance(100, 12, 0)
    assert balance(db, key) == Balance(100, 7, 0)
    assert (balances(db)["acct_a"], balances(db)[House.SUSPENSE]) == (88, 0)
    assert balances(db)[House.INCOME] == 12
    assert proved(db).generations == 2
    assert db.run_now(settle.write_off(LIFE, 6.0)) == 0


def test_a_journal_refunds_its_own_write_off_and_no_others(db: Database) -> None:
    credit = prepaid(db, 100)
    db.run_now(leases.open_journal("other", "node", 0.0))
    for life, amount in ((LIFE, 20), ("other", 60)):
        take(db, {credit: amount}, life)
        db.run_now(settle.write_off(life, 2.0))
    for life, left in ((LIFE, 60), ("other", 0)):
        db.run_now(settle.close(life, 4.0))
        assert balance(db, credit) == Balance(100, left, 0)
        assert balances(db)["acct_a"] == 100 - left
        proved(db)


def test_what_goes_beyond_its_hold_is_charged_where_the_account_bears_it(db: Database) -> None:
    credit, key = prepaid(db, 100), limited(db, 50)
    take(db, {credit: 40, key: 40})
    over = ended(10, 60, credit, key, account="acct_a")
    draws = tuple(replace(draw, beyond=NanoUsd(25)) for draw in over.draws)
    apply(db, replace(over, draws=draws))
    assert balance(db, credit) == Balance(100, 60, 5)
    assert balance(db, key) == Balance(50, 60, 5), "a limit is overspent by what nobody foresaw"
    assert balances(db)["acct_a"] == 40
    assert balances(db)[House.OVERRUN] == 0
    proved(db)
    db.run_now(settle.close(LIFE, 4.0))
    assert balance(db, credit) == Balance(100, 60, 0)
    proved(db)


def test_what_went_beyond_its_hold_is_no_part_of_a_write_off(db: Database) -> None:
    credit = prepaid(db, 100)
    take(db, {credit: 40})
    db.run_now(settle.write_off(LIFE, 2.0))
    assert balance(db, credit).spent == 40
    over = ended(10, 60, credit, account="acct_a")
    apply(db, replace(over, draws=(replace(over.draws[0], beyond=NanoUsd(25)),)))
    assert balance(db, credit).spent == 40 + 25
    proved(db)
    db.run_now(settle.close(LIFE, 4.0))
    assert balance(db, credit) == Balance(100, 60, 0), "5 of what was leased were not used"
    proved(db)
