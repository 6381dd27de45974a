"""What hosts told of their models, in a file: by which the keeper hands it to its workers.

The file is replaced whole, so a reader never sees half of one. A node that starts begins
without it; a keeper that is started again begins with what it knew.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dragoman.catalog.types import Model

Mark = tuple[int, int, int]
"""Inode, time of change and size: another whenever the file was replaced."""

_decode = msgspec.msgpack.Decoder(tuple[Model, ...]).decode
_encode = msgspec.msgpack.Encoder().encode


class FoundFile:
    """The file. All methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> Mark | None:
        """Return what changes with the file, None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> tuple[Model, ...]:
        """Return the models, none while nobody has written any. Raises OSError."""
        try:
            return _decode(self._path.read_bytes())
        except FileNotFoundError:
            return ()

    def write(self, models: Iterable[Model]) -> None:
        """Replace the models. Raises OSError."""
        draft = self._path.with_name(f".{self._path.name}-{secrets.token_hex(8)}")
        try:
            draft.write_bytes(_encode(tuple(models)))
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)
