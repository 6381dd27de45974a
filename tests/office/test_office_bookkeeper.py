"""The bookkeeper: batches that come twice, workers that died, databases that are older."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, text

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger import acts, leases, proof
from dragoman.ledger.acts import Final, Progress, Start
from dragoman.ledger.purses import Balance, Purse
from dragoman.ledger.types import Draw
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.premises import Premises, open_premises
from dragoman.records import lines
from dragoman.records.reader import Reader
from dragoman.store.journal.applier import ReadAgain
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.frames import JournalRefused, Record
from dragoman.store.journal.sources import Batch
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database, T, Work
from dragoman.wire.usage import Usage
from tests.records.samples import PLAIN

LIFE = "a" * 32
PURSE = Purse("key:k", "total", 0)
HOLD = 1_000


@pytest.fixture
def premises(tmp_path: Path, furnished: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", furnished)
    yield opened
    opened.close()


class Flaky:
    """A database that is silent when told to be, before or after the work was done.

    Or it loses the work, though it said that it was done.
    """

    def __init__(self, real: Database) -> None:
        self.real = real
        self.trouble: str | None = None

    async def run(self, work: Work[T]) -> T:
        trouble, self.trouble = self.trouble, None
        if trouble == "before":
            raise Unavailable("silent")
        if trouble == "lost":
            return await self.real.run(partial(undone, work))
        done = await self.real.run(work)
        if trouble == "after":
            raise Unavailable("the answer got lost")
        return done

    async def read(self, work: Work[T]) -> T:
        return await self.real.read(work)


def undone(work: Work[T], connection: Connection) -> T:
    """Do work of which nothing stays."""
    kept = connection.begin_nested()
    done = work(connection)
    kept.rollback()
    return done


class Desk:
    """A worker's journal, its money, and who books it."""

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        self.ledger = Flaky(premises.ledger)
        self.records = Flaky(premises.records)
        self.journal: list[Record] = []
        self.restart()

    def restart(self) -> None:
        """Forget all that is not in the databases."""
        self.keeper = Bookkeeper(self.ledger, self.records, "node", Clock())  # type: ignore[arg-type]

    async def open(self, lease: int) -> None:
        await self.keeper.begin(LIFE)
        ledger = self.premises.ledger
        ledger.run_now(lambda connection: leases.set_limit(connection, PURSE, 100_000))
        taken = ledger.run_now(leases.take(LIFE, {PURSE.id: lease}, 0.0))
        assert taken.granted == {PURSE.id: lease}

    def write(self, *written: Start | Progress | Final[lines.Line] | bytes) -> Batch:
        """Append to the journal; return the batch of what was appended."""
        begins = self.journal[-1].offset if self.journal else 0
        records = []
        end = begins
        for act in written:
            payload = act if isinstance(act, bytes) else acts.encode(act)
            end += 8 + len(payload)
            records.append(Record(end, payload))
        self.journal += records
        return Batch(LIFE, "node", begins, [*records])

    async def read_on(self) -> int | None:
        """Apply what the bookkeeper wants to read, as after a restart; return from where."""
        begins = await self.keeper.applied(LIFE)
        if begins is None:
            return None
        left = [record for record in self.journal if record.offset > begins]
        if left:
            await self.keeper.apply(Batch(LIFE, "node", begins, left))
        return begins

    @property
    def purse(self) -> Balance | None:
        work = lambda connection: leases.balance(connection, PURSE.id)  # noqa: E731
        return self.premises.ledger.run_now(work)

    @property
    def rows(self) -> list[tuple[str, int, str]]:
        query = text("SELECT id, cost_nanos, usage FROM generation ORDER BY id")
        found = self.premises.records.run_now(lambda c: list(c.execute(query)))
        sources = [msgspec.json.decode(row.usage).get("source", "upstream") for row in found]
        return [(row.id, row.cost_nanos, one) for row, one in zip(found, sources, strict=True)]

    def assert_proved(self) -> None:
        assert self.premises.ledger.run_now(proof.prove).violations == ()


def start(id_: str) -> Start:
    key, purses = "k" * 64, (PURSE.id,)
    return Start(id_, 1.0, "default", key, "acme/turbo", True, HOLD, purses, "someone")  # noqa: FBT003 - by their place


