"""The cashier: who waits, who is told no, and that nothing is lost whatever is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from dragoman.core.errors import Unavailable
from dragoman.ledger import cashier, leases, settle
from dragoman.ledger.cashier import DOUBT_S, EMPTY_S, ROUND_S, STALE_S, Cashier, NoRoom
from dragoman.ledger.purses import Purse, Reason, Taken
from dragoman.ledger.till import IDLE_S
from dragoman.store.sql import Database
from tests.access.fakes import HandClock
from tests.ledger.bank import Bank, Trouble, clock_of
from tests.ledger.books import KEY, LIFE, OTHER, balance, ended, limited, take

OTHERS = "life-of-others"


class Window:
    """A cashier, its bank, and what its journal says."""

    def __init__(self, db: Database, limit: int, refusal_s: float = 0.0) -> None:
        self.db = db
        self.hand = HandClock()
        self.bank = Bank(db, self.hand, refusal_s)
        self.written = 0
        self.cashier = Cashier(self.bank, LIFE, clock_of(self.hand), lambda: self.written)
        self.purse = limited(db, limit)
        db.run_now(leases.open_journal(OTHERS, "node", 0.0))

    @property
    def leased(self) -> int:
        return balance(self.db, self.purse).leased

    async def idle_round(self, seconds: float = IDLE_S) -> None:
        """Let time go by, and the cashier go its round once, without the rest before it."""
        go, rests, sleep = asyncio.Event(), asyncio.Event(), asyncio.sleep

        async def rest(delay: float) -> None:
            if delay != ROUND_S:
                await sleep(delay)
            elif go.is_set():
                rests.set()
                await asyncio.Event().wait()
            else:
                await go.wait()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", rest)
            async with self.rounds():
                await sleep(0)
                self.hand.now += seconds
                go.set()
                async with asyncio.timeout(30):
                    await rests.wait()

    @asynccontextmanager
    async def rounds(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.cashier.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_who_is_short_at_once_waits_for_one_lease(db: Database) -> None:
    window = Window(db, 1_000_000)
    holds = await asyncio.gather(*[window.cashier.hold((window.purse,), 10) for _ in range(50)])
    assert len(window.bank.takes) == 1
    assert sum(hold.amount for hold in holds) == 500


async def test_what_was_leased_for_one_is_not_taken_by_another(db: Database) -> None:
    window = Window(db, 10, refusal_s=3.0)
    window.bank.open.clear()
    first = asyncio.create_task(window.cashier.hold((window.purse,), 10))
    await asyncio.sleep(0)
    second = asyncio.create_task(window.cashier.hold((window.purse,), 5))
    await asyncio.sleep(0)
    window.bank.open.set()
    assert (await first).amount == 10
    with pytest.raises(NoRoom):
        await second


async def test_a_hold_draws_on_all_its_purses_or_on_none(db: Database) -> None:
    window = Window(db, 100, refusal_s=3.0)
    limited(db, 5, OTHER)
    with pytest.raises(NoRoom) as refused:
        await window.cashier.hold((window.purse, OTHER.id), 50)
    assert [each.purse for each in refused.value.refused] == [OTHER.id]
    assert (await window.cashier.hold((window.purse,), 100)).amount == 100


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("trouble", [None, "before", "after"])
async def test_nothing_leaks_whenever_a_request_is_cancelled(
    db: Database, steps: int, trouble: Trouble | None
) -> None:
    window = Window(db, 100)
    window.bank.trouble = trouble
    asking = asyncio.create_task(window.cashier.hold((window.purse,), 60))
    for _ in range(steps):
        await asyncio.sleep(0)
    asking.cancel()
    done = (await asyncio.gather(asking, return_exceptions=True))[0]
    if not isinstance(done, BaseException):
        window.cashier.settle(done, 0)
    for _ in range(8):
        await asyncio.sleep(0)
    window.bank.trouble = None
    await window.idle_round()
    await window.idle_round(DOUBT_S)
    assert window.leased == 0
    assert (await window.cashier.hold((window.purse,), 100)).amount == 100


async def test_a_purse_in_use_elsewhere_is_waited_for(db: Database) -> None:
    window = Window(db, 100)
    take(db, {window.purse: 60}, OTHERS)
    asking = asyncio.create_task(window.cashier.hold((window.purse,), 50))
    await asyncio.sleep(0.02)
    assert not asking.done()
    db.run_now(leases.give_back(OTHERS, {window.purse: 60}))
    window.hand.now += 0.2
    assert (await asking).amount == 50


async def test_what_is_released_here_is_had_at_once(db: Database) -> None:
    window = Window(db, 100)
    hold = await window.cashier.hold((window.purse,), 100)
    asking = asyncio.create_task(window.cashier.hold((window.purse,), 50))
    await asyncio.sleep(0.02)
    window.cashier.settle(hold, 40)
    assert (await asking).amount == 50
    assert window.hand() == HandClock()(), "no time had to go by"


async def test_patience_ends_after_two_seconds(db: Database) -> None:
    window = Window(db, 100)
    take(db, {window.purse: 60}, OTHERS)
    asking = asyncio.create_task(window.cashier.hold((window.purse,), 50))
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert not asking.done()
        window.hand.now += 0.099
    window.hand.now += 0.1
    with pytest.raises(NoRoom) as refused:
        await asking
    assert refused.value.refused[0].reason is Reason.IN_FLIGHT
    assert window.leased == 60


async def test_a_purse_that_is_used_up_is_not_asked_about_again(db: Database) -> None:
    window = Window(db, 100)
    for amount in (101, 500, 101):
        with pytest.raises(NoRoom) as refused:
            await window.cashier.hold((window.purse,), amount)
        assert refused.value.refused[0].reason is Reason.EXHAUSTED
    assert len(window.bank.takes) == 1
    assert (await window.cashier.hold((window.purse,), 100)).amount == 100


async def test_limits_that_changed_with_many_others_are_heard_of_in_one_round(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "MOST_CHANGES", 2)
    window = Window(db, 100)
    with pytest.raises(NoRoom):
        await window.cashier.hold((window.purse,), 101)
    for number in range(7):
        limited(db, 1, Purse(f"key:{number}", "total", 0))
    limited(db, 200)
    await window.idle_round(0.0)
    assert (await window.cashier.hold((window.purse,), 101)).amount == 101


async def test_a_raised_limit_is_heard_of(db: Database) -> None:
    window = Window(db, 100)
    with pytest.raises(NoRoom):
        await window.cashier.hold((window.purse,), 150)
    db.run_now(lambda connection: leases.set_limit(connection, KEY, 200))
    await window.idle_round(0.0)
    assert (await window.cashier.hold((window.purse,), 150)).amount == 150


async def test_what_came_back_to_a_purse_is_found_after_a_while(db: Database) -> None:
    window = Window(db, 100)
    take(db, {window.purse: 100}, OTHERS)
    db.run_now(settle.write_off(OTHERS, 1.0))
    with pytest.raises(NoRoom):
        await window.cashier.hold((window.purse,), 50)
    db.run_now(settle.close(OTHERS, 2.0))  # nothing of it had been used
    with pytest.raises(NoRoom):
        await window.cashier.hold((window.purse,), 50)
    window.hand.now += EMPTY_S
    assert (await window.cashier.hold((window.purse,), 50)).amount == 50


async def test_a_silent_ledger_is_no_reason_to_refuse_what_is_leased(db: Database) -> None:
    window = Window(db, 100_000)
    first = await window.cashier.hold((window.purse,), 100)
    window.bank.silent = True
    assert (await window.cashier.hold((window.purse,), 900)).amount == 900
    with pytest.raises(Unavailable):
        await window.cashier.hold((window.purse,), 100)
    window.cashier.settle(first, 0)
    assert (await window.cashier.hold((window.purse,), 100)).amount == 100


async def test_without_a_word_for_five_minutes_nothing_is_given_out(db: Database) -> None:
    window = Window(db, 100_000)
    await window.cashier.hold((window.purse,), 100)
    window.bank.silent = True
    window.hand.now += STALE_S + 1
    with pytest.raises(Unavailable):
        await window.cashier.hold((window.purse,), 1)
    window.bank.silent = False
    await window.idle_round(30.0)
    assert (await window.cashier.hold((window.purse,), 1)).amount == 1


async def test_what_lies_idle_goes_back(db: Database) -> None:
    window = Window(db, 100_000)
    hold = await window.cashier.hold((window.purse,), 100)
    assert window.leased == 1_000
    await window.idle_round()
    assert window.leased == 100
    window.cashier.settle(hold, 0)
    await window.idle_round()
    assert window.leased == 0


async def test_a_lowered_limit_acts_on_what_a_busy_worker_has_at_hand(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(db, 100_000)
    await window.cashier.hold((window.purse,), 100)
    db.run_now(lambda connection: leases.set_limit(connection, KEY, 100))
    changes = window.bank.purse_changes

    async def drawn_upon_meanwhile(since: int) -> tuple[int, tuple[str, ...]]:
        answer = await changes(since)
        window.cashier.settle(await window.cashier.hold((window.purse,), 10), 0)
        return answer

    monkeypatch.setattr(window.bank, "purse_changes", drawn_upon_meanwhile)
    await window.idle_round(0.0)
    assert window.leased == 100


async def test_a_limit_lowered_while_a_lease_is_under_way_acts_on_the_lease(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(db, 100_000)
    lend = window.bank.take

    async def late(incarnation: str, wanted: Mapping[str, int]) -> Taken:
        taken = await lend(incarnation, wanted)
        db.run_now(lambda connection: leases.set_limit(connection, KEY, 100))
        await window.idle_round(0.0)
        return taken

    monkeypatch.setattr(window.bank, "take", late)
    await window.cashier.hold((window.purse,), 100)
    assert window.leased == 1_000
    await window.idle_round(0.0)
    assert window.leased == 100


@pytest.mark.parametrize("how", ["idle", "close", "disclaim"])
async def test_many_purses_go_back_a_few_at_a_time(
    db: Database, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(cashier, "AT_ONCE", 2)
    window = Window(db, 100_000)
    purses = [limited(db, 100_000, Purse(f"key:{n}", "total", 0)) for n in range(5)]
    for purse in purses:
        window.cashier.settle(await window.cashier.hold((purse,), 100), 0)
    if how == "disclaim":
        window.bank.trouble = "before"
        monkeypatch.setattr(cashier, "AT_ONCE", 5)
        await window.idle_round()
        monkeypatch.setattr(cashier, "AT_ONCE", 2)
        for _ in range(3):
            await window.idle_round(DOUBT_S)
    elif how == "close":
        await window.cashier.close()
    else:
        await window.idle_round()
    assert window.bank.returned == [2, 2, 1]
    assert [balance(db, purse).leased for purse in purses] == [0] * 5


@pytest.mark.parametrize("trouble", ["before", "after"])
@pytest.mark.parametrize("call", ["take", "give back"])
async def test_what_got_lost_on_the_way_is_found_again(
    db: Database, trouble: Trouble, call: str
) -> None:
    window = Window(db, 100_000)
    if call == "take":
        window.bank.trouble = trouble
        with pytest.raises(Unavailable):
            await window.cashier.hold((window.purse,), 100)
    else:
        window.cashier.settle(await window.cashier.hold((window.purse,), 100), 0)
        window.bank.trouble = trouble
        await window.idle_round()
    await window.idle_round(DOUBT_S - 2)
    lost = (call, trouble) in {("take", "after"), ("give back", "before")}
    assert window.leased == (1_000 if lost else 0), "the question might still be on its way"
    await window.idle_round(2 + IDLE_S)
    assert window.leased == 0


async def test_nothing_is_disclaimed_that_is_used_or_not_booked_yet(db: Database) -> None:
    window = Window(db, 100_000)
    hold = await window.cashier.hold((window.purse,), 1_500)  # more than lies idle
    window.bank.trouble = "after"
    with pytest.raises(Unavailable):
        await window.cashier.extend(hold, 1_500)
    await window.idle_round(DOUBT_S)
    assert window.leased == 3_000, "a request still uses the purse"
    window.cashier.settle(hold, 700)
    window.written = 10
    await window.idle_round()
    await window.idle_round()
    assert window.leased == 1_500 + 700, "its cost is not booked yet, and is still leased"
    db.run_now(settle.apply(LIFE, [ended(10, 700, window.purse)], 10, 1.0))
    await window.idle_round()
    assert (window.leased, balance(db, window.purse).spent) == (0, 700)


async def test_a_worker_that_was_given_up_may_lease_again(db: Database) -> None:
    window = Window(db, 100_000)
    hold = await window.cashier.hold((window.purse,), 400)
    db.run_now(settle.write_off(LIFE, 1.0))
    with pytest.raises(Unavailable):
        await window.cashier.hold((window.purse,), 5_000)
    await window.idle_round(30.0)
    other = await window.cashier.hold((window.purse,), 5_000)
    for number, (each, cost) in enumerate(((hold, 300), (other, 5_000)), 1):
        window.cashier.settle(each, cost)
        batch = [ended(number, cost, window.purse)]
        db.run_now(settle.apply(LIFE, batch, number, 1.0))
    db.run_now(settle.close(LIFE, 2.0))
    assert (window.leased, balance(db, window.purse).spent) == (0, 5_300)


async def test_an_inclusive_purse_is_leased_of_as_much_as_it_counts(db: Database) -> None:
    window = Window(db, 1000)
    month = limited(db, 60, OTHER)
    hold = await window.cashier.hold((window.purse, month), 10, (month,), 50)
    assert (balance(db, window.purse).leased, balance(db, month).leased) == (10, 50)
    await window.cashier.extend(hold, 5, 10)
    assert (hold.of(window.purse), hold.of(month)) == (15, 60)
    with pytest.raises(NoRoom) as refused:
        await window.cashier.extend(hold, 5, 1)
    assert [each.purse for each in refused.value.refused] == [month]
    settlement = window.cashier.settle(hold, 15, 30)
    assert (settlement.charged, settlement.included) == (15, 45)


async def test_who_has_no_patience_is_told_at_once_that_others_have_the_room(db: Database) -> None:
    window = Window(db, 1)
    take(db, {window.purse: 1}, life=OTHERS)
    before = window.hand.now
    with pytest.raises(NoRoom) as refused:
        await window.cashier.hold((window.purse,), 1, patience_s=0.0)
    assert refused.value.refused[0].reason is Reason.IN_FLIGHT
    assert (len(window.bank.takes), window.hand.now) == (1, before)
    db.run_now(leases.give_back(OTHERS, {window.purse: 1}))
    window.hand.now += 1.0
    assert (await window.cashier.hold((window.purse,), 1, patience_s=0.0)).amount == 1
