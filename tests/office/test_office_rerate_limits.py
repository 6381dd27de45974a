"""Charging the past anew where money is limited: what the house bears, what limits count."""

from functools import partial

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.types import Reset
from dragoman.catalog import tariff
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.ledger import entries, leases, settle
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import Balance, key_scope, member_scope, purse, purse_of_account
from dragoman.ledger.types import Account, Code, Draw, Entry, House, Settled
from dragoman.office import credits as credit
from dragoman.office import keys, members, rerate
from dragoman.office.key_admin import Manager
from dragoman.office.members import MemberChange, NewMember
from dragoman.office.rerate import Done
from dragoman.records import prices
from dragoman.records.corrections import Span
from dragoman.records.reader import Reader
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from tests.office.past import (
    ACT,
    HIGHER,
    LOWER,
    OLD,
    SPAN,
    Homes,
    at,
    costs,
    made,
    owes,
    recorded,
    run,
)


def paid(homes: Homes, key: str, *generations: tuple[Generation, int]) -> str:
    """Settle generations of a prepaid account with 5,000 nano-dollars; return its id.

    Each of them with what the house bears of it.
    """
    ledger, archive = homes
    held = purse_of_account("acct_a")

    def opened(connection: Connection) -> None:
        made = Account(id="acct_a", kind="prepaid", name="A", created_at=0.0)
        entries.add_account(connection, made)
        given = Entry(
            debit=House.CASH,
            credit="acct_a",
            amount_nanos=NanoUsd(5_000),
            code=Code.TOP_UP,
            reference="paid",
        )
        entries.transfer(connection, given, 0.0)
        leases.raise_limit(connection, held, 5_000)
        row = keyring.by_hash(key)(connection)
        assert row is not None
        keyring.replace(connection, replace(row, account="acct_a"))

    ledger.run_now(opened)
    ledger.run_now(leases.open_journal("life", "node", 0.0))
    archive.run_now(prices.keep({tariff.version(OLD): tariff.canonical(OLD)}, 0.0))
    for place, (one, overrun) in enumerate(generations, 1):
        ledger.run_now(leases.take("life", {held.id: one.cost_nanos}, 1.0))
        drawn = (Draw(held.id, one.cost_nanos),)
        ended = Settled(place, "acct_a", one.cost_nanos, drawn, NanoUsd(overrun))
        ledger.run_now(settle.apply("life", [ended], place, 1.0))
        kept = replace(one, account="acct_a", draws=((held.id, one.cost_nanos),))
        archive.run_now(partial(store, made=[kept]))
    return "acct_a"


def used(homes: Homes, account: str) -> int:
    """Return what an account has used, by its entries: what `GET /credits` says."""
    return homes[0].run_now(credit.statement(account)).usage


async def test_reports_say_what_the_account_paid_where_the_house_bears_the_rest(
    homes: Homes, key: str
) -> None:
    account = paid(homes, key, (made(key), 0), (made(key, 1), 0))
    dear = replace(HIGHER, completion=PicoUsd(200_000))
    assert run(homes, dear, charge_more=True) == Done(booked=2, charged=2_000, house=3_000)
    assert used(homes, account) == 5_000
    assert await costs(homes, key) == ([3_500, 1_500], 5_000)
    assert run(homes, LOWER) == Done(booked=2, given_back=3_000, house=-3_000)
    assert used(homes, account) == 2_000
    assert await costs(homes, key) == ([1_000, 1_000], 2_000)


async def test_what_the_house_bore_of_an_overrun_comes_back_first(homes: Homes, key: str) -> None:
    account = paid(homes, key, (made(key, cost_nanos=NanoUsd(1_200)), 300))
    (line,) = rerate.differences(homes[1], SPAN, at(LOWER)).lines
    assert (line.charged, line.owed, line.less, line.more) == (1_200, 1_000, 200, 0)
    assert run(homes, LOWER) == Done(booked=1, given_back=200, house=-300)
    assert used(homes, account) == 1_000
    assert await costs(homes, key) == ([1_000], 1_000)
    (line,) = rerate.differences(homes[1], SPAN, at(HIGHER)).lines
    assert (line.less, line.more) == (0, 2_500)