def progress(id_: str, cost: int, hold: int = HOLD) -> Progress:
    return Progress(id_, "e", "acme", "Acme", "acme/turbo", 10, 3, cost, hold)


def final(id_: str, cost: int) -> Final[lines.Line]:
    made = msgspec.structs.replace(PLAIN, id=id_, cost_nanos=NanoUsd(cost))
    record = lines.line(made)
    return Final(
        id_, "default", NanoUsd(cost), NanoUsd(0), (Draw(PURSE.id, NanoUsd(cost)),), record
    )


async def test_a_stream_by_an_own_credential_that_broke_off_is_on_record_as_one(
    premises: Premises,
) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    own = Progress("b", "e", "acme", "Acme", "acme/turbo", 10, 3, 0, HOLD, 40, billed=40)
    await desk.keeper.apply(desk.write(start("a"), start("b"), progress("a", 20), own))
    await desk.keeper.end(LIFE, Ending.TORN)
    query = text("SELECT id, is_byok, cost_nanos, byok_nanos FROM generation ORDER BY id")
    rows = premises.records.run_now(lambda connection: list(connection.execute(query)))
    assert [tuple(row) for row in rows] == [("a", 0, 20, 0), ("b", 1, 0, 40)]
    used = await Reader(premises.records).usage("k" * 64, 2.0)
    assert (used.total, used.byok) == (20, 40)
    query = text("SELECT usage FROM generation")
    told = premises.records.run_now(lambda connection: list(connection.execute(query).scalars()))
    assert [msgspec.json.decode(one, type=Usage) for one in told] == [
        Usage(prompt=10, completion=3, source="estimated")
    ] * 2


async def test_what_ended_is_booked_and_on_record_once(premises: Premises) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    batch = desk.write(start("a"), start("b"), final("a", 300))
    for _ in range(3):
        await desk.keeper.apply(batch)
    assert desk.rows == [("a", 300, "upstream")]
    assert desk.purse == Balance(100_000, 300, 9_700)
    desk.assert_proved()


@pytest.mark.parametrize("where", ["ledger", "records"])
@pytest.mark.parametrize("trouble", ["before", "after"])
@pytest.mark.parametrize("restarts", [False, True], ids=["lives", "restarts"])
async def test_a_batch_that_broke_off_is_booked_once(
    premises: Premises, where: str, trouble: str, *, restarts: bool
) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    batch = desk.write(start("a"), start("b"), final("a", 300))
    getattr(desk, where).trouble = trouble
    with pytest.raises(Unavailable):
        await desk.keeper.apply(batch)
    if restarts:
        desk.restart()
        await desk.read_on()
    else:
        await desk.keeper.apply(batch)
    await desk.keeper.apply(desk.write(final("b", 50)))
    await desk.keeper.end(LIFE, Ending.CLEAN)
    assert desk.rows == [("a", 300, "upstream"), ("b", 50, "upstream")]
    assert desk.purse == Balance(100_000, 350, 0)
    desk.assert_proved()


@pytest.mark.parametrize("where", ["ledger", "records"])
@pytest.mark.parametrize("dies", [False, True])
async def test_what_a_database_lost_after_all_is_read_again(
    premises: Premises, where: str, *, dies: bool
) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(start("a"), start("b"), final("a", 300)))
    getattr(desk, where).trouble = "lost"
    await desk.keeper.apply(desk.write(final("b", 50), start("c"), progress("c", 20)))
    goes_on = (
        desk.keeper.end(LIFE, Ending.TORN) if dies else desk.keeper.apply(desk.write(final("d", 7)))
    )
    with pytest.raises(ReadAgain):
        await goes_on
    await desk.read_on()
    await desk.keeper.end(LIFE, Ending.TORN)
    rest = [] if dies else [("d", 7, "upstream")]
    rows = [("a", 300, "upstream"), ("b", 50, "upstream"), ("c", 20, "estimated"), *rest]
    assert desk.rows == rows
    assert desk.purse == Balance(100_000, 370 if dies else 377, 0)
    desk.assert_proved()


async def test_a_ledger_that_forgot_a_worker_hears_of_it_again(premises: Premises) -> None:
    desk = Desk(premises)
    desk.ledger.trouble = "lost"
    await desk.keeper.begin(LIFE)
    with pytest.raises(ReadAgain):
        await desk.keeper.apply(desk.write(start("a"), final("a", 300)))
    assert await desk.read_on() == 0
    assert desk.rows == [("a", 300, "upstream")]


