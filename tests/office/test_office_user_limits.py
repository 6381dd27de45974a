"""What end users of a key may spend, and requests that cost no fee: purses at the keeper."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import Connection, select

from dragoman.access import keyring
from dragoman.access.audit import Act
from dragoman.access.own_credentials import add as add_credential
from dragoman.access.tables import audit
from dragoman.access.types import Admission, Funds, Grant, Key, OwnCredential
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.cashier import Cashier
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import Balance, Reason, parse, purse_of_user
from dragoman.ledger.tables import purse
from dragoman.ledger.types import DEFAULT, Draw, Settled
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.housekeeping import Housekeeping
from dragoman.office.keeper import LocalKeeper
from dragoman.office.keys import Limit, Limits
from dragoman.records.options import RecordsOptions
from dragoman.records.reader import KeyUsage
from dragoman.relay.waiver import waiver
from dragoman.store.custody import Pepper
from dragoman.store.sql import Database

LIFE = "life"
ACT = Act(actor="test", at=1.0)
UNUSED = KeyUsage()


class Desk:
    """A keeper, a key, and a worker that leases."""

    def __init__(
        self, ledger: Database, pepper: Pepper, byok: ByokOptions | None = None, **grant: Any
    ) -> None:
        self.ledger = ledger
        self.pepper = pepper
        self.keeper = LocalKeeper(ledger, byok or ByokOptions())
        made = keys.create("k", prefix="sk-", pepper=pepper, now=1.0, grant=Grant(**grant))
        self.text, self.key = ledger.run_now(made)
        ledger.run_now(leases.open_journal(LIFE, "node", 0.0))

    async def funds(self) -> Funds | None:
        admission = await self.keeper.key(self.key.hash, self.pepper.sign(self.text))
        assert isinstance(admission, Admission)
        return admission.funds

    async def purse_of(self, user: str | None) -> str:
        funds = await self.funds()
        assert funds is not None
        assert funds.users is not None
        return purse_of_user(funds.users, user)

    async def take(self, id_: str, amount: int) -> Reason | None:
        """Lease so much, and say why not."""
        taken = await self.keeper.take(LIFE, {id_: amount})
        return taken.refused[0].reason if taken.refused else None

    def limit(self, to: Limits) -> Key:
        return self.ledger.run_now(keys.limit(self.key.hash, to, UNUSED, 2.0))

    def balance(self, id_: str) -> Balance | None:
        return self.ledger.run_now(lambda connection: leases.balance(connection, id_))

    def changed(self, since: int = 0) -> tuple[int, tuple[str, ...]]:
        return self.ledger.run_now(leases.changes(since))


async def test_a_user_gets_a_purse_when_something_is_first_leased_of_it(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=100, user_limit_reset="daily")
    first, second = await desk.purse_of("a"), await desk.purse_of("b")
    assert desk.balance(first) is None
    assert await desk.take(first, 60) is None
    assert await desk.take(second, 100) is None
    assert await desk.take(first, 60) is Reason.IN_FLIGHT
    assert await desk.take(first, 101) is Reason.EXHAUSTED
    assert (desk.balance(first), desk.balance(second)) == (
        Balance(100, 0, 60),
        Balance(100, 0, 100),
    )
    assert ledger.run_now(prove).holds


async def test_the_window_of_users_ends_with_the_funds(ledger: Database, pepper: Pepper) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=5, user_limit_reset="daily", limit_nanos=9)
    funds = await desk.funds()
    assert funds is not None
    assert funds.purses == (f"key:{desk.key.hash}|total|0",)
    assert funds.users is not None
    assert funds.until == int(funds.users.rpartition("|")[2]) + 86_400
    assert funds.inclusive == ()


async def test_with_own_credentials_included_key_and_users_count_them(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=5, limit_nanos=9, include_byok_in_limit=True)
    funds = await desk.funds()
    assert funds is not None
    assert funds.inclusive == (*funds.purses, funds.users)
    assert funds.until is None


@pytest.mark.parametrize("told", [True, False], ids=["leased", "idle"])
async def test_a_limit_that_changes_counts_for_users_who_were_seen_before(
    ledger: Database, pepper: Pepper, *, told: bool
) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=100)
    id_ = await desk.purse_of("a")
    await desk.take(id_, 60)
    if not told:
        await desk.keeper.give_back(LIFE, {id_: 60})
    epoch, _ = desk.changed()
    key = desk.limit(Limits(users=Limit(nanos=50)))
    assert (key.user_limit_nanos, key.limit_nanos) == (50, None)
    assert desk.changed(epoch)[1] == ((id_,) if told else ())
    assert await desk.take(id_, 51) is Reason.EXHAUSTED
    assert (desk.balance(id_) or Balance(0)).limit == 50
    desk.limit(Limits(users=Limit(nanos=None)))
    assert await desk.funds() is None
    assert await desk.take(id_, 10**9) is None, "who was admitted before may end what was begun"


async def test_an_account_says_it_for_keys_that_do_not(ledger: Database, pepper: Pepper) -> None:
    desk = Desk(ledger, pepper)
    assert await desk.funds() is None
    epoch = (await desk.keeper.changes(0)).epoch
    ledger.run_now(office.set_user_limit(DEFAULT, 30, "monthly", ACT))
    assert (await desk.keeper.changes(epoch)).keys == (desk.key.hash,)
    id_ = await desk.purse_of(None)
    assert "|monthly|" in id_
    assert await desk.take(id_, 31) is Reason.EXHAUSTED
    assert await desk.take(id_, 30) is None
    before, _ = desk.changed()
    ledger.run_now(office.set_user_limit(DEFAULT, 40, "monthly", ACT))
    assert desk.changed(before)[1] == (id_,)
    desk.limit(Limits(users=Limit(nanos=20, reset="daily")))
    assert "|daily|" in await desk.purse_of(None)
    ledger.run_now(office.set_user_limit(DEFAULT, None, None, ACT))
    assert "|daily|" in await desk.purse_of(None)
    with pytest.raises(InvalidRequest):
        ledger.run_now(office.set_user_limit("house:income", 1, None, ACT))
    query = select(audit.c.detail).where(audit.c.action == "account.update").order_by(audit.c.id)
    told = ledger.run_now(lambda connection: connection.execute(query).scalars().all())
    assert '"user_limit_nanos"' in told[0]
    assert len(told) == 3


async def test_workers_that_meet_a_new_user_at_once_open_one_purse(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=10)
    id_ = await desk.purse_of("a")
    reasons = await asyncio.gather(*[desk.take(id_, 1) for _ in range(20)])
    assert reasons.count(None) == 10
    assert desk.balance(id_) == Balance(10, 0, 10)


def count(used: KeyUsage, desk: Desk, to: Limits) -> int:
    """Change a key's limit, which was `used` so much; return what its purse has spent."""
    desk.ledger.run_now(keys.limit(desk.key.hash, to, used, 2.0))
    found = desk.balance(f"key:{desk.key.hash}|total|0")
    assert found is not None
    return found.spent


