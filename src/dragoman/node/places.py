"""Where the processes of a node meet: a folder of the data directory, of one node at a time."""

import fcntl
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from dragoman.store.custody import keep_directory

FOLDER: Final = "run"


class Places(Struct, frozen=True, kw_only=True):
    """The paths. Those in `folder`, the first four, are made anew at each start."""

    folder: Path
    keeper: Path
    """The socket by which workers call the keeper."""
    control: Path
    """The socket of the control plane's HTTP server."""
    found: Path
    """What hosts told of their models."""
    pepper: Path
    kek: Path
    """What accounts' own credentials are sealed with."""
    node: Path
    """The name of the node."""
    journals: Path


def places(data: Path) -> Places:
    """Return where the processes of a node meet."""
    folder = data / FOLDER
    return Places(
        folder=folder,
        keeper=folder / "keeper.sock",
        control=folder / "control.sock",
        found=folder / "found",
        pepper=data / "pepper",
        kek=data / "kek",
        node=data / "node",
        journals=data / "journal",
    )


def occupied(where: Places) -> IO[bytes] | None:
    """Take the folder for as long as the file that is returned is open, in any process.

    None when another node has it. What an earlier one left there is removed.
    """
    lock = _locked(where, fcntl.LOCK_EX)
    if lock is not None:
        for path in (where.keeper, where.control, where.found):
            path.unlink(missing_ok=True)
    return lock


def visited(where: Places) -> IO[bytes] | None:
    """Keep nodes of several processes out for as long as the file that is returned is open.

    None when there is one. It counts requests and limits for all its workers, and a gateway of
    one process beside it would count them once more.
    """
    return _locked(where, fcntl.LOCK_SH)


def _locked(where: Places, how: int) -> IO[bytes] | None:
    keep_directory(where.folder)
    lock = (where.folder / "lock").open("wb")
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