async def test_the_account_on_record_gets_it_back_where_its_key_was_lost(
    homes: Homes, key: str
) -> None:
    account = paid(homes, key, (made("f" * 64), 0))
    assert run(homes, LOWER) == Done(booked=1, given_back=500)
    assert used(homes, account) == 1_000


@pytest.mark.parametrize("interval", [None, "monthly"])
async def test_a_limit_that_was_set_later_counts_the_past_at_its_corrected_price(
    homes: Homes, key: str, interval: Reset | None
) -> None:
    now = homes[0].run_now(leases.database_time)
    recorded(homes, made(key, created_at=now), made(key, 1, created_at=now))
    spent = await Reader(homes[1]).usage(key, now)
    wanted = keys.Limits(key=keys.Limit(nanos=10_000, reset=interval))
    homes[0].run_now(keys.limit(key, wanted, spent, now))
    purse_ = purse(key_scope(key), interval or "total", now)

    def figures() -> tuple[int, int]:
        found = homes[0].run_now(lambda connection: leases.balance(connection, purse_.id))
        assert found is not None
        assert found.free is not None
        return found.spent, found.free

    assert figures() == (3_000, 7_000)
    span = Span(since=now - 1, until=now + 1)
    for price, cost in ((LOWER, 1_000), (OLD, 1_500), (LOWER, 1_000)):
        rerate.rerate(homes, span, at(price), ACT, charge_more=True)
        assert figures() == (2 * cost, 10_000 - 2 * cost)
    assert homes[0].run_now(prove).violations == ()
    dear = replace(HIGHER, completion=PicoUsd(2_000_000))
    done = rerate.rerate(homes, span, at(dear), ACT, charge_more=True)
    assert (done.charged, figures()) == (8_000, (10_000, 0))
    assert (await Reader(homes[1]).usage(key, now)).total == 10_000


async def test_a_limit_gives_back_no_more_than_it_counts(homes: Homes, key: str) -> None:
    now = homes[0].run_now(leases.database_time)
    first, *others = (made(key, number, created_at=now + number) for number in range(5))
    wanted = keys.Limits(key=keys.Limit(nanos=10_000, reset=None))
    recorded(homes, first)
    spent = await Reader(homes[1]).usage(key, now)
    homes[0].run_now(keys.limit(key, wanted, spent, now))
    # These had begun before there was a limit, and ended after it was set.
    homes[1].run_now(partial(store, made=others))
    ended = [Settled(2 + n, "default", each.cost_nanos) for n, each in enumerate(others)]
    homes[0].run_now(settle.apply("life", ended, 2 + len(others), 1.0))
    span = Span(since=now - 1, until=now + 10)
    done = rerate.rerate(homes, span, at(LOWER), ACT, charge_more=False)
    assert (done.booked, done.given_back, owes(homes)) == (5, 2_500, 5_000)
    purse_ = purse(key_scope(key), "total", now)
    found = homes[0].run_now(lambda connection: leases.balance(connection, purse_.id))
    assert found == Balance(10_000, 0)
    assert homes[0].run_now(prove).violations == ()


async def test_a_budget_that_was_set_later_counts_the_past_at_its_corrected_price(
    homes: Homes, key: str
) -> None:
    now = homes[0].run_now(leases.database_time)
    new = NewMember(email="ada@example.com", name="Ada")
    manager = Manager("default", ACT)
    member = homes[0].run_now(members.add(new, manager))
    row = homes[0].run_now(keyring.by_hash(key))
    assert row is not None
    owned = replace(row, creator=member.id)
    homes[0].run_now(lambda connection: keyring.replace(connection, owned))
    recorded(homes, made(key, created_at=now))
    spent = await Reader(homes[1]).usage(key, now)
    change = MemberChange(limit=0.00001)
    homes[0].run_now(members.amend(member.id, change, manager, spent))
    budget = purse(member_scope("default", member.id), "total", now)
    rerate.rerate(homes, Span(since=now - 1, until=now + 1), at(LOWER), ACT, charge_more=False)
    found = homes[0].run_now(lambda connection: leases.balance(connection, budget.id))
    assert found == Balance(10_000, 1_000)
    assert homes[0].run_now(prove).violations == ()
