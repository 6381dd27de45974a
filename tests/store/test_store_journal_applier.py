"""The applier: every record once and in order, from the living, the dead and the damaged."""

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder
from dragoman.store.journal.applier import Applier, ReadAgain
from dragoman.store.journal.folder import Ending, Lock
from dragoman.store.journal.sources import Batch
from dragoman.store.journal.writer import JournalOptions
from tests.store.journal_books import BODIES, QUICK, Books, dead, of, until
from tests.store.journal_disk import FailingDisk, opened

DAY_S = 86_400.0


async def test_a_dead_writers_journal_is_applied_once_in_order_and_ended(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    books = Books()
    applier = of(tmp_path, books)
    await applier.catch_up()
    await applier.catch_up()
    assert books.applied_of[path.name] == BODIES
    assert books.batches == [3, 3, 3, 1]
    assert books.endings == {path.name: Ending.CLEAN}
    again = Books()
    again.endings = books.endings
    await of(tmp_path, again).catch_up()
    assert not again.batches


async def test_our_own_journal_is_applied_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books()
    with opened(tmp_path) as journal:
        applier = of(tmp_path, books, journal)
        for body in BODIES[:7]:
            journal.append(body)
        journal.write()
        with monkeypatch.context() as patch:
            patch.setattr(folder, "_records", lambda *_: pytest.fail("the file was read"))
            applied = asyncio.create_task(applier.catch_up())
            await until(lambda: len(books.applied_of[journal.incarnation]) == 7 or applied.done())
        for body in BODIES[7:]:
            journal.append(body)
        journal.write()
        await applied
        await applier.catch_up()
        assert books.applied_of[journal.incarnation] == BODIES
        assert not books.endings
        journal.close()
        await applier.catch_up()
        assert books.endings == {journal.incarnation: Ending.CLEAN}


async def test_what_memory_had_no_room_for_is_read_from_the_file(tmp_path: Path) -> None:
    books = Books()
    with opened(tmp_path, options=JournalOptions(feed_bytes=30)) as journal:
        applier = of(tmp_path, books, journal)
        for body in BODIES:
            journal.append(body)
            journal.write()
        await applier.catch_up()
        assert books.applied_of[journal.incarnation] == BODIES


async def test_records_reach_their_destination_while_the_disk_is_full(tmp_path: Path) -> None:
    books, disk = Books(), FailingDisk()
    with opened(tmp_path, disk) as journal:
        disk.full = True
        for body in BODIES:
            journal.append(body)
        assert not journal.write()
        await of(tmp_path, books, journal).catch_up()
        assert books.applied_of[journal.incarnation] == BODIES
        disk.full = False


async def test_a_living_writer_elsewhere_is_followed_until_its_lock_is_free(
    tmp_path: Path,
) -> None:
    books = Books()
    with opened(tmp_path) as journal:
        applier = of(tmp_path, books)
        await applier.catch_up()
        for body in BODIES:
            journal.append(body)
            journal.write()
            await applier.catch_up()
        assert books.applied_of[journal.incarnation] == BODIES
        with (journal.path / "00000001.journal").open("ab") as file:
            file.write(b"\0\0\0\7half")  # as far as the kernel has got with the next one
        await applier.catch_up()
        assert not books.endings
        assert not applier.refused
    await applier.catch_up()
    assert books.endings == {journal.incarnation: Ending.TORN}


@pytest.mark.parametrize("when", ["asked", "before", "after", "end"])
async def test_an_unavailable_destination_is_asked_again_and_nothing_counts_twice(
    tmp_path: Path, when: str
) -> None:
    path = dead(tmp_path, BODIES)
    books = Books([when] * 3)
    applier = of(tmp_path, books)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await applier.catch_up()
    await applier.catch_up()
    assert books.applied_of[path.name] == BODIES
    assert books.endings == {path.name: Ending.CLEAN}


async def test_a_long_journal_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    long, short = dead(tmp_path, BODIES * 20), dead(tmp_path, BODIES[:1])
    books = Books()
    await of(tmp_path, books).catch_up()
    assert short.name in books.order[:2]
    assert books.order.count(long.name) == 67


async def test_who_waits_for_what_is_there_does_not_wait_for_what_comes_meanwhile(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as journal:

        class Busy(Books):
            async def apply(self, batch: Batch) -> None:
                await super().apply(batch)
                for body in BODIES:  # more than a batch holds: without a bound there is no end
                    journal.append(body)
                journal.write()

        books = Busy()
        for body in BODIES[:4]:
            journal.append(body)
        journal.write()
        applier = of(tmp_path, books)
        async with asyncio.timeout(30):
            await applier.catch_up()
            assert books.applied_of[journal.incarnation][:4] == BODIES[:4]
            await applier.catch_up()
        assert books.applied_of[journal.incarnation][4:14] == BODIES


async def test_who_is_cancelled_while_it_looks_keeps_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, take = dead(tmp_path, BODIES), folder.take_lock

    def slow(path: Path) -> Lock | None:
        lock = take(path)
        time.sleep(0.05)
        return lock

    monkeypatch.setattr(folder, "take_lock", slow)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(of(tmp_path, Books()).catch_up(), 0.02)
    lock = take(path)
    assert lock is not None
    lock.release()


async def test_two_appliers_of_one_folder_do_not_share_a_journal(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    first, second = Books(["before"]), Books()
    holder, other = of(tmp_path, first), of(tmp_path, second)
    with pytest.raises(Unavailable):
        await holder.catch_up()
    await other.catch_up()
    assert not second.endings
    holder.close()
    await other.catch_up()
    assert second.applied_of[path.name] == BODIES
    assert second.endings == {path.name: Ending.CLEAN}


async def test_damage_stops_a_journal_and_is_told_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = dead(tmp_path, BODIES), dead(tmp_path, BODIES)
    file = bad / "00000001.journal"
    data = bytearray(file.read_bytes())
    data[-12] ^= 1
    file.write_bytes(data)
    books = Books()
    applier = of(tmp_path, books)
    await applier.catch_up()
    await applier.catch_up()
    assert books.applied_of[bad.name] == BODIES[:8]
    assert books.endings == {good.name: Ending.CLEAN}
    assert list(applier.refused) == [bad.name]
    assert "nothing can be read from 72 to 81" in applier.refused[bad.name]
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.message for each in errors] == ["store.journal.refused"]


async def test_a_torn_tail_is_ended_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = dead(tmp_path, BODIES)
    file = path / "00000001.journal"
    os.truncate(file, file.stat().st_size - 1)
    books = Books()
    await of(tmp_path, books).catch_up()
    assert books.applied_of[path.name] == BODIES[:9]
    assert books.endings == {path.name: Ending.TORN}
    assert [each.message for each in caplog.records] == ["store.journal.torn"]


async def test_strange_journals_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    copy = tmp_path / ("ab" * 16)
    shutil.copytree(path, copy)
    elsewhere = dead(tmp_path, BODIES, node="node-2")
    empty = tmp_path / ("cd" * 16)
    empty.mkdir()
    books = Books()
    applier = of(tmp_path, books)
    await applier.catch_up()
    assert books.endings == {path.name: Ending.CLEAN}
    assert applier.refused.keys() == {copy.name, elsewhere.name, empty.name}
    assert "node 'node-2'" in applier.refused[elsewhere.name]
    lock = folder.take_lock(elsewhere)
    assert lock is not None
    lock.release()


async def test_a_segment_from_the_future_is_refused_after_what_can_be_read(
    tmp_path: Path,
) -> None:
    path = dead(tmp_path, BODIES)
    first, second = path / "00000001.journal", path / "00000002.journal"
    data = bytearray(first.read_bytes())
    data[9] = 9
    second.write_bytes(data)
    books = Books()
    applier = of(tmp_path, books)
    await applier.catch_up()
    assert not books.endings
    assert "later release" in applier.refused[path.name]


async def test_a_journal_that_turns_strange_is_refused_from_then_on(tmp_path: Path) -> None:
    books = Books()
    with opened(tmp_path) as journal:
        applier = of(tmp_path, books)
        journal.append(BODIES[0])
        journal.write()
        await applier.catch_up()
        (journal.path / "00000002.journal").write_bytes(b"a note that somebody has left here")
        journal.append(BODIES[1])
        journal.write()
        await applier.catch_up()
        assert "no segment of a journal" in applier.refused[journal.incarnation]
    await applier.catch_up()
    assert books.applied_of[journal.incarnation] == BODIES[:1]
    assert not books.endings


async def test_a_file_that_cannot_be_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dead(tmp_path, BODIES)
    books = Books()
    applier = of(tmp_path, books)

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "read", broken)
        await applier.catch_up()
    assert "Input/output error" in applier.refused[path.name]
    other = dead(tmp_path, BODIES)
    for what in ("header_of", "take_lock"):
        with monkeypatch.context() as patch:
            patch.setattr(folder, what, broken)
            await applier.catch_up()
        assert not applier.refused
        assert books.endings.keys() == {path.name}
    await applier.catch_up()
    assert books.endings.keys() == {path.name, other.name}


async def test_a_restored_database_is_brought_up_to_date_again(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    books = Books()
    await of(tmp_path, books).catch_up()
    restored = Books()
    restored.offsets[path.name] = 4 * 9
    restored.applied_of[path.name] = BODIES[:4]
    await of(tmp_path, restored).catch_up()
    assert restored.applied_of == books.applied_of


async def test_journals_are_kept_a_week_after_they_were_applied(tmp_path: Path) -> None:
    path = dead(tmp_path, BODIES)
    (tmp_path / ("." + "ef" * 16)).mkdir()
    waiting = dead(tmp_path, BODIES, node="node-2")
    days = [0.0]
    now = (path / "00000001.journal").stat().st_mtime
    clock = Clock(wall=lambda: now + days[0] * DAY_S, monotonic=lambda: days[0] * DAY_S)
    with opened(tmp_path) as journal:
        applier = Applier(tmp_path, "node-1", Books(), own=journal, options=QUICK, clock=clock)
        await applier.catch_up()
        days[0] = 6.9
        await applier.catch_up()
        assert path.exists()
        days[0] = 7.1
        await applier.catch_up()
        assert set(os.listdir(tmp_path)) == {waiting.name, journal.incarnation}  # noqa: PTH208


class Forgetful(Books):
    """Loses what it was told once, and says so."""

    async def apply(self, batch: Batch) -> None:
        if self.batches and not self.order.count("lost"):
            self.order.append("lost")
            self.offsets.clear()
            self.applied_of.clear()
            raise ReadAgain(batch.incarnation)
        await super().apply(batch)


async def test_a_destination_that_asks_for_it_is_told_again_from_where_it_says(
    tmp_path: Path,
) -> None:
    path = dead(tmp_path, BODIES)
    books = Forgetful()
    applier = of(tmp_path, books)
    await applier.catch_up()
    await applier.catch_up()
    assert books.applied_of[path.name] == BODIES
    assert "lost" in books.order
    assert not applier.refused
