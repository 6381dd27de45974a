"""Named texts in one file, with proof that each came back as it went in.

The file is a tar archive, so that it can be opened without us. Its last member, SHA256SUMS,
has the hash of every other as `sha256sum --check` reads it. A bundle is written under another
name and gets its own once it is whole and on disk; it can be read by its owner alone.
"""

import errno
import hashlib
import io
import os
import secrets
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

SUMS = "SHA256SUMS"
PACKED = ".gz"
LEVEL = 1
"""Of gzip. Rows shrink sixfold at the least effort, and little more at the greatest."""
PIECE = 1 << 20
UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What the system says where a file cannot be written to its end, and never of a connection."""


class Damaged(Exception):
    """A file is no bundle, or not the one that was written."""


class BundleWriter:
    """Takes texts under their names."""

    def __init__(self, archive: tarfile.TarFile, room: Path) -> None:
        self._archive = archive
        self._room = room
        self._sums: list[str] = []

    def add(self, name: str, content: bytes) -> None:
        """Add a text."""
        self._store(name, io.BytesIO(content), len(content), hashlib.sha256(content).hexdigest())

    def add_lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Add what may be larger than memory, compressed; its name gets the suffix of gzip."""
        with TemporaryFile(dir=self._room) as file:
            with GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as packed:
                for line in lines:
                    packed.write(line)
            size = file.tell()
            file.seek(0)
            sum_ = _sum(file)
            file.seek(0)
            self._store(f"{name}{PACKED}", file, size, sum_)

    def seal(self) -> None:
        """Add the sums, after which nothing is added."""
        content = "".join(self._sums).encode()
        self._store(SUMS, io.BytesIO(content), len(content), "")

    def _store(self, name: str, content: IO[bytes], size: int, sum_: str) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(time.time())
        self._archive.addfile(member, content)
        self._sums.append(f"{sum_}  {name}\n")


class Bundle:
    """A bundle whose every text was found to be as it was written."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.names = tuple(archive.getnames())

    def text(self, name: str) -> bytes:
        """Return a text. Raises Damaged when there is none of this name."""
        return self._open(name).read()

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of what `add_lines` took. Raises Damaged."""
        with GzipFile(fileobj=self._open(f"{name}{PACKED}")) as unpacked:
            try:
                yield from unpacked
            except (OSError, EOFError, zlib.error) as error:
                raise Damaged(f"{name} cannot be unpacked: {error}") from error

    def check(self) -> None:
        """Read everything once. Raises Damaged unless each text has the sum it should have."""
        listed = [line.partition("  ") for line in self.text(SUMS).decode().splitlines()]
        sums = {name: sum_ for sum_, _, name in listed}
        if {*sums, SUMS} != {*self.names} or len(self.names) != len(sums) + 1:
            raise Damaged("it does not hold what its list of sums names")
        for name, sum_ in sums.items():
            if _sum(self._open(name)) != sum_:
                raise Damaged(f"{name} is not as it was written")

    def _open(self, name: str) -> IO[bytes]:
        found = self._archive.extractfile(name) if name in self.names else None
        if found is None:
            raise Damaged(f"it holds no {name}")
        return found


def _sum(content: IO[bytes]) -> str:
    sum_ = hashlib.sha256()
    while piece := content.read(PIECE):
        sum_.update(piece)
    return sum_.hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[BundleWriter]:
    """Make a bundle of what is added within. Nothing is left of it when that raises.

    Raises OSError, FileExistsError among them: no file is ever replaced.
    """
    if path.exists():
        raise FileExistsError(17, "there is such a file already", str(path))
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError as error:  # told of the file that was named
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                writer = BundleWriter(archive, path.parent)
                yield writer
                writer.seal()
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()


@contextmanager
def reading(path: Path) -> Iterator[Bundle]:
    """Open a bundle and check it. Raises Damaged, and OSError when it cannot be read."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            bundle = Bundle(archive)
            bundle.check()
            yield bundle
    except (tarfile.TarError, UnicodeDecodeError, EOFError) as error:
        raise Damaged(f"{path} is damaged, or no backup: {error}") from error
    except Damaged as error:
        raise Damaged(f"{path} is damaged: {error}") from error
