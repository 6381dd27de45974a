"""Journals on disk: a directory for each incarnation, its segments, and a lock on it.

    journal/<incarnation>/lock               held by the writer, or by who applies after it
    journal/<incarnation>/00000001.journal   segments, numbered in order

A directory gets its name when its lock is held and its first segment is on
disk, and a segment when its header is: a crash leaves nothing half made but
drafts, whose names begin with a dot. Everything here blocks.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from dragoman.store.custody import keep_directory
from dragoman.store.journal import frames
from dragoman.store.journal.frames import Header, JournalRefused, Record

FIRST = 1
READ_BYTES = 2 * frames.MOST_PAYLOAD_BYTES
LOCK = "lock"

_HOME = re.compile(r"[0-9a-f]{32}")
_SEGMENT = re.compile(r"([0-9]{8})\.journal")


class Deleted(OSError):
    """A segment is in no directory any more: nobody will ever read what is in it."""


class Ending(StrEnum):
    """How a journal ends where no whole record follows."""

    CLEAN = "clean"
    TORN = "torn"
    """With part of a record, or garbage: what a crash leaves."""
    DAMAGED = "damaged"
    """Before more whole records, which are out of reach."""


class Reading(Struct, frozen=True):
    """Records that follow an offset; or none, and how the journal ends there."""

    records: tuple[Record, ...] = ()
    ending: Ending | None = None
    detail: str = ""


class Lock:
    """The right to write or apply a journal, until it is released or the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have it. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _Segment(Struct, frozen=True):
    path: Path
    header: Header
    begins: int
    """Where its first record is, in bytes from the start of the file."""
    size: int

    @property
    def end(self) -> int:
        """The offset at which the file ends, whole records or not."""
        return self.header.base + self.size - self.begins


class Home(Struct, frozen=True):
    """A new journal's directory, and what its writer holds of it."""

    path: Path
    first: Header
    lock: Lock
    descriptor: int
    """The first segment, open to append."""


def create(root: Path, node: str) -> Home:
    """Make a journal that is locked from the first moment anybody can find it."""
    keep_directory(root)
    first = Header(secrets.token_hex(16), node, FIRST, 0)
    draft, path = root / f".{first.incarnation}", root / first.incarnation
    draft.mkdir(mode=0o700)
    lock = take_lock(draft)
    assert lock is not None, "nobody else knows the name"
    try:
        descriptor = add_segment(draft, first)
    except OSError:
        lock.release()
        shutil.rmtree(draft, ignore_errors=True)
        raise
    draft.rename(path)
    _sync_directory(root)
    _sync_directory(root.parent)
    return Home(path, first, lock, descriptor)


def take_lock(path: Path) -> Lock | None:
    """Return the lock of a journal, None while its writer or another applier has it."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Lock(descriptor)


def add_segment(path: Path, header: Header) -> int:
    """Create a segment whose header is on disk, and return it open to append."""
    name = f"{header.number:08}.journal"
    draft = path / f".{name}"
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND
    descriptor = os.open(draft, flags, 0o600)
    try:
        write_all(descriptor, frames.encode_header(header))
        os.fsync(descriptor)
        draft.rename(path / name)
        _sync_directory(path)
    except OSError:
        os.close(descriptor)
        with suppress(OSError):
            draft.unlink()
        raise
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data` to its end; OSError when it does not fit, part of it having been written."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


def sync(descriptor: int) -> None:
    """Have on disk what was written to a segment. Raises OSError, Deleted too."""
    os.fdatasync(descriptor)
    if not os.fstat(descriptor).st_nlink:
        raise Deleted(errno.ENOENT, "It was deleted while it was written: restart the node")


def find(root: Path) -> Iterator[Path]:
    """Yield the directory of every journal, in no order."""
    with suppress(FileNotFoundError), os.scandir(root) as entries:
        yield from (Path(each.path) for each in entries if _HOME.fullmatch(each.name))


def header_of(path: Path) -> Header:
    """Return the header of a journal's oldest segment; JournalRefused if it is not what it says."""
    return _segments(path)[0].header


