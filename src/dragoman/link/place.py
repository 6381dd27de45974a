"""Unix sockets by path, for their owner alone, however long the path is.

An address of a Unix socket holds 107 bytes (unix(7), `sun_path`), which data directories exceed.
A directory that is open has a short name as well: `/proc/self/fd/N` (proc(5)).
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LONGEST: Final = 107
BACKLOG: Final = 1024
OWNER_ONLY: Final = 0o600


def listening(path: Path) -> socket.socket:
    """Return a socket that listens at a path of which nobody else makes use. Raises OSError.

    What a process left there that was killed is replaced.
    """
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX)
    try:
        with _address(path) as address:
            found.bind(address)
        path.chmod(OWNER_ONLY)
        found.listen(BACKLOG)
        found.settimeout(0)
    except OSError:
        found.close()
        raise
    return found


def connected(path: Path) -> socket.socket:
    """Return a connection to who listens at a path. Does not block. Raises OSError."""
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(0)
    try:
        with _address(path) as address:
            found.connect(address)
    except OSError:
        found.close()
        raise
    return found


@contextmanager
def _address(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
