"""What `dragoman serve` leaves to the process it becomes when there are to be several workers.

A command has loaded what only commands need. So it hands over its settings in memory that
has no name (memfd_create(2)), since they hold credentials, and starts the interpreter anew.
"""

import os
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Never

import msgspec
from msgspec import Struct

from dragoman.config import Options, Settings

MODULE: Final = "dragoman.cli.node"
STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class Orders(Struct, frozen=True, kw_only=True):
    """Settings, the descriptors of the workers' sockets, and how the command was called."""

    options: Options
    file: str | None
    data: str
    environ: dict[str, str]
    listeners: tuple[int, ...]
    called: str

    def settings(self) -> Settings:
        """Return the settings."""
        file = None if self.file is None else Path(self.file)
        return Settings(options=self.options, file=file, data=Path(self.data), environ=self.environ)


def become(chosen: Settings, listeners: Iterable[socket.socket]) -> Never:
    """Replace this process by the supervisor of a node, with a socket for each worker."""
    descriptors = [each.detach() for each in listeners]
    for each in descriptors:
        os.set_inheritable(each, True)
    orders = Orders(
        options=chosen.options,
        file=None if chosen.file is None else str(chosen.file),
        data=str(chosen.data),
        environ=chosen.environ,
        listeners=tuple(descriptors),
        called=sys.argv[0],
    )
    paper = os.memfd_create("dragoman-orders", 0)
    _write(paper, msgspec.msgpack.encode(orders))
    os.lseek(paper, 0, os.SEEK_SET)
    sys.stdout.flush()
    # They wait for the supervisor: the interpreter that begins would end with a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    os.execv(sys.executable, [sys.executable, "-P", "-m", MODULE, str(paper)])  # noqa: S606


def received(paper: int) -> Orders:
    """Return what was handed over."""
    with os.fdopen(paper, "rb") as file:
        return msgspec.msgpack.decode(file.read(), type=Orders)


def _write(paper: int, data: bytes) -> None:
    while data:
        data = data[os.write(paper, data) :]
