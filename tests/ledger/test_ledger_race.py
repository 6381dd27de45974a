"""A thousand at once, at four workers with a database connection each: exactly ten get in."""

import asyncio
from pathlib import Path

import pytest

from dragoman.ledger import leases, settle
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import Purse, Reason
from dragoman.ledger.till import Hold, Till
from dragoman.store.sqlite import SqliteDatabase
from tests.ledger.books import balance, ended, limited, opened

PURSE = Purse("key:k", "total", 0)
HOLD, LIMIT, REQUESTS, WORKERS = 1_000, 10_900, 1_000, 4


class Worker:
    """What a data worker does for a request that is short: lease, grant, and try again."""

    def __init__(self, path: Path, name: str) -> None:
        self.db = SqliteDatabase(path, synchronous="NORMAL")
        self.name = name
        self.till = Till()
        self.db.run_now(leases.open_journal(name, "node", 0.0))

    async def admit(self, purse: str) -> Hold | Reason:
        while not isinstance(hold := self.till.hold([purse], HOLD, 0.0), Hold):
            taken = await self.db.run(leases.take(self.name, hold.missing, 0.0))
            if taken.refused:
                return taken.refused[0].reason
            for id_, amount in taken.granted.items():
                self.till.grant(id_, amount, 0.0)
        return hold


async def all_at_once(workers: list[Worker], purse: str) -> list[tuple[Worker, Hold | Reason]]:
    places = [workers[number % len(workers)] for number in range(REQUESTS)]
    found = await asyncio.gather(*(worker.admit(purse) for worker in places))
    return list(zip(places, found, strict=True))


@pytest.mark.parametrize("workers", [1, WORKERS])
async def test_a_purse_worth_ten_holds_admits_exactly_ten(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "ledger.db"
    books = opened(path)
    purse = limited(books, LIMIT, PURSE)
    lives = [Worker(path, f"life-{number + 2}") for number in range(workers)]

    found = await all_at_once(lives, purse)
    admitted = [(worker, hold) for worker, hold in found if isinstance(hold, Hold)]
    assert len(admitted) == LIMIT // HOLD == 10
    assert {each for _, each in found if not isinstance(each, Hold)} == {Reason.IN_FLIGHT}

    offsets = dict.fromkeys((worker.name for worker in lives), 0)
    charged = 0
    while admitted:
        for worker, hold in admitted:
            cost = worker.till.settle(hold, 777, 0.0).charged
            charged += cost
            offsets[worker.name] += 10
            end = offsets[worker.name]
            batch = [ended(end, cost, purse)]
            await worker.db.run(settle.apply(worker.name, batch, end, 0.0))
        for worker in lives:
            await worker.db.run(leases.give_back(worker.name, worker.till.idle(9.0)))
        found = await all_at_once(lives, purse)
        admitted = [(worker, hold) for worker, hold in found if isinstance(hold, Hold)]

    assert LIMIT - HOLD < charged <= LIMIT
    assert {each for _, each in found} == {Reason.EXHAUSTED}
    assert balance(books, purse).spent == charged
    assert books.run_now(prove).holds
    for each in (*(worker.db for worker in lives), books):
        each.close()
