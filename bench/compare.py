"""Two revisions, side by side: CPU time in pairs that alternate, and instructions.

`make bench-compare BASE=revision` runs it. BASE's files are put into a directory of
their own; both run under this benchmark, this interpreter and the same load. CPU time
of a pair is compared with that of the same pair only, so that a machine that slows
down, slows both. Ends with 1 when the present sources are dearer by 3 % or more.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench import authority, instructions, tables
from bench.contenders import SOURCE, Contender, Setup, gateway, mocks
from bench.driver import CHUNKS
from bench.load import PACED, PLAIN_20, STREAM, Load, require_wrk
from bench.run import shoot, warm_up

LOADS: Final = (PLAIN_20, STREAM, PACED)
PAIRS: Final = 7
REGRESSION: Final = 0.03
HEADINGS: Final = ("what", "difference", "verdict", "base", "now", "pairs from–to")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A cost of both revisions. `shares` are those of the pairs; 0.01 is dearer by 1 %."""

    what: str
    base: float
    now: float
    shares: list[float]

    @property
    def share(self) -> float:
        """The median."""
        return statistics.median(self.shares)

    @property
    def certain(self) -> bool:
        """Whether the pairs agree: at most one of them has another sign than the median."""
        against = sum((share > 0) != (self.share > 0) for share in self.shares)
        return against <= len(self.shares) // 7

    @property
    def regressed(self) -> bool:
        """Whether the present sources are dearer by more than is accepted."""
        return self.share >= REGRESSION and self.certain

    def cells(self) -> tuple[str, ...]:
        """Return the difference as text, the ratio first."""
        verdict = "DEARER" if self.regressed else "same"
        if self.share <= -REGRESSION and self.certain:
            verdict = "cheaper"
        elif abs(self.share) >= REGRESSION and not self.certain:
            verdict = "unclear"
        low, high = min(self.shares), max(self.shares)
        return (
            self.what,
            f"{self.share:+.1%}",
            verdict,
            f"{self.base:,.1f}",
            f"{self.now:,.1f}",
            f"{low:+.1%} – {high:+.1%}",
        )


def difference(what: str, base: Sequence[float], now: Sequence[float]) -> Difference:
    """Compare pair by pair."""
    return Difference(
        what=what,
        base=statistics.median(base),
        now=statistics.median(now),
        shares=[after / before - 1 for before, after in zip(base, now, strict=True)],
    )


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Give a directory with a revision's files while the block lasts.

    Raises SystemExit when there is no such revision.
    """
    archive = ["git", "-C", str(SOURCE.parent), "archive", "--format=tar", revision]
    packed = subprocess.run(archive, check=False, capture_output=True)
    if packed.returncode:
        raise SystemExit(f"{revision} cannot be had: {packed.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="dragoman-base-") as place:
        subprocess.run(["tar", "-x", "-C", place], input=packed.stdout, check=True)
        yield Path(place)


def cpu(base: Path, pairs: int, seconds: int) -> list[Difference]:
    """Load both in turns, the first of a pair being each once."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-bench-")))
        made = authority.found(directory)
        upstreams = stack.enter_context(mocks(directory, made.ca, made.certificate, made.key))
        setups = [Setup(name="base", source=base / "src"), Setup(name="now")]
        both = [
            stack.enter_context(gateway(setup, upstreams, directory / setup.name))
            for setup in setups
        ]
        return [_compared(load, both, pairs, seconds) for load in LOADS]


def counts(base: Path) -> list[Difference]:
    """Count the instructions of both; nothing, said loudly, where BASE is made otherwise."""
    now = instructions.per_request(SOURCE)
    try:
        before = instructions.per_request(base / "src")
    except instructions.NotCounted as why:
        print(f"no instructions: bench.driver does not fit BASE\n{why}")
        return []
    return [
        difference(f"instructions per request, {kind}", [before[kind]], [now[kind]]) for kind in now
    ]


def main() -> None:
    """Read the command line, compare, print."""
    parser = argparse.ArgumentParser(prog="make bench-compare", description=__doc__)
    parser.add_argument("base", help="the revision to compare with")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how often to load both")
    parser.add_argument("--seconds", type=int, default=3, help="for each load")
    options = parser.parse_args()
    require_wrk()
    with checked_out(options.base) as base:
        found = cpu(base, options.pairs, options.seconds)
        if instructions.available():
            found += counts(base)
        else:
            print("valgrind is not installed: no instructions (Debian: apt install valgrind)")
    print(tables.aligned(HEADINGS, [each.cells() for each in found]))
    sys.exit(int(any(each.regressed for each in found)))


def _compared(load: Load, both: Sequence[Contender], pairs: int, seconds: int) -> Difference:
    costs: dict[str, list[float]] = {contender.name: [] for contender in both}
    for contender in both:
        warm_up(contender, load, 1)
    for number in range(pairs):
        for contender in both if number % 2 else reversed(both):
            costs[contender.name].append(shoot(contender, load, seconds).cpu_us)
    unit = f"chunk, {CHUNKS} a stream" if load.chunks else "request"
    return difference(f"CPU µs per {unit}, {load.name}", costs["base"], costs["now"])


if __name__ == "__main__":
    main()
