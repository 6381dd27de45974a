"""Several cashiers over one ledger, in any order, with answers that get lost: against plain sums.

The reference knows the limit and what was charged. At no moment is more spent and leased than
the limit allows, and when all have gone nothing is leased.
"""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dragoman.core.errors import Unavailable
from dragoman.ledger import leases, settle
from dragoman.ledger.cashier import DOUBT_S, EMPTY_S, PAUSE_S, Cashier, NoRoom
from dragoman.ledger.proof import prove
from dragoman.ledger.till import IDLE_S, Hold
from dragoman.store.sql import Database
from tests.access.fakes import HandClock
from tests.ledger.bank import Bank, clock_of
from tests.ledger.books import KEY, OTHER, balance, ended, limited, opened

WORKERS = st.integers(0, 2)
AMOUNTS = st.integers(0, 120)
TROUBLE = st.sampled_from([None, None, None, "before", "after"])
PURSES = st.sampled_from([(KEY.id,), (OTHER.id,), (KEY.id, OTHER.id)])
STEPS = 12


class Worker:
    """A cashier, what it holds, and how far its journal reaches and is booked."""

    def __init__(self, db: Database, name: str, clock: HandClock) -> None:
        self.name = name
        self.bank = Bank(db, clock, refusal_s=3.0)
        self.cashier = Cashier(self.bank, name, clock_of(clock), lambda: self.written)
        self.holds: list[Hold] = []
        self.unbooked: list[tuple[int, tuple[str, ...], int]] = []
        self.written = 0
        db.run_now(leases.open_journal(name, "node", 0.0))


class Cashiers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.db = opened(self.folder / "ledger.db")
        self.loop = asyncio.Runner()
        self.clock = HandClock()
        self.limits = {KEY.id: 300, OTHER.id: 500}
        self.charged = dict.fromkeys(self.limits, 0)
        for purse in (KEY, OTHER):
            limited(self.db, self.limits[purse.id], purse)
        self.workers = [Worker(self.db, f"worker-{n}", self.clock) for n in range(3)]

    def teardown(self) -> None:
        for worker in self.workers:
            worker.bank.trouble = None
            for hold in worker.holds:
                worker.cashier.settle(hold, 0)
            self._book(worker)
        for wait_s in (EMPTY_S + IDLE_S, DOUBT_S):
            for number in range(3):
                self.round(number, wait_s, None)
        for id_, charged in self.charged.items():
            figures = balance(self.db, id_)
            assert (figures.spent, figures.leased) == (charged, 0)
        worker = self.workers[0]
        for id_, charged in self.charged.items():
            left = self.limits[id_] - charged
            assert self.loop.run(worker.cashier.hold((id_,), left)).amount == left
        assert self.db.run_now(prove).holds
        self.loop.close()
        self.db.close()
        shutil.rmtree(self.folder)

    @rule(number=WORKERS, purses=PURSES, amount=AMOUNTS, trouble=TROUBLE, steps=st.integers(0, 30))
    def ask(
        self, number: int, purses: tuple[str, ...], amount: int, trouble: object, steps: int
    ) -> None:
        """Ask for a hold, and hang up after so many steps unless it was quicker."""
        worker = self.workers[number]
        self.clock.now += 2 * PAUSE_S  # so that the ledger is asked again
        worker.bank.trouble = trouble  # type: ignore[assignment]
        hold = self.loop.run(_patiently(worker.cashier, purses, amount, steps))
        worker.bank.trouble = None
        if hold is not None:
            assert hold.amount == amount
            worker.holds.append(hold)

    @rule(number=WORKERS, amount=AMOUNTS, trouble=TROUBLE)
    def extend(self, number: int, amount: int, trouble: object) -> None:
        worker = self.workers[number]
        if not worker.holds:
            return
        hold = worker.holds[-1]
        before = hold.amount
        self.clock.now += 2 * PAUSE_S
        worker.bank.trouble = trouble  # type: ignore[assignment]
        try:
            self.loop.run(worker.cashier.extend(hold, amount))
        except (NoRoom, Unavailable):
            assert hold.amount == before
        else:
            assert hold.amount == before + amount
        worker.bank.trouble = None

    @rule(number=WORKERS, cost=AMOUNTS)
    def settle(self, number: int, cost: int) -> None:
        worker = self.workers[number]
        if worker.holds:
            hold = worker.holds.pop(0)
            charged = worker.cashier.settle(hold, cost).charged
            assert charged == min(cost, hold.amount)
            worker.written += 1
            worker.unbooked.append((worker.written, hold.purses, charged))
            for purse in hold.purses:
                self.charged[purse] += charged

    @rule(number=WORKERS)
    def book(self, number: int) -> None:
        self._book(self.workers[number])

    @rule(number=WORKERS, seconds=st.sampled_from([0.0, IDLE_S, EMPTY_S, DOUBT_S]), trouble=TROUBLE)
    def round(self, number: int, seconds: float, trouble: object) -> None:
        """Let time go by, and one cashier go round."""
        worker = self.workers[number]
        self.clock.now += seconds
        worker.bank.trouble = trouble  # type: ignore[assignment]
        self.loop.run(_round(worker.cashier))
        worker.bank.trouble = None

    @rule(more=st.integers(1, 100))
    def raise_limit(self, more: int) -> None:
        self.limits[KEY.id] += more
        limit = self.limits[KEY.id]
        self.db.run_now(lambda connection: leases.set_limit(connection, KEY, limit))

    @invariant()
    def nothing_is_overspent(self) -> None:
        for id_, limit in self.limits.items():
            figures = balance(self.db, id_)
            assert figures.spent + figures.leased <= limit
            assert self.charged[id_] <= limit
            held = sum(h.amount for w in self.workers for h in w.holds if id_ in h.purses)
            unbooked = sum(c for w in self.workers for _, p, c in w.unbooked if id_ in p)
            assert held + unbooked <= figures.leased, "what is held or owed is leased"

    def _book(self, worker: Worker) -> None:
        if worker.unbooked:
            batch = [ended(offset, cost, *purses) for offset, purses, cost in worker.unbooked]
            worker.unbooked = []
            self.db.run_now(settle.apply(worker.name, batch, worker.written, 1.0))


async def _patiently(
    cashier: Cashier, purses: tuple[str, ...], amount: int, steps: int
) -> Hold | None:
    asking = asyncio.ensure_future(cashier.hold(purses, amount))
    for _ in range(steps):
        await asyncio.sleep(0)
    if steps <= STEPS and not asking.done():
        asking.cancel()
    try:
        return await asking
    except (NoRoom, Unavailable, asyncio.CancelledError):
        return None
    finally:
        for _ in range(STEPS):  # what the ledger still has to say arrives, whoever hung up
            await asyncio.sleep(0)


async def _round(cashier: Cashier) -> None:
    with suppress(Unavailable):
        await cashier._forget_changed()
        await cashier._give_back()
        await cashier._disclaim()
    with suppress(Unavailable):
        await cashier._renew()


Cashiers.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestCashiers = Cashiers.TestCase