def read(path: Path, offset: int) -> Reading:
    """Return records that follow `offset`: some, if there are any, and never all of a long file.

    Of segments that overlap, each record is read wherever it is whole. Raises
    JournalRefused when a segment is not what it should be, and OSError.
    """
    broken: list[_Segment] = []
    for segment in _segments(path):
        if segment.header.base > offset:
            return _gap(segment, offset)
        if segment.end <= offset:
            continue
        records = _records(segment, offset)
        if records:
            return Reading(records)
        broken.append(segment)
    for segment in broken:
        if (later := _after(segment, offset)) is not None:
            detail = f"{segment.path.name}: nothing can be read from {offset} to {later}."
            return Reading((), Ending.DAMAGED, detail)
    if broken:
        lost = max(segment.end for segment in broken) - offset
        return Reading((), Ending.TORN, f"{lost} bytes after {offset} are no whole record.")
    return Reading((), Ending.CLEAN)


def end(path: Path) -> int:
    """Return how far a journal reaches, with what is written of its last record. Raises OSError.

    Raises JournalRefused when a segment is not what it should be.
    """
    return max((segment.end for segment in _segments(path)), default=0)


def prune(path: Path, applied: int, before: float) -> None:
    """Delete segments of which all was applied, unless changed since `before` (Unix time).

    The newest stays: its end tells where the journal ends.
    """
    segments = _segments(path)
    for segment, following in pairwise(segments):
        old = segment.path.stat().st_mtime < before
        if not old or max(segment.end, following.header.base) > applied:
            return  # what is older than a segment that stays, stays: a journal has no holes
        segment.path.unlink()


def remove(path: Path, before: float) -> bool:
    """Delete a journal that was applied to its end, unless changed since `before`."""
    if any(entry.stat().st_mtime >= before for entry in path.glob("*.journal")):
        return False
    shutil.rmtree(path)
    return True


def sweep(root: Path, before: float) -> None:
    """Delete drafts of journals that were given up, unless changed since `before`."""
    for draft in root.glob(".*"):
        if _HOME.fullmatch(draft.name[1:]) and draft.stat().st_mtime < before:
            shutil.rmtree(draft, ignore_errors=True)


def _segments(path: Path) -> list[_Segment]:
    with os.scandir(path) as entries:
        names = sorted(each.name for each in entries if _SEGMENT.fullmatch(each.name))
    if not names:
        raise JournalRefused(f"{path} has no segment. Restore it from a copy, or delete it.")
    return [_segment(path / name, path.name) for name in names]


def _segment(path: Path, incarnation: str) -> _Segment:
    with path.open("rb", buffering=0) as file:
        data, size = file.read(frames.HEADER_BYTES_MOST), os.fstat(file.fileno()).st_size
    try:
        header, begins = frames.decode_header(data)
    except JournalRefused as refused:
        raise JournalRefused(f"{path}: {refused}") from refused
    if header.incarnation != incarnation:
        raise JournalRefused(
            f"{path} belongs to journal {header.incarnation}, which is applied where it is. "
            "Delete this copy, or move the file there."
        )
    if path.name != f"{header.number:08}.journal":
        raise JournalRefused(
            f"{path} is segment {header.number} under another name. Delete this copy."
        )
    return _Segment(path, header, begins, size)


def _records(segment: _Segment, offset: int) -> tuple[Record, ...]:
    data = _bytes(segment, offset, READ_BYTES)
    return frames.scan(data, frames.salt_of(segment.header.incarnation), offset)


def _after(segment: _Segment, offset: int) -> int | None:
    data = _bytes(segment, offset, segment.size)
    return frames.next_record(data, frames.salt_of(segment.header.incarnation), offset)


def _bytes(segment: _Segment, offset: int, most: int) -> bytes:
    with segment.path.open("rb", buffering=0) as file:
        return os.pread(file.fileno(), most, segment.begins + offset - segment.header.base)


def _gap(segment: _Segment, offset: int) -> Reading:
    begins = segment.header.base
    detail = f"{segment.path.name} begins at {begins}, and nothing from {offset} to there is left."
    return Reading((), Ending.DAMAGED, detail)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
