"""The key-encryption keys: outside the database, in a file for its owner alone.

A line of the file is a key in hex, and the last one is in force. There are several only
during a rotation: what is in the database names its key by an id, and is wrapped anew
before the old one is dropped. The file is read again when an id is asked for that it did
not have, so a running server finds a key that a command has added.
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from dragoman.store.cipher import KEY_BYTES
from dragoman.store.custody import OTHERS, CustodyError

ID_LENGTH = 16


class Kek:
    """A key that encrypts keys. It cannot be printed; its `id` may be."""

    __slots__ = ("id", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = hmac.digest(secret, b"dragoman:kek", hashlib.sha256).hex()[:ID_LENGTH]

    def __repr__(self) -> str:
        return f"Kek({self.id})"


class Wrapped(Struct, frozen=True):
    """A data key under a key-encryption key, which it names by its id."""

    kek: str
    sealed: str


class KekFile:
    """The file, which is made with the first key that is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Kek] = {}

    def newest(self) -> Kek:
        """Return the key in force, first making one if there is none. Blocks."""
        if not self.path.exists():
            self._create(secrets.token_bytes(KEY_BYTES))
        return self._read()[-1]

    def find(self, id_: str) -> Kek | None:
        """Return a key, None if the file does not have it. Blocks if it is not known yet.

        Raises CustodyError when others may read the file, or when it holds something else.
        """
        if id_ not in self._known and self.path.exists():
            self._read()
        return self._known.get(id_)

    def add(self) -> Kek:
        """Put a new key in force, beside those that there are. Blocks."""
        before = self._read() if self.path.exists() else []
        made = Kek(secrets.token_bytes(KEY_BYTES))
        self._write([*before, made])
        return made

    def keep(self, kek: Kek) -> None:
        """Drop every key but this one. Blocks."""
        self._write([kek])
        self._known = {kek.id: kek}

    def text(self) -> str:
        """Return the file as it is, for a backup. Blocks. Raises CustodyError as `find` does."""
        return _text(self._read())

    def replace(self, text: str) -> None:
        """Put other keys in place; what was there is kept beside, under the name `.old`. Blocks.

        Raises CustodyError when `text` holds no keys.
        """
        keks = self._parsed(text)
        if self.path.exists() and self.path.read_text("ascii", "replace") != text:
            self.path.replace(self.path.with_name(f"{self.path.name}.old"))
        self._write(keks)
        self._known = {kek.id: kek for kek in keks}

    def _read(self) -> list[Kek]:
        mode = self.path.stat().st_mode
        if mode & OTHERS:
            raise CustodyError(
                f"{self.path} can be read by others (mode {stat.S_IMODE(mode):04o}). "
                f"Run: chmod 600 {self.path}"
            )
        keks = self._parsed(self.path.read_text("ascii", "replace"))
        self._known = {kek.id: kek for kek in keks}
        return keks

    def _parsed(self, text: str) -> list[Kek]:
        try:
            found = [bytes.fromhex(line) for line in text.split()]
        except ValueError:
            found = []
        if not found or any(len(each) != KEY_BYTES for each in found):
            raise CustodyError(
                f"{self.path} does not hold keys of {KEY_BYTES} bytes in hex. Restore it from a "
                "backup: without it the providers' credentials of accounts cannot be read."
            )
        return [Kek(each) for each in found]

    def _create(self, secret: bytes) -> None:
        draft = self._draft([Kek(secret)])
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return  # another process was first; its key is the key
        finally:
            draft.unlink()

    def _write(self, keks: Sequence[Kek]) -> None:
        self._draft(keks).replace(self.path)

    def _draft(self, keks: Sequence[Kek]) -> Path:
        """Write the keys to a file of another name, and see that they are on disk."""
        draft = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_text(keks))
            file.flush()
            os.fsync(file.fileno())
        return draft


def _text(keks: Sequence[Kek]) -> str:
    return "".join(f"{kek.secret.hex()}\n" for kek in keks)
