"""A Redis server for tests: the one that Debian ships, on a socket of its own, gone afterwards."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 20


class RedisServer:
    """A server in a directory of its own, which can be stopped and started again."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._home = Path(tempfile.mkdtemp(prefix="dragoman-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = self._home / "socket"

    @property
    def url(self) -> str:
        """How a client finds it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._home)]
        self._process = subprocess.Popen(
            [self._program, *options, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert time.monotonic() < end, "redis-server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a machine that is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep it from doing anything while the block lasts. What it is sent, it does later."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._home)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(str(self.socket))
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
            except OSError:
                return False
