"""The refreshed catalog on disk: the one in force, the one before, and how the last try went.

In the data directory, under `catalog/`:

    current.json    the catalog in force, with its source and the prices that wait
    previous.json   the one before, which counts when the current one cannot be read
    attempt.json    when a refresh was last tried, and what was wrong with what came

Each file is replaced whole, so a reader never sees half of one, and `lock` keeps
writers of several processes apart. Nothing here fetches, or decides what is sound.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from dragoman.catalog.changes import Hold
from dragoman.store.custody import keep_directory

FOLDER = "catalog"
CURRENT, PREVIOUS, ATTEMPT, LOCK = "current.json", "previous.json", "attempt.json", "lock"

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Mark = tuple[int, int, int]
"""Inode, time of change and size: another whenever a file was replaced."""


class Edition(Struct, frozen=True, kw_only=True):
    """A catalog that was accepted. `catalog` is the text of the file as it came."""

    source: str
    fetched_at: int
    digest: str
    """SHA-256 of the text, in hex."""
    over: str
    """The digest of the shipped catalog that it was compared with."""
    catalog: msgspec.Raw
    etag: str | None = None
    holds: tuple[Hold, ...] = ()


class Attempt(Struct, frozen=True, kw_only=True):
    """How the last try to refresh ended. Without `problems`, well."""

    at: int
    source: str
    problems: tuple[str, ...] = ()


_decode_edition = msgspec.json.Decoder(Edition).decode
_decode_attempt = msgspec.json.Decoder(Attempt).decode


class Archive:
    """The folder. All methods block."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def mark(self) -> Mark | None:
        """Return what changes with the edition in force, None while there is none."""
        try:
            found = (self._folder / CURRENT).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def editions(self) -> Iterator[Edition | str]:
        """Yield the current edition and the one before, or why one cannot be read."""
        for name in (CURRENT, PREVIOUS):
            path = self._folder / name
            try:
                yield _decode_edition(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, *UNREADABLE) as error:
                yield f"{path}: {error}"

    def attempt(self) -> Attempt | None:
        """Return how the last try ended, None if nobody tried or it cannot be told."""
        try:
            return _decode_attempt((self._folder / ATTEMPT).read_bytes())
        except (OSError, *UNREADABLE):
            return None

    def keep(self, edition: Edition) -> None:
        """Put an edition into force; the one that was becomes the one before."""
        current = self._folder / CURRENT
        if current.exists():
            self._write(PREVIOUS, current.read_bytes())
        self._write(CURRENT, msgspec.json.encode(edition))

    def amend(self, edition: Edition) -> None:
        """Replace the edition in force by one of the same text."""
        self._write(CURRENT, msgspec.json.encode(edition))

    def note(self, attempt: Attempt) -> None:
        """Remember how a try ended."""
        self._write(ATTEMPT, msgspec.json.encode(attempt))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out, those of other processes too."""
        keep_directory(self._folder.parent)
        keep_directory(self._folder)
        with (self._folder / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, text: bytes) -> None:
        draft = self._folder / f".{name}-{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / name)
        finally:
            draft.unlink(missing_ok=True)
