"""Workers, crashes, windows and limits in any order, against a reference that only adds up.

A worker's life is its till in memory and its journal on disk. A crash may come between
any two steps: leased and not yet granted, settled and not yet written down, taken out of
the till and not yet given back, written down and not yet applied.
"""

import shutil
import tempfile
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection

from dragoman.core.errors import Conflict, InvalidRequest
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger.entries import every_account
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import (
    Balance,
    Purse,
    parse,
    purse,
    purse_of_account,
    purse_of_user,
    users_scope,
)
from dragoman.ledger.till import Hold, Till
from dragoman.ledger.types import Draw, Settled
from dragoman.office import credits as office
from dragoman.store.sql import Database
from tests.conftest import IS_LONG
from tests.ledger.books import opened, prepaid

ACCOUNT = "acct_a"
CREDIT = purse_of_account(ACCOUNT)
DAY = 86_400
WORKERS = st.integers(0, 1)
AMOUNTS = st.integers(0, 150)
REQUESTS = st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=2, max_size=5)
USERS = st.sampled_from(["a", "b", None])
"""Who a request is for: a third of all are for nobody in particular."""
BILLED = st.sampled_from([0, 0, 0, 40])
"""What a provider bills the account itself, which the purses of the key and its users count."""
MOSTLY = st.sampled_from([True] * 5 + [False])
SELDOM = st.sampled_from([False] * 5 + [True])
RECORD = 10


