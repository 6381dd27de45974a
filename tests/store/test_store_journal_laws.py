"""A machine that crashes a journal and its applier at every step, and counts what arrives.

Whatever happens, each journal's records arrive in order, each once. What was
acknowledged as written survives the death of the process; what was synced
survives a loss of power. A full disk, a dying disk, torn tails, a destination
that fails before or after its commit are part of the game.
"""

import asyncio
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from dragoman.core.errors import Unavailable
from dragoman.store.journal import folder, frames
from dragoman.store.journal.applier import Applier, ApplierOptions
from dragoman.store.journal.writer import Journal, JournalOptions
from tests.store.journal_books import Books
from tests.store.journal_disk import FailingDisk

SMALL = JournalOptions(segment_bytes=150, feed_bytes=120)
EAGER = ApplierOptions(batch_records=3, adoption_s=0.0)


class Crashes(RuleBasedStateMachine):
    """One process after another, writing and applying in one folder."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        for name in ("fsync", "fdatasync"):  # nothing is lost here that the machine does not cut
            self.patch.setattr(os, name, lambda _: None)
        self.books = Books()
        self.disk = FailingDisk()
        self.appended: dict[str, list[bytes]] = {}
        self.surviving: dict[str, int] = {}  # how many records must arrive in the end
        self.count = 0

    @initialize()
    def start(self) -> None:
        """Begin a new process, on a disk that works."""
        self.disk = FailingDisk()
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.journal = Journal(folder.create(self.root, "node-1"), SMALL, self.disk.calls)
        own = self.journal
        self.applier = Applier(self.root, "node-1", self.books, own=own, options=EAGER)
        self.appended[own.incarnation] = []
        self.steps = self.written = 0
        self.synced: list[int] = []  # the offset behind each record

    @rule(count=st.integers(1, 5), size=st.integers(0, 60), flushed=st.booleans())
    def append(self, count: int, size: int, flushed: bool) -> None:  # noqa: FBT001
        self.steps += 1
        self.runner.run(self._append(count, size))
        if flushed:
            self.runner.run(self.journal._keep())

    async def _append(self, count: int, size: int) -> None:
        for _ in range(count):
            self.count += 1
            body = b"%d." % self.count + bytes(size)
            self.synced.append(self.journal.append(body))
            self.appended[self.journal.incarnation].append(body)
        try:
            await self.journal.written()
        except Unavailable:
            return
        self.written = len(self.synced)

    @rule(count=st.integers(1, 5))
    def append_during_a_flush(self, count: int) -> None:
        self.steps += 1
        self.runner.run(self._append_during_a_flush(count))

    async def _append_during_a_flush(self, count: int) -> None:
        flush = asyncio.create_task(self.journal._keep())
        await asyncio.sleep(0)
        await self._append(count, 20)
        await flush

    @rule(state=st.sampled_from(["well", "well", "full", "dying"]))
    def change_the_disk(self, state: str) -> None:
        self.disk.full, self.disk.dying = state == "full", state == "dying"

    @rule(troubles=st.lists(st.sampled_from(["asked", "before", "after", "end"]), max_size=2))
    def apply(self, troubles: list[str]) -> None:
        self.books.troubles = troubles
        with suppress(Unavailable):
            self.runner.run(self.applier.catch_up())
        self.books.troubles = []

    @precondition(lambda self: self.steps > 5)
    @rule(garbage=st.binary(max_size=40))
    def die(self, garbage: bytes) -> None:
        """End the process as kill -9 does; what the kernel has, it keeps."""
        self._note_survivors(self.written)
        self._vanish()
        newest = max(self.journal.path.glob("*.journal"))
        with newest.open("ab") as file:
            file.write(garbage)
        self.start()

    @precondition(lambda self: self.steps > 5)
    @rule(share=st.floats(0, 1))
    def lose_power(self, share: float) -> None:
        """End the process and lose part of what no flush has confirmed."""
        self._note_survivors(sum(offset <= self.journal.synced for offset in self.synced))
        self._vanish()
        files = sorted(self.journal.path.glob("*.journal"))
        headers = [frames.decode_header(file.read_bytes()) for file in files]
        safe = [*(header.base for header, _ in headers[1:]), self.journal.synced]
        for file, (header, begins), offset in zip(files, headers, safe, strict=True):
            size = file.stat().st_size
            kept = min(size, begins + offset - header.base)
            os.truncate(file, kept + int(share * (size - kept)))
        self.start()

    @precondition(lambda self: self.steps > 5)
    @rule()
    def stop(self) -> None:
        """End the process in an orderly way."""
        self.journal.close()
        healthy = not (self.disk.full or self.disk.dying)
        self._note_survivors(len(self.synced) if healthy else self.written)
        self.applier.close()
        self.start()

    def _note_survivors(self, count: int) -> None:
        self.surviving[self.journal.incarnation] = count

    def _vanish(self) -> None:
        self.journal._thread.shutdown()
        if self.journal._file is not None:
            os.close(self.journal._file)
        self.journal._home.lock.release()
        self.journal.closed = True
        self.applier.close()

    @invariant()
    def what_arrived_is_what_was_appended_in_order_and_once(self) -> None:
        for name, arrived in self.books.applied_of.items():
            assert arrived == self.appended[name][: len(arrived)]

    def teardown(self) -> None:
        try:
            if self.appended:
                self.stop()
                self.runner.run(self.applier.catch_up())
                assert not self.applier.refused
                for name, count in self.surviving.items():
                    assert len(self.books.applied_of[name]) >= count
                    assert name in self.books.endings
                self.journal.close()
                self.applier.close()
        finally:
            self.patch.undo()
            self.runner.close()
            shutil.rmtree(self.root)


Crashes.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestCrashes = Crashes.TestCase
