"""Processes under measurement: started, waited for, their CPU time and memory read, ended."""

import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PATIENCE_S: Final = 60.0
QUIET_S: Final = 0.2
SAMPLE_S: Final = 0.5
MANY_FILES: Final = 65_536


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def allow_many_files() -> int:
    """Take the open files that this process and its children want, and return how many.

    That is what the system lets anybody have, and `MANY_FILES` where we may ask for more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY_FILES:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
            return MANY_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run a command while the block lasts, its output in a file, and give its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, log: Path) -> None:
    """Wait until somebody listens on a port. Raises SystemExit with the log when nobody does."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise SystemExit(f"nobody listens on port {port}:\n{log.read_text()}")


def cpu_s(pid: int) -> float:
    """Return the user and system time that a process and its children have used, in seconds.

    Source: proc(5), fields 14 and 15 of /proc/pid/stat; field 4 is the parent.
    """
    stats = dict(_stats())
    return sum(ticks(stats[one]) for one in _family(pid, stats)) / TICKS_PER_S


def settled_cpu_s(pid: int, patience_s: float) -> float:
    """Return `cpu_s` once the process is idle, or `patience_s` have passed.

    What a request leaves to the background, such as its record, belongs to its cost.
    """
    end = time.monotonic() + patience_s
    before = cpu_s(pid)
    while time.monotonic() < end:
        time.sleep(QUIET_S)
        now = cpu_s(pid)
        if now - before <= 1 / TICKS_PER_S:
            return now
        before = now
    return before


def descendants(pid: int) -> set[int]:
    """Return a process, its children, and theirs."""
    return _family(pid, dict(_stats()))


def memory_mb(pid: int) -> float:
    """Return the memory a process and its children hold now, in MB (proc(5), VmRSS)."""
    return sum(_status_kb(one, "VmRSS:") for one in _family(pid, dict(_stats()))) / 1000


def peak_memory_mb(pid: int) -> float:
    """Return the most memory a process and its children have held, in MB (proc(5), VmHWM)."""
    return sum(_status_kb(one, "VmHWM:") for one in _family(pid, dict(_stats()))) / 1000


@contextmanager
def sampled(read: Callable[[], float]) -> Iterator[list[float]]:
    """Give a list that has a figure, and gets another each half second while the block lasts."""
    figures, over = [read()], Event()

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            figures.append(read())

    sampler = Thread(target=sample, name="samples")
    sampler.start()
    try:
        yield figures
    finally:
        over.set()
        sampler.join()


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def settled_files(pid: int, few: int, patience_s: float) -> int:
    """Return `open_files` once they are no more than `few`, or `patience_s` have passed."""
    end = time.monotonic() + patience_s
    while (there := open_files(pid)) > few and time.monotonic() < end:
        time.sleep(QUIET_S)
    return there


def fields(stat: str) -> list[str]:
    """Return the fields of a line of /proc/pid/stat from the third on; a name may hold blanks."""
    return stat.rpartition(")")[2].split()


def ticks(stat: list[str]) -> int:
    """Return user and system time, in clock ticks, of what `fields` returned."""
    return int(stat[11]) + int(stat[12])


def _stats() -> Iterator[tuple[int, list[str]]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        yield int(path.parent.name), fields(text)


def _family(pid: int, stats: Mapping[int, list[str]]) -> set[int]:
    family = {pid}
    while more := {one for one, stat in stats.items() if int(stat[1]) in family} - family:
        family |= more
    return family


def _status_kb(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