async def test_what_providers_billed_counts_as_long_as_it_is_included(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper)
    used = KeyUsage(total=7, byok=30)  # type: ignore[arg-type]
    assert count(used, desk, Limits(key=Limit(nanos=100))) == 7
    assert count(used, desk, Limits(include_byok=True)) == 37
    assert count(used, desk, Limits(key=Limit(nanos=50))) == 37
    assert count(used, desk, Limits(include_byok=False)) == 7
    fresh = Desk(ledger, pepper)
    limits = Limits(key=Limit(nanos=100), include_byok=True)
    assert count(used, fresh, limits) == 37
    assert ledger.run_now(prove).holds


async def test_what_was_under_way_when_it_was_included_counts_once(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, limit_nanos=100)
    held = parse(f"key:{desk.key.hash}|total|0")

    def used(byok: int) -> KeyUsage:
        return KeyUsage(total=NanoUsd(7), byok=NanoUsd(byok))

    assert count(used(30), desk, Limits(key=Limit(nanos=90), include_byok=True)) == 37
    assert count(used(30), desk, Limits(include_byok=False)) == 7
    ledger.run_now(lambda connection: leases.bring_forward(connection, held, 10))  # as it was
    assert count(used(40), desk, Limits(include_byok=True)) == 47
    assert count(used(40), desk, Limits(include_byok=False)) == 7
    assert ledger.run_now(prove).holds


async def test_what_was_spent_while_there_was_no_such_limit_counts_once_there_is_again(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, limit_nanos=100)

    def used(total: int, byok: int = 0) -> KeyUsage:
        return KeyUsage(total=total, day=5, byok=byok)  # type: ignore[arg-type]

    assert count(used(7), desk, Limits(key=Limit(nanos=90))) == 7
    assert count(used(8), desk, Limits(key=Limit(nanos=100))) == 7, "the rest is under way"
    assert count(used(20), desk, Limits(key=Limit(nanos=None))) == 7
    assert count(used(30), desk, Limits(key=Limit(nanos=100))) == 30
    assert count(used(31), desk, Limits(key=Limit(nanos=100, reset="daily"))) == 30
    assert count(used(42), desk, Limits(key=Limit(nanos=100))) == 42
    assert count(used(10), desk, Limits(key=Limit(nanos=None))) == 42
    assert count(used(10), desk, Limits(key=Limit(nanos=9))) == 42, "as the books have it"
    limits = Limits(key=Limit(nanos=None), include_byok=True)
    assert count(used(50, byok=4), desk, limits) == 46
    assert count(used(50, byok=5), desk, Limits(key=Limit(nanos=100))) == 55
    assert ledger.run_now(prove).holds


