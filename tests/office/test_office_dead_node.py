"""A node that is gone: its leases are written off after an hour, and put right when it returns."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, update

from dragoman.access.types import Grant
from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases, proof
from dragoman.ledger.purses import Balance
from dragoman.ledger.tables import lease
from dragoman.ledger.types import Draw
from dragoman.office import keys
from dragoman.office.bookkeeper import STALE_S, Bookkeeper
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import Premises, open_premises
from dragoman.relay.books import Charge, Journaled
from dragoman.store.journal.applier import Applier
from dragoman.store.journal.writer import Journal
from dragoman.store.options import DatabaseOptions
from tests.records.samples import PLAIN

LIMIT: Final = 10_000_000_000
LEASED: Final = 100_000_000
COST: Final = NanoUsd(777)
DAY_S: Final = 86_400.0


@pytest.fixture
def premises(tmp_path: Path, furnished: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", furnished)
    yield opened
    opened.close()


class Gone:
    """A worker of a node that leased something, used a part of it, and was not seen again."""

    def __init__(self, premises: Premises, home: Path) -> None:
        self.premises = premises
        self.home = home
        self.journal = Journal.create(home, "lost")
        self.bookkeeper = Bookkeeper(premises.ledger, premises.records, "lost", Clock())
        self.purse = ""

    async def live(self) -> None:
        await self.bookkeeper.begin(self.journal.incarnation)
        keeper = LocalKeeper(self.premises.ledger)
        made = keys.create(
            "k", prefix="sk-dm-v1-", pepper=self.premises.pepper, now=time.time(),
            grant=Grant(limit_nanos=LIMIT),
        )  # fmt: skip
        text, key = self.premises.ledger.run_now(made)
        admission = await keeper.key(key.hash, self.premises.pepper.sign(text))
        assert admission is not None
        assert admission.funds is not None
        (self.purse,) = admission.funds.purses
        taken = await keeper.take(self.journal.incarnation, {self.purse: LEASED})
        assert taken.granted == {self.purse: LEASED}
        draws = (Draw(self.purse, COST),)
        charge = Charge(account="default", cost=COST, draws=draws)
        Journaled(self.journal).final(replace(PLAIN, key_hash=key.hash), charge)

    def die(self) -> None:
        self.journal.close()

    def silent_for(self, seconds: float) -> None:
        def work(connection: Connection) -> None:
            at = leases.database_time(connection) - seconds
            connection.execute(update(lease).values(renewed_at=at))

        self.premises.ledger.run_now(work)

    @property
    def balance(self) -> Balance:
        found = self.premises.ledger.run_now(lambda c: leases.balance(c, self.purse))
        assert found is not None
        return found

    async def heard_by(self, keeper: Bookkeeper) -> None:
        """Have a keeper of the same node write off what is gone, as it does every minute."""
        applier = Applier(self.home, "lost", keeper)
        await applier.catch_up()
        await keeper.write_off_gone(applier.living)
        applier.close()

    async def come_back(self) -> None:
        applier = Applier(self.home, "lost", self.bookkeeper)
        await applier.catch_up()
        applier.close()


async def test_leases_of_a_dead_node_stay_for_an_hour_and_are_charged_then(
    premises: Premises, tmp_path: Path
) -> None:
    gone = Gone(premises, tmp_path / "journals")
    await gone.live()
    gone.die()
    other = Bookkeeper(premises.ledger, premises.records, "other", Clock())
    for silent_s in (0.0, 300.0, STALE_S - 60):
        gone.silent_for(silent_s)
        await other.write_off_gone()
        assert gone.balance == Balance(LIMIT, 0, LEASED), f"after {silent_s} s"
    gone.silent_for(STALE_S + 1)
    await other.write_off_gone()
    assert gone.balance == Balance(LIMIT, LEASED, 0), "nothing became free"
    await other.write_off_gone()
    assert gone.balance == Balance(LIMIT, LEASED, 0)
    assert premises.ledger.run_now(proof.prove).violations == ()


@pytest.mark.parametrize("written_off", [True, False])
async def test_the_journal_of_a_node_that_comes_back_tells_what_was_used(
    premises: Premises, tmp_path: Path, *, written_off: bool
) -> None:
    gone = Gone(premises, tmp_path / "journals")
    await gone.live()
    gone.die()
    if written_off:
        gone.silent_for(STALE_S + 1)
        await Bookkeeper(premises.ledger, premises.records, "other", Clock()).write_off_gone()
    await gone.come_back()
    assert gone.balance == Balance(LIMIT, COST, 0)
    await gone.come_back()
    assert gone.balance == Balance(LIMIT, COST, 0), "a second time tells nothing new"
    assert premises.ledger.run_now(proof.prove).violations == ()


async def test_a_node_that_slept_writes_off_nothing_of_its_own(
    premises: Premises, tmp_path: Path
) -> None:
    gone = Gone(premises, tmp_path / "journals")
    await gone.live()
    gone.silent_for(STALE_S + 1)
    await gone.bookkeeper.write_off_gone()
    assert gone.balance == Balance(LIMIT, 0, LEASED)
    gone.die()


async def test_a_clock_that_is_put_forward_writes_off_nobody_who_lives(
    premises: Premises, tmp_path: Path
) -> None:
    """The worker is another process, which the keeper that has just begun never heard of."""
    gone = Gone(premises, tmp_path / "journals")
    await gone.live()
    gone.silent_for(DAY_S)
    keeper = Bookkeeper(premises.ledger, premises.records, "lost", Clock())
    await gone.heard_by(keeper)
    assert gone.balance == Balance(LIMIT, COST, LEASED - COST)
    gone.die()
    await gone.heard_by(keeper)
    assert gone.balance == Balance(LIMIT, COST, 0)
    assert premises.ledger.run_now(proof.prove).violations == ()
