"""The `dragoman` command as tests run it: within this process, or as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from typer.testing import CliRunner

from dragoman.catalog import shipped
from dragoman.catalog.hosts import GENERAL_VARIABLES
from dragoman.cli.main import command_line
from dragoman.config import DATABASE_URL, REDIS_URL

DRAGOMAN = Path(sys.executable).with_name("dragoman")
OF_THE_TESTS = {"DRAGOMAN_REQUIRE_ALL", "DRAGOMAN_TEST_DATABASE_URL"}
LAST_LINE = ("Or talk to it", "Make a key")


class Ran(Struct, frozen=True):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str, stdin: str | None = None) -> Ran:
    """Run a command in this process. What it does not know how to say, it raises."""
    result = CliRunner().invoke(command_line(), list(arguments), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def execute(*arguments: str, **environ: str) -> Ran:
    """Run the installed command as a process."""
    done = subprocess.run(
        [DRAGOMAN, *arguments],
        env=clean_environ() | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def execute_bytes(*arguments: str, **environ: str) -> bytes:
    """Run the installed command as a process in this environment; return its stdout as it came."""
    return subprocess.run(
        [DRAGOMAN, *arguments],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    ).stdout


def clean_environ(*, keep_all: bool = False) -> dict[str, str]:
    """Return the environment without what would configure a gateway."""
    keys = {name for provider in shipped.load().providers.values() for name in provider.keys}
    ours = {n for n in os.environ if n.startswith(("DRAGOMAN_", "XDG_"))} - OF_THE_TESTS
    unwanted = set() if keep_all else keys | ours | {DATABASE_URL, REDIS_URL, *GENERAL_VARIABLES}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


class Running:
    """A server in a process of its own, and what it printed once it listened."""

    def __init__(self, process: "subprocess.Popen[str]", data: Path, printed: str) -> None:
        self.data = data
        self.printed = printed
        self.complaints = ""
        self._process = process
        self.url = next(w for w in printed.split() if w.startswith("http://"))
        self.key = next((w for w in printed.split() if w.startswith("sk-")), "")

    @property
    def base(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Wait until the server has ended by itself; return how."""
        _, self.complaints = self._process.communicate(timeout=60)
        return self._process.returncode

    def send(self, signal_: signal.Signals) -> None:
        """Send a signal, and go on."""
        self._process.send_signal(signal_)

    def complaint(self) -> str:
        """Wait for a line on stderr and return it."""
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop the server and return how it ended. `complaints` is what stood on stderr."""
        self._process.send_signal(by)
        _, self.complaints = self._process.communicate(timeout=30)
        return self._process.returncode


def start(data: Path, *arguments: str) -> Running:
    """Start a server on a free port and read what it prints."""
    process = subprocess.Popen(
        [DRAGOMAN, "serve", "--port", "0", "--data", str(data), *arguments],
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = list(_greeting(process))
    if not lines or not lines[-1].startswith(LAST_LINE):
        process.kill()
        raise AssertionError(process.communicate())
    return Running(process, data, "".join(lines))


def _greeting(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if line.startswith(LAST_LINE):
            return
