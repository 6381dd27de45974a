"""Instructions per request: what the gateway executes, counted, so that noise is no excuse.

`bench.driver` is run under valgrind (Debian: apt install valgrind) twice, with few
and with many requests; the difference, divided, has no start-up in it. Hashes are
not randomised. Run alone as `python -m bench.instructions`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench import tables
from bench.driver import CHUNKS, KINDS

ROOT: Final = Path(__file__).parents[1]
FEW: Final = 100
MANY: Final = 2100
"""So many that what differs from start to start, some 30 million, is lost in it."""
VALGRIND: Final = (
    "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
)  # fmt: skip
COUNTED: Final = re.compile(r"I\s+refs:\s+([\d,]+)")


class NotCounted(Exception):
    """Sources that the driver cannot drive, or that valgrind cannot run: why."""


def available() -> bool:
    """Say whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def counted(printed: str) -> int:
    """Read how many instructions valgrind counted. Raises ValueError when it does not say."""
    found = COUNTED.search(printed)
    if found is None:
        raise ValueError(f"valgrind counted nothing:\n{printed[-2000:]}")
    return int(found[1].replace(",", ""))


def total(source: Path, kind: str, requests: int) -> int:
    """Count a whole run of the sources in a directory. Raises NotCounted."""
    env = {**os.environ, "PYTHONPATH": f"{source}:{ROOT}", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as directory:
        command = [*VALGRIND, sys.executable, "-m", "bench.driver", directory, kind, str(requests)]
        run = subprocess.run(
            command, check=False, capture_output=True, text=True, env=env, cwd=directory
        )
    if run.returncode:
        raise NotCounted(f"{' '.join(command)} failed:\n{run.stderr[-2000:]}")
    return counted(run.stderr)


def per_request(source: Path) -> dict[str, float]:
    """Return instructions per request, by kind. Two runs at a time. Raises NotCounted."""
    wanted = [(kind, requests) for kind in KINDS for requests in (FEW, MANY)]
    with ThreadPoolExecutor(2) as pool:
        totals = list(pool.map(lambda each: total(source, *each), wanted))
    by_kind = dict(zip(wanted, totals, strict=True))
    return {kind: (by_kind[kind, MANY] - by_kind[kind, FEW]) / (MANY - FEW) for kind in KINDS}


def table(counts: Mapping[str, float]) -> str:
    """Return the counts for a terminal."""
    per_chunk = (counts["stream"] - counts["plain"]) / CHUNKS
    rows = [(f"{kind}, per request", f"{count:,.0f}") for kind, count in counts.items()]
    rows.append(("each chunk more", f"{per_chunk:,.0f}"))
    return tables.aligned(("kind", "instructions"), rows)


def main() -> None:
    """Count the present sources."""
    if not available():
        raise SystemExit("Instructions are counted by valgrind (Debian: apt install valgrind)")
    try:
        print(table(per_request(ROOT / "src")))
    except NotCounted as why:
        raise SystemExit(str(why)) from why


if __name__ == "__main__":
    main()