def own(connection: Connection) -> None:
    """Give the default account a credential of its own."""
    row = OwnCredential(
        id="own", account=DEFAULT, provider="acme", origin="http://x", label="l", created_at=1.0
    )
    add_credential(connection, row)
    keyring.touch(connection, DEFAULT)


@pytest.mark.parametrize(
    ("byok", "brings", "expected"),
    [
        (ByokOptions(fee_ppm=1, free_requests_per_month=3), True, True),
        (ByokOptions(fee_ppm=1, free_requests_per_month=3), False, False),
        (ByokOptions(fee_ppm=1), True, False),
        (ByokOptions(free_requests_per_month=3), True, False),
    ],
)
async def test_free_requests_are_counted_only_where_there_is_a_fee_to_pay(
    ledger: Database, pepper: Pepper, byok: ByokOptions, *, brings: bool, expected: bool
) -> None:
    desk = Desk(ledger, pepper, byok)
    if brings:
        ledger.run_now(own)
    funds = await desk.funds()
    assert (funds is not None and funds.allowance is not None) == expected
    if expected and funds is not None:
        assert funds.allowance is not None
        assert funds.until is not None
        assert funds.allowance.startswith("byok:default|monthly|")
        assert desk.balance(funds.allowance) == Balance(3)


async def test_any_number_of_workers_waive_as_many_fees_as_there_are_free_requests(
    ledger: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, ByokOptions(fee_ppm=1, free_requests_per_month=7))
    ledger.run_now(own)
    funds = await desk.funds()
    assert funds is not None
    allowance = funds.allowance
    assert allowance is not None
    used = dict.fromkeys(("life-1", "life-2", "life-3", "last"), 0)

    async def work(life: str) -> None:
        ledger.run_now(leases.open_journal(life, "node", 0.0))
        cashier = Cashier(desk.keeper, life, Clock())
        for number in range(10):
            waived = await waiver(cashier, allowance)
            await asyncio.sleep(0)
            if waived is None:
                continue
            draws = waived.settle(used=number % 3 != 0 or life == "last")
            for draw in draws:
                used[life] += 1
                ended = Settled(offset=used[life], account=DEFAULT, cost=0, draws=(draw,))  # type: ignore[arg-type]
                for _ in range(2):
                    await ledger.run(settle.apply(life, [ended], used[life], time.time()))
        await cashier.close()

    await asyncio.gather(*[work(life) for life in used if life != "last"])
    await work("last")
    assert sum(used.values()) == 7
    assert desk.balance(allowance) == Balance(7, 7, 0)
    assert ledger.run_now(prove).holds
    rows = ledger.run_now(lambda c: c.execute(select(purse.c.id)).scalars().all())
    assert rows == [allowance]


async def test_users_of_long_ago_are_forgotten_beside_the_records(
    ledger: Database, records_db: Database, pepper: Pepper
) -> None:
    desk = Desk(ledger, pepper, user_limit_nanos=10, user_limit_reset="daily")
    present = await desk.purse_of("a")
    scope, _, _ = present.partition("|")
    past = f"{scope}|daily|86400"
    for id_ in (present, past):
        assert await desk.take(id_, 5) is None
        ended = Settled(offset=1, account=DEFAULT, cost=NanoUsd(0), draws=(Draw(id_, NanoUsd(5)),))
        life = f"life of {id_}"
        ledger.run_now(leases.open_journal(life, "node", 0.0))
        assert (await desk.keeper.take(life, {id_: 5})).granted
        ledger.run_now(settle.apply(life, [ended], 1, 1.0))
    tidy = Housekeeping(
        records=records_db, ledger=ledger, options=RecordsOptions(), clock=Clock(), pause_s=0.0
    )
    await tidy.tidy()
    assert desk.balance(past) == Balance(10, 5, 5), "something is leased of it"
    await desk.keeper.give_back(LIFE, {past: 5})
    await tidy.tidy()
    assert desk.balance(past) is None
    assert desk.balance(present) == Balance(10, 5, 5)
    assert ledger.run_now(prove).holds