@pytest.mark.parametrize(
    ("came", "charged", "row"),
    [
        ((), 0, ("a", 0, "lost")),
        ((progress("a", 400),), 400, ("a", 400, "estimated")),
        ((progress("a", 400), progress("a", 700)), 700, ("a", 700, "estimated")),
        ((progress("a", 5_000),), 1_000, ("a", 1_000, "estimated")),
        ((progress("a", 5_000, hold=6_000),), 5_000, ("a", 5_000, "estimated")),
    ],
    ids=["nothing came", "some came", "more came", "beyond its hold", "in a further slice"],
)
@pytest.mark.parametrize("where", [None, "ledger", "records"])
async def test_who_died_is_concluded_by_what_had_come(
    premises: Premises,
    came: tuple[Progress, ...],
    charged: int,
    row: tuple[str, int, str],
    where: str | None,
) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(start("a"), *came))
    if where is not None:  # its own keeper dies at the conclusion, before or after each database
        for trouble in ("before", "after"):
            getattr(desk, where).trouble = trouble
            with pytest.raises(Unavailable):
                await desk.keeper.end(LIFE, Ending.TORN)
            desk.restart()
            assert await desk.read_on() == 0
    await desk.keeper.end(LIFE, Ending.TORN)
    assert desk.rows == [row]
    assert desk.purse == Balance(100_000, charged, 0)
    desk.assert_proved()
    desk.restart()
    assert await desk.read_on() is None, "the journal was ended"


async def test_whoever_is_under_way_at_a_restart_is_concluded_the_oldest_too(
    premises: Premises,
) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(start("a"), progress("a", 400)))
    await desk.keeper.apply(desk.write(start("b"), start("c"), final("c", 300)))
    desk.restart()
    assert await desk.read_on() == 0, "where the oldest begins"
    await desk.keeper.end(LIFE, Ending.TORN)
    assert desk.rows == [("a", 400, "estimated"), ("b", 0, "lost"), ("c", 300, "upstream")]
    assert desk.purse == Balance(100_000, 700, 0)
    desk.assert_proved()


async def test_records_that_are_older_catch_up(premises: Premises) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(start("lost"), start("a"), start("too")))
    await desk.keeper.apply(desk.write(final("a", 300)))
    await desk.keeper.end(LIFE, Ending.CLEAN)
    kept = desk.rows

    def forget(connection: object) -> None:
        for query in (
            "DELETE FROM generation",
            "DELETE FROM key_usage",
            f"UPDATE recorded SET applied_offset = {desk.journal[1].offset}",
        ):
            connection.execute(text(query))  # type: ignore[attr-defined]

    premises.records.run_now(forget)
    desk.restart()
    assert await desk.read_on() == 0, "where the first begins that never ended"
    await desk.keeper.end(LIFE, Ending.CLEAN)
    lost = [("lost", 0, "lost"), ("too", 0, "lost")]
    assert desk.rows == kept == [("a", 300, "upstream"), *lost]
    assert desk.purse == Balance(100_000, 300, 0)
    desk.assert_proved()


async def test_what_cannot_be_read_is_refused_and_nothing_is_skipped(premises: Premises) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    with pytest.raises(JournalRefused):
        await desk.keeper.apply(desk.write(start("a"), b"\xc1garbage", final("a", 300)))
    assert desk.rows == []
    assert desk.purse == Balance(100_000, 0, 10_000)


async def test_a_conclusion_says_whose_money_it_was(premises: Premises) -> None:
    desk = Desk(premises)
    await desk.open(10_000)
    came = msgspec.structs.replace(progress("a", 400), fee_ppm=50_000)
    await desk.keeper.apply(desk.write(start("a"), came))
    await desk.keeper.end(LIFE, Ending.TORN)
    query = text('SELECT account, draws, "user", status, fee_ppm FROM generation')
    (row,) = premises.records.run_now(lambda connection: list(connection.execute(query)))
    assert (row.account, row.user, row.status) == ("default", "someone", 500)
    assert row.fee_ppm == 50_000, "of its cost that much is no cost of the provider"
    assert msgspec.json.decode(row.draws) == [[PURSE.id, 400]]
