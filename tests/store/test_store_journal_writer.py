"""One writer's journal: turns, flushes, rotation, and disks that fail."""

import asyncio
import errno
import logging
import resource
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.frames import JournalRefused
from dragoman.store.journal.writer import Journal, JournalOptions
from tests.store.journal_disk import QUICK, FailingDisk, everything, opened


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.001)


def reached(journal: Journal, offset: int) -> bool:
    return journal.synced >= offset


@asynccontextmanager
async def running(
    root: Path, disk: FailingDisk | None = None, options: JournalOptions = QUICK
) -> AsyncIterator[Journal]:
    with opened(root, disk, options) as journal:
        task = asyncio.create_task(journal.run())
        try:
            yield journal
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_everything_of_a_turn_is_written_once_before_the_next(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        offsets = [journal.append(b"one"), journal.begin(b"two"), journal.append(b"three")]
        assert everything(journal.path) == ([], Ending.CLEAN)
        await asyncio.sleep(0)
        assert everything(journal.path) == ([b"one", b"two", b"three"], Ending.CLEAN)
        assert [record.offset for record in folder.read(journal.path, 0).records] == offsets


async def test_written_waits_for_the_write_of_its_turn(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(b"one")
        await asyncio.gather(journal.written(), journal.written())
        assert everything(journal.path)[0] == [b"one"]
        await journal.written()


async def test_who_leaves_does_not_keep_others_from_waiting(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(b"one")
        impatient = asyncio.create_task(journal.written())
        patient = asyncio.create_task(journal.written())
        asyncio.get_running_loop().call_soon(impatient.cancel)
        await patient
        with suppress(asyncio.CancelledError):
            await impatient


async def test_who_cannot_wait_writes_at_once(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(b"one")
        assert journal.write()
        assert everything(journal.path)[0] == [b"one"]


async def test_writes_are_flushed_in_groups_and_an_idle_journal_rests(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with running(tmp_path, disk) as journal:
        for number in range(50):
            end = journal.append(b"%d" % number)
        await until(lambda: journal.synced == end)
        assert disk.syncs == 1
        await asyncio.sleep(0.02)
        assert disk.syncs == 1


async def test_closing_writes_flushes_and_unlocks(tmp_path: Path) -> None:
    disk = FailingDisk()
    with opened(tmp_path, disk) as journal:
        end = journal.append(b"last")
        assert folder.take_lock(journal.path) is None
        journal.close()
        assert journal.synced == end
        assert everything(journal.path) == ([b"last"], Ending.CLEAN)
        lock = folder.take_lock(journal.path)
        assert lock is not None
        lock.release()
        with pytest.raises(Unavailable):
            journal.append(b"later")


async def test_a_long_journal_is_kept_in_segments_that_read_as_one(tmp_path: Path) -> None:
    small = JournalOptions(sync_s=0.001, segment_bytes=500)
    bodies = [b"record %d" % number for number in range(300)]
    async with running(tmp_path, options=small) as journal:
        for body in bodies:
            journal.append(body)
            await asyncio.sleep(0.0002)
        await until(lambda: journal.synced > 0)
        assert len(list(journal.path.glob("*.journal"))) > 2
        assert everything(journal.path) == (bodies, Ending.CLEAN)
    assert everything(journal.path) == (bodies, Ending.CLEAN)


async def test_a_full_disk_breaks_the_journal_until_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FailingDisk()
    async with running(tmp_path, disk) as journal:
        journal.begin(b"before")
        await journal.written()
        disk.full = True
        journal.begin(b"unlucky")
        with pytest.raises(Unavailable):
            await journal.written()
        with pytest.raises(Unavailable, match="cannot be written"):
            journal.begin(b"new")
        journal.append(b"concluded")
        with pytest.raises(Unavailable):
            await journal.written()
        assert journal.trouble is not None
        assert "No space" in journal.trouble
        disk.full = False
        await until(lambda: journal.trouble is None)
        end = journal.begin(b"after")
        await until(lambda: journal.synced == end)
        expected = [b"before", b"unlucky", b"concluded", b"after"]
        assert everything(journal.path) == (expected, Ending.CLEAN)
    events = [(record.message, record.levelno) for record in caplog.records]
    assert events == [
        ("store.journal.broken", logging.ERROR),
        ("store.journal.sound", logging.WARNING),
    ]


@pytest.mark.parametrize("what", ["folder", "file"])
async def test_a_journal_whose_files_were_deleted_takes_nothing_new_ever(
    tmp_path: Path, what: str
) -> None:
    async with running(tmp_path) as journal:
        journal.begin(b"before")
        await until(lambda: journal.synced == journal.end)
        if what == "folder":
            shutil.rmtree(journal.path)
        else:
            (journal.path / "00000001.journal").unlink()
        journal.begin(b"unlucky")
        await until(lambda: journal.trouble is not None)
        await asyncio.sleep(0.02)
        with pytest.raises(Unavailable):
            journal.begin(b"new")
        assert journal.trouble is not None
        assert "restart the node" in journal.trouble
        path = journal.path
    with pytest.raises((FileNotFoundError, JournalRefused)):
        everything(path)


async def test_where_the_system_lets_no_file_grow_the_journal_goes_on_in_others(
    tmp_path: Path,
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    bodies = [b"%d" % number * 200 for number in range(100)]
    async with running(tmp_path) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            for body in bodies:
                end = journal.append(body)
                await until(partial(reached, journal, end))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert everything(journal.path) == (bodies, Ending.CLEAN)
    assert len(list(journal.path.glob("*.journal"))) > 1


async def test_after_a_failed_flush_the_file_is_not_trusted(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with running(tmp_path, disk) as journal:
        good = journal.append(b"safe")
        await until(lambda: journal.synced == good)
        disk.dying = True
        journal.append(b"doubtful")
        await until(lambda: journal.trouble is not None)
        await until(lambda: len(list(journal.path.glob("*.journal"))) > 2)
        with pytest.raises(Unavailable):
            journal.begin(b"new")
        disk.dying = False
        await until(lambda: journal.trouble is None)
        # What the first segment holds beyond the last good flush is gone, and nothing is missing.
        first = journal.path / "00000001.journal"
        with first.open("r+b") as file:
            file.truncate(first.stat().st_size - 3)
        assert everything(journal.path) == ([b"safe", b"doubtful"], Ending.CLEAN)


async def test_a_write_that_fails_during_a_flush_is_not_taken_for_flushed(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with running(tmp_path, disk) as journal:
        journal.append(b"one")
        await journal.written()
        sync = asyncio.create_task(journal._keep())
        await asyncio.sleep(0)
        disk.full = True
        journal.append(b"two")
        journal.write()
        await sync
        assert journal.trouble is not None
        disk.full = False
        await until(lambda: journal.trouble is None)
        assert everything(journal.path) == ([b"one", b"two"], Ending.CLEAN)


async def test_memory_is_bounded_and_conclusions_have_a_reserve(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.dying = True
    tight = JournalOptions(unsynced_bytes=1000, reserved_bytes=500)
    with opened(tmp_path, disk, tight) as journal:
        for _ in range(6):
            journal.begin(bytes(92))
        with pytest.raises(Unavailable, match="cannot be written"):
            journal.begin(bytes(92))
        for _ in range(5):
            journal.append(bytes(92))
        with pytest.raises(Unavailable, match="holds no more"):
            journal.append(bytes(92))
        disk.dying = False
        journal.close()
        assert len(everything(journal.path)[0]) == 11


async def test_a_journal_that_is_broken_to_the_end_says_what_was_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FailingDisk()
    with opened(tmp_path, disk) as journal:
        disk.full = True
        journal.append(b"lost")
        journal.close()
        assert caplog.records[-1].message == "store.journal.unwritten"
        assert vars(caplog.records[-1])["bytes"] == 12


async def test_closing_a_broken_journal_tries_once_more(tmp_path: Path) -> None:
    disk = FailingDisk()
    with opened(tmp_path, disk) as journal:
        disk.full = True
        journal.append(b"late")
        journal.write()
        disk.full = False
        journal.close()
        assert everything(journal.path) == ([b"late"], Ending.CLEAN)


async def test_a_segment_that_nobody_waits_for_any_more_hides_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, options=JournalOptions(segment_bytes=1)) as journal:
        journal.append(b"one")
        await journal.written()
        turning = asyncio.create_task(journal._renew())
        await asyncio.sleep(0)
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        journal.append(b"two")
        await journal.written()
    assert everything(journal.path) == ([b"one", b"two"], Ending.CLEAN)


async def test_no_journal_without_a_disk_to_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(Unavailable):
        Journal.create(tmp_path, "node-1").close()

    def full(_file: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "write_all", full)
    with pytest.raises(Unavailable, match="No space left"):
        Journal.create(tmp_path, "node-1")
