"""A disk that fails on command, beneath a journal that does not know."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENOSPC
from pathlib import Path

from dragoman.store.journal import folder
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.frames import Header
from dragoman.store.journal.writer import Disk, Journal, JournalOptions

QUICK = JournalOptions(sync_s=0.001, longest_pause_s=0.004)


class FailingDisk:
    """Works on files, but for what was switched off. A write that fails leaves half of itself."""

    def __init__(self) -> None:
        self.full = False
        self.dying = False
        self.syncs = 0

    def add_segment(self, path: Path, header: Header) -> int:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        return folder.add_segment(path, header)

    def write(self, file: int, data: bytes) -> None:
        if self.full:
            os.write(file, data[: len(data) // 2])
            raise OSError(ENOSPC, "No space left on device")
        folder.write_all(file, data)

    def sync(self, file: int) -> None:
        self.syncs += 1
        if self.dying:
            raise OSError(EIO, "Input/output error")
        os.fdatasync(file)

    @property
    def calls(self) -> Disk:
        return Disk(self.add_segment, self.write, self.sync)


@contextmanager
def opened(
    root: Path, disk: FailingDisk | None = None, options: JournalOptions = QUICK
) -> Iterator[Journal]:
    journal = Journal(folder.create(root, "node-1"), options, disk.calls if disk else None)
    try:
        yield journal
    finally:
        journal.close()


def everything(path: Path, offset: int = 0) -> tuple[list[bytes], Ending | None]:
    """Read a journal to its end."""
    found: list[bytes] = []
    while (reading := folder.read(path, offset)).records:
        found += [record.payload for record in reading.records]
        offset = reading.records[-1].offset
    return found, reading.ending
