"""The parent of a node's processes: starts them, starts them again, and stops them in order.

It does nothing else, so that there is little that could end it: no event loop, no thread, no
database. Its children are forks of it, which share the memory of what it imported. When it
is killed, they see its end of a pipe close, and stop as if they had been told to.
"""

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

SIGNALS: Final = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
TICK_S: Final = 0.5
QUICKLY_S: Final = 10.0
"""A process that ends sooner than this is started again later each time."""
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MOST_S: Final = 1.0
"""Not for long: connections wait for a worker that is to come back."""
DEFECT: Final = 70
"""The exit code of a child that broke (sysexits.h, EX_SOFTWARE)."""

_log = logging.getLogger(__name__)


class Role(Struct, frozen=True):
    """A process of the node. `work` returns its exit code. Those `last` to stop serve the others.

    Each is stopped within `patience_s`, and killed after that.
    """

    name: str
    work: Callable[[], int]
    patience_s: float
    last: bool = False


class _Place:
    """A role, the process that fills it, and when it is filled again."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.pid: int | None = None
        self.started = 0.0
        self.due = 0.0
        self.failures = 0


class Pipes(Struct, frozen=True):
    """Descriptors: what closes when the supervisor ends, and what says that the node is up."""

    alive: int
    alive_kept: int
    up: int
    up_told: int


def pipes() -> Pipes:
    """Return new pipes."""
    alive, alive_kept = os.pipe()
    up, up_told = os.pipe()
    os.set_blocking(up, False)
    return Pipes(alive, alive_kept, up, up_told)


class Supervisor:
    """Runs the roles until a signal. `on_stop` is called as soon as nobody new is let in."""

    def __init__(self, roles: Sequence[Role], pipes: Pipes, on_stop: Callable[[], None]) -> None:
        self._places = [_Place(role) for role in roles]
        self._pipes = pipes
        self._on_stop = on_stop
        self._heeded = SIGNALS
        self._mask: set[int] = set()
        self._stops = 0
        self.is_up = False
        """Whether the node has come up, once."""
        self._code = 0

    def run(self) -> int:
        """Run the node; return its exit code: 0, or that of a process that could not start."""
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
            self._heeded = SIGNALS - {signal.SIGHUP}
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._heeded)) - SIGNALS
        while not self._stops:
            self._fill()
            self._wait(self._pause_s())
        self._on_stop()
        self._stop([place for place in self._places if not place.role.last])
        self._stop(self._places)
        return self._code

    def _pause_s(self) -> float:
        now = time.monotonic()
        waits = [place.due - now for place in self._places if place.pid is None]
        return max(0.0, min([TICK_S, *waits]))

    def _fill(self) -> None:
        """Start whatever is not running and due."""
        now = time.monotonic()
        for place in self._places:
            if place.pid is None and place.due <= now:
                place.started = now
                place.pid = self._begin(place.role)

    def _wait(self, seconds: float) -> None:
        """Wait for a signal, and take note of what happened."""
        heard = signal.sigtimedwait(self._heeded, seconds)
        if heard is not None and heard.si_signo != signal.SIGCHLD:
            self._stops += 1
        if not self.is_up:
            with suppress(BlockingIOError):
                self.is_up = bool(os.read(self._pipes.up, 1))
        for place in self._places:
            if place.pid is not None:
                self._look_at(place, place.pid)

    def _look_at(self, place: _Place, pid: int) -> None:
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            return
        place.pid = None
        code = os.waitstatus_to_exitcode(status)
        if self._stops:
            return
        if not self.is_up:  # what cannot start now will not start by itself
            self._code = code if code > 0 else 1
            self._stops = 1
            return
        now = time.monotonic()
        quick = now - place.started < QUICKLY_S
        place.failures = place.failures + 1 if quick else 1
        wait_s = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(place.failures - 1, 10))
        place.due = now + wait_s
        _log.warning(
            "node.restarting process=%s pid=%d ended=%d in_s=%.1f",
            place.role.name, pid, code, wait_s,
        )  # fmt: skip

    def _stop(self, places: Sequence[_Place]) -> None:
        """Have processes stop; another signal hurries them, and who does not is killed."""
        self._send(places, signal.SIGTERM)
        end = time.monotonic() + max(place.role.patience_s for place in places)
        hurried = self._stops
        while any(place.pid is not None for place in places):
            self._wait(TICK_S)
            if self._stops > hurried:
                hurried = self._stops
                self._send(places, signal.SIGTERM)
            if time.monotonic() >= end:
                self._send(places, signal.SIGKILL)

    @staticmethod
    def _send(places: Sequence[_Place], what: signal.Signals) -> None:
        for place in places:
            if place.pid is not None:
                os.kill(place.pid, what)

    def _begin(self, role: Role) -> int:
        """Fork, and do the role's work in the child."""
        pid = os.fork()
        if pid:
            return pid
        code = DEFECT
        try:
            # A group of its own: Ctrl-C is for the supervisor, which stops all in their order.
            os.setpgid(0, 0)
            os.close(self._pipes.alive_kept)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            code = role.work()
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
