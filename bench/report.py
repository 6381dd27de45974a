"""Figures, as a table for people, as JSON for comparisons, and as the table of the docs."""

import datetime as dt
import platform
import subprocess
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One contender under one load. CPU is user and system time, of all its processes."""

    cpu_us_per_request: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One load, the gateway beside the floor. `chunks` is 0 for answers in one piece."""

    name: str
    chunks: int
    connections: int
    gateway: Figure
    floor: Figure | None

    @property
    def unit(self) -> str:
        """What a cost is counted for."""
        return "chunk" if self.chunks else "request"

    def cost_us(self, figure: Figure) -> float:
        """Return the CPU time for one unit, in microseconds."""
        return figure.cpu_us_per_request / (self.chunks or 1)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, the ratio first."""
        ratio = floor = "–"
        if self.floor is not None:
            floor = f"{self.cost_us(self.floor):.1f}"
            ratio = f"{self.cost_us(self.gateway) / max(self.cost_us(self.floor), 0.01):.1f} x"
        return (
            self.name,
            ratio,
            f"{self.cost_us(self.gateway):.1f} / {self.unit}",
            floor,
            f"{self.gateway.requests_per_s:,.0f}",
            f"{self.gateway.p50_ms:.1f}",
            f"{self.gateway.p99_ms:.1f}",
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark, and what it ran on."""

    date: str
    revision: str
    python: str
    machine: str
    cores: int
    first_answer_s: float
    peak_memory_mb: float
    rows: tuple[Row, ...]


HEADINGS: Final = (
    "load", "gateway : nginx", "gateway, CPU µs", "nginx, CPU µs", "requests/s", "p50 ms", "p99 ms",
)  # fmt: skip


def today() -> str:
    """Return the date of this run, in UTC."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def revision() -> str:
    """Return the commit that is measured, marked when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return found.stdout.strip() or "unknown"


def machine() -> str:
    """Return the name of the processor, as the kernel gives it (proc(5), cpuinfo)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(report: Report) -> str:
    """Return the rows as a table for a terminal."""
    rows = [HEADINGS, *(row.cells() for row in report.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([*lines, "", _beside(report)])


def markdown(report: Report) -> str:
    """Return the rows as a table for the docs, with where and when they were measured."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in report.rows)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    where = (
        f"Measured on {report.date} at {report.revision}: {report.machine}, {report.cores} cores,"
    )
    return "\n".join([*lines, "", f"{where} Python {report.python}. {_beside(report)}"])


def store(report: Report, *, suffix: str) -> Path:
    """Write a report to `bench/results` and return where it went."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{report.date}-{report.revision}{suffix}"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return path


def publish(report: Report) -> None:
    """Put a report's table into the docs, in place of the one that is there."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{markdown(report)}\n{END}{after}")


def _beside(report: Report) -> str:
    return (
        f"Start to first answer {report.first_answer_s:.2f} s; "
        f"most memory held {report.peak_memory_mb:.0f} MB."
    )
