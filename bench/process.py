"""Processes under measurement: started, waited for, their CPU time and memory read, ended."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PATIENCE_S: Final = 15.0


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    return sum(_ticks(stats[one]) for one in _family(pid, stats)) / TICKS_PER_S


def peak_memory_mb(pid: int) -> float:
    """Return the most memory a process and its children have held, in MB (proc(5), VmHWM)."""
    return sum(_peak_kb(one) for one in _family(pid, dict(_stats()))) / 1000


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each process's stat from the third on; a name may hold blanks."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        yield int(path.parent.name), text.rpartition(")")[2].split()


def _ticks(stat: list[str]) -> int:
    return int(stat[11]) + int(stat[12])


def _family(pid: int, stats: Mapping[int, list[str]]) -> set[int]:
    family = {pid}
    while more := {one for one, stat in stats.items() if int(stat[1]) in family} - family:
        family |= more
    return family


def _peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