class Life:
    """One life of a worker: what it has in memory, and what it wrote down."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.till = Till()
        self.holds: list[Hold] = []
        self.journal: list[Settled] = []
        self.applied = 0

    def write(self, drawn: dict[str, int], cost: int, *, overrun: int = 0, lost: int = 0) -> None:
        draws = tuple(Draw(each, NanoUsd(amount)) for each, amount in drawn.items())
        self.journal.append(
            Settled(
                offset=(len(self.journal) + 1) * RECORD,
                account=ACCOUNT,
                cost=NanoUsd(cost),
                draws=draws,
                overrun=NanoUsd(overrun),
                lost=NanoUsd(lost),
            )
        )


class Books(RuleBasedStateMachine):
    """`charged` is what journals charge to each purse; `ceiling` what may be spent or leased."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.db: Database = opened(self.folder / "ledger.db")
        self.names = count()
        self.now = 0.0
        self.limit = 500
        self.user_limit = 200
        self.charged: Counter[str] = Counter()
        self.ceiling: dict[str, int] = {CREDIT.id: 1000}
        prepaid(self.db, 1000, ACCOUNT)
        self.lives = [self._life() for _ in range(2)]
        self.dead: list[Life] = []
        self.lost: list[Life] = []

    def teardown(self) -> None:
        """Let everybody die and every journal be found: then the books say what journals say."""
        for number in range(2):
            self.crash(number)
        for life in (*self.dead, *self.lost):
            self._bury(life)
        for id_, figures in self._figures().items():
            assert (figures.spent, figures.leased) == (self.charged[id_], 0)
        spent = self.charged[CREDIT.id]
        accounts = {each.id: each.balance_nanos for each in self.db.run_now(every_account)}
        assert (
            accounts[ACCOUNT] == self._figures()[CREDIT.id].free == self.ceiling[CREDIT.id] - spent
        )
        assert self.db.run_now(prove).holds
        self.db.close()
        shutil.rmtree(self.folder)

    @rule(worker=WORKERS, amount=AMOUNTS, user=USERS, billed=BILLED, refill=MOSTLY, crashes=SELDOM)
    def ask(
        self,
        worker: int,
        amount: int,
        user: str | None = None,
        billed: int = 0,
        *,
        refill: bool,
        crashes: bool,
    ) -> None:
        """Hold, out of what is there or after a refill, which a crash may leave in the air."""
        life = self.lives[worker]
        hold = self._hold(user)
        included = amount + billed
        before = {each: life.till.available(each) for each in hold.purses}
        short = life.till.extend(hold, amount, self.now, included)
        if short is not None and refill:
            users = {each: self.user_limit for each in short.missing if each in self._users()}
            figures = self._figures()
            frees = {id_: figures[id_].free or 0 for id_ in short.missing if id_ in figures}
            for id_ in users:  # its limit becomes the present one, or it is opened just now
                known = figures.get(id_, Balance(self.user_limit))
                frees[id_] = self.user_limit - known.spent - known.leased
                self._permit(id_, self.user_limit)
            taken = self.db.run_now(leases.take(life.name, short.missing, self.now, users))
            fits = all(frees[id_] >= more for id_, more in short.missing.items())
            assert bool(taken.granted) == fits != bool(taken.refused)
            if crashes:
                self.crash(worker)
                return
            for id_, granted in taken.granted.items():
                life.till.grant(id_, granted, self.now)
            short = life.till.extend(hold, amount, self.now, included)
            assert (short is None) == fits
        if short is None:
            life.holds.append(hold)
        else:
            assert {each: life.till.available(each) for each in hold.purses} == before

    @rule(worker=WORKERS, requests=REQUESTS, left=st.integers(0, 2))
    def serve(self, worker: int, requests: list[tuple[int, int]], left: int) -> None:
        """Let requests overlap, and leave some of them open."""
        for amount, _ in requests:
            self.ask(worker, amount, refill=True, crashes=False)
        for _, cost in requests[left:]:
            self.settle(worker, cost, crashes=False)

    @rule(worker=WORKERS, requests=REQUESTS, upto=st.integers(1, 5), again=st.booleans())
    def serve_and_apply(
        self, worker: int, requests: list[tuple[int, int]], upto: int, *, again: bool
    ) -> None:
        self.serve(worker, requests, 1)
        self.apply(worker, upto, again=again)

    @rule(worker=WORKERS, amount=AMOUNTS)
    def extend(self, worker: int, amount: int) -> None:
        life = self.lives[worker]
        if life.holds:
            life.till.extend(life.holds[-1], amount, self.now, amount)

    @rule(worker=WORKERS, cost=AMOUNTS, billed=BILLED, crashes=SELDOM)
    def settle(self, worker: int, cost: int, billed: int = 0, *, crashes: bool) -> None:
        """End a request; a crash may come before its end is written down."""
        worker = worker if self.lives[worker].holds else 1 - worker
        life = self.lives[worker]
        if not life.holds:
            return
        hold = life.holds.pop(0)
        before = {each: life.till.available(each) for each in hold.purses}
        settlement = life.till.settle(hold, cost, self.now, billed)
        drawn = hold.more(settlement.charged, settlement.included)
        for id_ in hold.purses:
            assert 0 <= drawn[id_] <= hold.of(id_)
            freed = hold.of(id_) - drawn[id_] if life.till.knows(id_) else 0
            assert life.till.available(id_) == before[id_] + freed
        if crashes:
            life.write(hold.more(0, 0), 0, lost=hold.amount)
            self.crash(worker)
            return
        life.write(drawn, settlement.charged, overrun=settlement.overrun)
        self.charged.update(drawn)

    @rule(worker=WORKERS, crashes=SELDOM)
    def give_back(self, worker: int, *, crashes: bool) -> None:
        life = self.lives[worker]
        self.now += 1.0
        back = life.till.idle(self.now)
        if crashes:
            self.crash(worker)
        elif back:
            self.db.run_now(leases.give_back(life.name, back))

    @rule(worker=WORKERS, upto=st.integers(1, 5), again=st.booleans())
    def apply(self, worker: int, upto: int, *, again: bool) -> None:
        """Book a batch, which may begin with what was booked before."""
        behind = [each for each in self.lives if each.applied < len(each.journal)]
        self._apply((behind or self.lives)[worker % len(behind or self.lives)], upto, again=again)

    @rule(worker=WORKERS, cost=AMOUNTS)
    def crash(self, worker: int, cost: int = 0) -> None:
        """Kill a worker: its requests are charged by what was last known of them, or lost."""
        life = self.lives[worker]
        for hold in life.holds:
            known = min(cost, hold.amount)
            drawn = hold.more(known, min(cost, hold.included))
            life.write(drawn, known, lost=hold.amount if known == 0 else 0)
            self.charged.update(drawn)
        self.dead.append(life)
        self.lives[worker] = self._life()

    @precondition(lambda self: self.dead)
    @rule(found=st.booleans())
    def adopt(self, *, found: bool) -> None:
        """Read a dead worker's journal to its end, or give it up."""
        life = self.dead.pop()
        if found:
            self._bury(life)
        else:
            self.db.run_now(settle.write_off(life.name, self.now))
            self.lost.append(life)

    @precondition(lambda self: self.lost)
    @rule(whole=st.booleans())
    def find(self, *, whole: bool) -> None:
        """Find a journal that was given up."""
        self._apply(self.lost[0], 2)
        if whole:
            self._bury(self.lost.pop(0))

    @rule(limit=st.integers(0, 800))
    def set_limit(self, limit: int) -> None:
        """Change the limit of the key, also below what is spent or leased."""
        self.limit = limit
        key = self._key()
        self.ceiling.setdefault(key.id, limit)
        self.db.run_now(lambda connection: leases.set_limit(connection, key, limit))
        figures = self._figures()[key.id]
        self.ceiling[key.id] = max(limit, figures.spent + figures.leased)

    @rule(limit=st.integers(0, 300), told=st.booleans())
    def set_user_limit(self, limit: int, *, told: bool) -> None:
        """Change what each user may spend, and tell at once, or when they are next leased of."""
        self.user_limit = limit
        for id_ in self._users() if told else ():
            if id_ in self._figures():
                self.db.run_now(partial(leases.set_limit, wanted=parse(id_), limit=limit))
                self._permit(id_, limit)

    @rule(amount=st.integers(1, 300), reference=st.sampled_from("abc"), back=st.booleans())
    def change_credit(self, amount: int, reference: str, *, back: bool) -> None:
        before = self._figures()[CREDIT.id]
        change = NanoUsd(amount)
        if back:
            work = office.refund(ACCOUNT, change, reference=reference, now=self.now)
        else:
            work = office.add(ACCOUNT, change, reference=reference, grant=False, now=self.now)
        try:
            self.db.run_now(work)
        except (Conflict, InvalidRequest):
            assert self._figures()[CREDIT.id] == before
        after = self._figures()[CREDIT.id]
        assert after.limit is not None
        self.ceiling[CREDIT.id] = after.limit

    @rule(seconds=st.sampled_from([0.5, 1.0, DAY / 2, DAY]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_overspent(self) -> None:
        for id_, figures in self._figures().items():
            assert figures.spent + figures.leased <= self.ceiling[id_]

    @invariant()
    def tills_have_no_more_than_was_leased(self) -> None:
        for life in self.lives:
            leased = self._leased(life.name)
            for id_ in self._figures():
                held = sum(each.of(id_) for each in life.holds if id_ in each.purses)
                unapplied = sum(
                    draw.amount
                    for each in life.journal[life.applied :]
                    for draw in each.draws
                    if draw.purse == id_
                )
                assert held + unapplied + life.till.available(id_) <= leased.get(id_, 0)

    @invariant()
    def the_books_add_up(self) -> None:
        proof = self.db.run_now(prove)
        assert proof.holds, proof.violations

    def _life(self) -> Life:
        life = Life(f"life-{next(self.names)}")
        self.db.run_now(leases.open_journal(life.name, "node", self.now))
        return life

    def _bury(self, life: Life) -> None:
        self._apply(life, len(life.journal))
        self.db.run_now(settle.close(life.name, self.now))

    def _apply(self, life: Life, upto: int, *, again: bool = False) -> None:
        batch = life.journal[life.applied : life.applied + upto]
        if not batch:
            return
        end = batch[-1].offset
        sent = life.journal[: life.applied + len(batch)] if again else batch
        assert self.db.run_now(settle.apply(life.name, sent, end, self.now)) == len(batch)
        assert self.db.run_now(settle.apply(life.name, sent, end, self.now)) == 0
        life.applied += len(batch)

    def _permit(self, id_: str, limit: int) -> None:
        """Note that from now on so much may be spent, or what is spent and leased already."""
        figures = self._figures(id_).get(id_, Balance(limit))
        self.ceiling[id_] = max(limit, figures.spent + figures.leased)

    def _key(self) -> Purse:
        return purse("key:k", "daily", self.now)

    def _users(self) -> set[str]:
        """Return the purses of all users in the present window."""
        users = purse(users_scope("k"), "daily", self.now).id
        return {purse_of_user(users, each) for each in ("a", "b", None)}

    def _hold(self, user: str | None) -> Hold:
        key = self._key()

        def work(connection: Connection) -> leases.Present:
            return leases.present(connection, key.scope, key.interval, self.limit, self.now)

        assert self.db.run_now(work).purse == key
        self.ceiling.setdefault(key.id, self.limit)
        own = purse_of_user(purse(users_scope("k"), "daily", self.now).id, user)
        return Hold((CREDIT.id, key.id, own), 0, (key.id, own))

    def _leased(self, name: str) -> dict[str, int]:
        return self.db.run_now(lambda connection: leases.leases_of(connection, name))

    def _figures(self, *more: str) -> dict[str, Balance]:
        def work(connection: Connection) -> dict[str, Balance]:
            found = {id_: leases.balance(connection, id_) for id_ in (*self.ceiling, *more)}
            return {id_: each for id_, each in found.items() if each is not None}

        return self.db.run_now(work)


Books.TestCase.settings = settings(max_examples=25 if IS_LONG else 12, stateful_step_count=60)
TestBooks = Books.TestCase
