"""How much of the memory that it may have the process uses.

What it may have is the least of what the machine has and what the control groups that it is
in allow (Linux, cgroup v1 and v2). What it uses is its resident set: the kernel's count for a
group has the cache of files in it, which nobody runs out of.
"""

import os
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
GROUPS: Final = Path("/sys/fs/cgroup")
LIMITS: Final = {"": "memory.max", "memory": "memory/memory.limit_in_bytes"}
"""By the controllers of a line of /proc/self/cgroup: the file with the limit (cgroups(7))."""


class Memory:
    """Reads the share of its memory that this process uses. Costs some 10 µs."""

    __slots__ = ("_last", "_limit", "_page", "_statm")

    def __init__(self, proc: Path = PROC, groups: Path = GROUPS) -> None:
        self._last = 0.0
        self._limit = limit_bytes(proc, groups)
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._statm = proc / "self/statm"

    def share(self) -> float:
        """Return the share, 0 where the system does not tell; the last one while no file opens."""
        if not self._limit:
            return 0.0
        try:
            pages = int(self._statm.read_bytes().split()[1])
        except OSError:
            return self._last
        self._last = pages * self._page / self._limit
        return self._last


def limit_bytes(proc: Path, groups: Path) -> int:
    """Return how much memory this process may have, 0 where the system does not tell."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        belongs = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return 0
    total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:")) * 1024
    return min([total, *_allowed(belongs, groups)])


def _allowed(belongs: list[str], groups: Path) -> list[int]:
    """Return the limits of the groups in lines `hierarchy:controllers:path`, and of those above.

    In a container the path may be that of the machine, which is not to be seen there.
    """
    found: list[int] = []
    for line in belongs:
        _, controllers, path = line.split(":", 2)
        if controllers in LIMITS:
            folder, _, name = LIMITS[controllers].rpartition("/")
            inner = Path(path.lstrip("/"))
            places = (groups / folder / each / name for each in (inner, *inner.parents))
            found.extend(map(_number, places))
    return [each for each in found if each]


def _number(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
