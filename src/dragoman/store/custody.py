"""What is kept on disk for its owner alone: the data directory, and the pepper.

The pepper is a secret outside the database. A key's verifier is its HMAC under
the pepper, so that whoever can write to the database still cannot mint a key.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

PEPPER_BYTES = 32
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class CustodyError(Exception):
    """A file that must be secret is not, or is not what it should be. Says what to do."""


class Pepper:
    """Signs text under a secret that cannot be printed."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, text: str) -> str:
        """Return the HMAC-SHA256 of `text` in hex."""
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()

    def __repr__(self) -> str:
        return "Pepper(…)"


def keep_directory(path: Path) -> Path:
    """Create the directory for its owner only, unless it exists, and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def keep_pepper(path: Path) -> Pepper:
    """Read the pepper, first making one if there is none.

    Processes that start together agree on one. Raises CustodyError when others
    may read the file, or when it does not hold a pepper.
    """
    if not path.exists():
        _create(path, secrets.token_hex(PEPPER_BYTES) + "\n")
    return read_pepper(path)


def read_pepper(path: Path) -> Pepper:
    """Read the pepper. Raises CustodyError when there is none, and as `keep_pepper` does.

    Who joins others that have it must not make one: with another, every good key is refused.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        gone = f"{path}: the pepper is gone. Put it back as it was, or from a backup."
        raise CustodyError(gone) from error
    if mode & OTHERS:
        raise CustodyError(
            f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}"
        )
    return Pepper(_read(path))


def keep_node(path: Path) -> str:
    """Return the name that this node's journals bear, first making one up if there is none.

    Raises CustodyError when the file holds none.
    """
    if not path.exists():
        _create(path, secrets.token_hex(8) + "\n")
    name = path.read_text("ascii", "replace").strip()
    if not (name and name.isascii() and name.isprintable()):
        raise CustodyError(
            f"{path} does not hold the name of this node. Put it back as it was: "
            "journals that bear another name are not booked. Without any, delete it."
        )
    return name


def replace_pepper(path: Path, text: str) -> None:
    """Put another pepper in its place; what was there is kept beside it, under the name `.old`.

    Raises CustodyError when `text` is no pepper.
    """
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    _create(draft, text)
    try:
        _read(draft)
        if path.exists() and path.read_bytes() != draft.read_bytes():
            path.replace(path.with_name(f"{path.name}.old"))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        secret = b""
    if len(secret) != PEPPER_BYTES:
        raise CustodyError(
            f"{path} does not hold {PEPPER_BYTES} bytes in hex. Restore it from a backup: "
            "without it no key that was made before can be verified."
        )
    return secret


def _create(path: Path, text: str) -> None:
    # The file gets its name only once it is whole: a process that finds it can read it.
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first; its pepper is the pepper
    finally:
        draft.unlink()
