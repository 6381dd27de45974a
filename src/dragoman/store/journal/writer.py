"""`Journal`: one writer's journal, from `append` to the disk.

Appending is a matter of memory. Once per turn of the event loop everything
appended is handed to the kernel by one `write`, which outlives the process; a
thread flushes it to the disk in groups, which outlives a loss of power.

A write or a flush that fails breaks the journal. Its file is then worth nothing
beyond the last good flush, so all that came later is written again, to a new
segment, as soon as one can be made. Until that is on disk nothing may begin,
while what is under way may still be concluded. The states:

    sound       a file, no trouble        begin, append and write work
    unproved    a file, trouble           append and write work; the next flush makes it sound
    broken      no file, trouble          append works, as far as memory allows; a file is sought

A journal whose files were deleted stays broken: what it held is gone, and whoever reads it would
find a hole.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder
from dragoman.store.journal.feed import Feed
from dragoman.store.journal.folder import Deleted, Home
from dragoman.store.journal.frames import Header
from dragoman.store.journal.tail import Tail

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Disk(Struct, frozen=True):
    """What a journal does to a disk, so that a test can have it fail. Each may raise OSError."""

    add_segment: Callable[[Path, Header], int] = folder.add_segment
    write: Callable[[int, bytes], None] = folder.write_all
    sync: Callable[[int], None] = folder.sync
    close: Callable[[int], None] = os.close


class JournalOptions(Struct, frozen=True, kw_only=True):
    """How long a flush may be put off, and how much is kept where. Seconds and bytes."""

    sync_s: float = 0.05
    longest_pause_s: float = 1.0
    segment_bytes: int = 64 << 20
    unsynced_bytes: int = 16 << 20
    """The most that is held in memory because it may not be on disk."""
    reserved_bytes: int = 8 << 20
    """How much of that is kept for conclusions: where only this is left, nothing may begin."""
    feed_bytes: int = 8 << 20
    """How much is kept for an applier in this process; 0 where it is in another."""


class Journal:
    """A journal with its one writer. Lives in an event loop; `run` must be running there."""

    def __init__(
        self, home: Home, options: JournalOptions | None = None, disk: Disk | None = None
    ) -> None:
        self._options = options or JournalOptions()
        self._most_unsynced = self._options.unsynced_bytes
        self._most_to_begin = self._most_unsynced - self._options.reserved_bytes
        self._disk = disk or Disk()
        self._home = home
        self._number = home.first.number
        self._base = home.first.base
        self._tail = Tail(home.first.incarnation)
        self._file: int | None = home.descriptor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: list[asyncio.Future[bool]] = []
        self._stirred = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dragoman-journal")
        self._deleted: Deleted | None = None
        self.closed = False
        self.feed = Feed(self._options.feed_bytes)
        self.trouble: str | None = None
        """What is wrong while the journal is not sound."""

    @classmethod
    def create(cls, root: Path, node: str, options: JournalOptions | None = None) -> "Journal":
        """Begin a new journal in `root`. Blocks. Raises Unavailable when the disk does not let us.

        To be called in the event loop that the journal will live in.
        """
        try:
            return cls(folder.create(root, node), options)
        except OSError as error:
            raise Unavailable(f"No journal can be kept in {root}: {error.strerror}.") from error

    @property
    def path(self) -> Path:
        """The directory of its segments."""
        return self._home.path

    @property
    def incarnation(self) -> str:
        """Its random id."""
        return self._home.first.incarnation

    @property
    def end(self) -> int:
        """The offset behind all that was handed to the kernel."""
        return self._tail.taken

    @property
    def synced(self) -> int:
        """The offset up to which everything is on disk."""
        return self._tail.synced

    def begin(self, payload: bytes) -> int:
        """Append a record that begins something. Raises Unavailable while the journal is broken."""
        tail = self._tail
        if self.trouble is not None or tail.appended - tail.synced > self._most_to_begin:
            raise Unavailable("The journal cannot be written.", retry_after_s=1)
        return self.append(payload)

    def append(self, payload: bytes) -> int:
        """Append a record; return the offset behind it. It is written before the turn ends.

        Works on a broken journal, too, until memory for it is full: then
        Unavailable. Raises ValueError for a payload that is empty or over 1 MiB.
        """
        tail = self._tail
        if tail.appended - tail.synced > self._most_unsynced or self.closed:
            raise Unavailable("The journal holds no more.", retry_after_s=1)
        if tail.appended == tail.taken:
            if self._loop is None:  # to ask costs a system call, so once
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self.write)
        return tail.append(payload)

    def write(self) -> bool:
        """Hand what was appended to the kernel, now; say whether all of it is there.

        Happens by itself at the end of a turn. Whoever cannot wait for that calls it.
        """
        tail = self._tail
        if tail.appended != tail.taken:
            chunk, data = tail.take()
            self.feed.put(chunk)
            self._stirred.set()
            if self._file is not None:
                self._write(self._file, data)
        written = self._file is not None
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(written)
        return written

    async def written(self) -> None:
        """Wait until what was appended is handed to the kernel, which outlives this process.

        Raises Unavailable if it is not. It stays appended even then, and may
        yet be written: who began something concludes it.
        """
        if self._tail.waiting:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            written = await waiter
        else:
            written = self._file is not None
        if not written:
            raise Unavailable("The journal cannot be written.", retry_after_s=1)

    async def run(self) -> None:
        """Flush what is written, and open files as they are needed, until cancelled."""
        pause = self._options.sync_s
        while True:
            await self._stirred.wait()
            await asyncio.sleep(pause)
            self._stirred.clear()
            await self._keep()
            if self.trouble is None:
                pause = self._options.sync_s
            else:
                pause = min(2 * pause, self._options.longest_pause_s)
                self._stirred.set()

    def close(self) -> None:
        """Write and flush what was appended, and let go of the journal. Blocks; idempotent."""
        if self.closed:
            return
        self.closed = True
        self.write()
        self._thread.shutdown()
        try:
            self._flush_last()
        except OSError as error:
            detail = {"bytes": self._tail.unsynced, "error": str(error)}
            _log.critical("store.journal.unwritten", extra=detail)
        if self._file is not None:
            self._let_go(self._file)
            self._file = None
        self._home.lock.release()

    async def _keep(self) -> None:
        try:
            if self._file is not None and self._tail.synced < self._tail.taken:
                await self._sync(self._file)
            if self._file is None or self._size >= self._options.segment_bytes:
                await self._renew()
        except OSError as error:
            self._break(error)

    @property
    def _size(self) -> int:
        return self._tail.taken - self._base

    async def _sync(self, file: int) -> None:
        if self._file != file:
            return
        offset = self._tail.taken
        await self._apart(lambda: self._disk.sync(file))
        if self._file == file:  # else a write failed meanwhile, and the file is worth nothing
            self._synced(offset)

    def _synced(self, offset: int) -> None:
        self._tail.sync(offset)
        if self.trouble is not None:
            self.trouble = None
            _log.warning("store.journal.sound", extra={"segment": self._number})

    async def _renew(self) -> None:
        """Go on in a new segment, which begins with what may not be on disk in the old one."""
        header = self._next()
        opened = self._thread.submit(self._disk.add_segment, self.path, header)
        try:
            file = await asyncio.wrap_future(opened)
        except asyncio.CancelledError:
            opened.add_done_callback(self._abandon)
            raise
        self._change_to(file, header)
        await self._sync(file)

    def _next(self) -> Header:
        if self._deleted is not None:
            raise self._deleted
        self._number += 1
        first = self._home.first
        return Header(first.incarnation, first.node, self._number, self._tail.synced)

    def _change_to(self, file: int, header: Header) -> None:
        old, self._file, self._base = self._file, file, header.base
        if old is not None:
            self._thread.submit(self._let_go, old)
        self._write(file, self._tail.again())

    def _write(self, file: int, data: bytes) -> None:
        try:
            self._disk.write(file, data)
        except OSError as error:
            self._break(error)

    def _break(self, error: OSError) -> None:
        self._stirred.set()
        if self.trouble is None:
            _log.error("store.journal.broken", extra={"error": str(error)})
        if isinstance(error, Deleted):
            self._deleted = error
        self.trouble = error.strerror or str(error)
        file, self._file = self._file, None
        if file is not None:
            # In the thread, after a flush that may be under way: the number of a closed
            # file is given to the next that is opened.
            self._thread.submit(self._let_go, file)

    def _let_go(self, file: int) -> None:
        with suppress(OSError):
            self._disk.close(file)

    def _abandon(self, opened: Future[int]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            self._let_go(opened.result())

    def _flush_last(self) -> None:
        if self._file is None:
            header = self._next()
            self._file = self._disk.add_segment(self.path, header)
            self._disk.write(self._file, self._tail.again())
        self._disk.sync(self._file)
        self._synced(self._tail.taken)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))
