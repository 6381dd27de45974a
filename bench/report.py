"""Figures, as tables for people, as JSON for comparisons, and as the tables of the docs."""

import datetime as dt
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench import limits, tables
from bench.latency import Added
from bench.limits import REFERENCE_BARE_US, REFERENCE_NGINX_US, Verdict
from bench.memory import Slope

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"
BUSY_SHARE: Final = 0.25
"""Of all cores; a machine busier than this before the run is called so."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One contender under one load: medians over rounds, and the extremes of its cost.

    CPU is user and system time of all its processes, in µs per request or per chunk.
    """

    cpu_us: float
    lowest_us: float
    highest_us: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float

    def cell(self) -> str:
        """Return the cost, and how far the rounds lay apart."""
        return f"{self.cpu_us:,.1f} ({self.lowest_us:,.1f}–{self.highest_us:,.1f})"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One load, and what each contender made of it. `chunks` is 0 for answers in one piece."""

    name: str
    chunks: int
    connections: int
    figures: dict[str, Figure]

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, the ratios first."""
        ours = self.figures["dragoman"]
        costs = [f"{each.cpu_us:,.1f}" if each else "–" for each in map(self.figures.get, OTHERS)]
        return (
            self.name,
            _ratio(ours, self.figures.get("nginx")),
            _ratio(self.figures.get("litellm"), ours),
            _ratio(self.figures.get("portkey"), ours),
            ours.cell(),
            "chunk" if self.chunks else "request",
            *costs,
            f"{ours.requests_per_s:,.0f}",
        )


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway holds: in all after so many requests, and for each stream."""

    requests: int
    worker_mb: float
    stream_kb: float
    stream_tls_kb: float
    slope: Slope | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What it ran on. `busy_cores` is what others used just before."""

    processor: str
    cores: int
    python: str
    busy_cores: float
    bare_us: float
    nginx_us: float | None

    @property
    def slowness(self) -> float:
        """How much slower than the reference machine."""
        return limits.slowness(self.bare_us)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the benchmark."""

    date: str
    revision: str
    machine: Machine
    rows: list[Row]
    added: Added
    memory: Memory
    first_answer_s: float
    verdicts: list[Verdict]


OTHERS: Final = ("nginx", "bare", "litellm", "portkey")
HEADINGS: Final = (
    "load", "dragoman : nginx", "LiteLLM : dragoman", "Portkey : dragoman",
    "dragoman, CPU µs (lowest–highest)", "per", "nginx", "bare", "LiteLLM", "Portkey", "requests/s",
)  # fmt: skip


def figure(costs_us: Sequence[float], rates: Sequence[float], p50: float, p99: float) -> Figure:
    """Return the figure of several rounds."""
    return Figure(
        cpu_us=round(statistics.median(costs_us), 3),
        lowest_us=round(min(costs_us), 3),
        highest_us=round(max(costs_us), 3),
        requests_per_s=round(statistics.median(rates), 1),
        p50_ms=p50,
        p99_ms=p99,
    )


def today() -> str:
    """Return the date of this run, in UTC."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def revision() -> str:
    """Return the commit that is measured, marked when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return found.stdout.strip() or "unknown"


def processor() -> str:
    """Return the name of the processor, as the kernel gives it (proc(5), cpuinfo)."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def busy_cores() -> float:
    """Return how many cores were in use, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def text(report: Report) -> str:
    """Return the report for a terminal."""
    rows = [row.cells() for row in report.rows]
    verdicts = [verdict.cells() for verdict in report.verdicts]
    return "\n\n".join(
        [
            tables.aligned(HEADINGS, rows),
            "\n".join(_sentences(report)),
            tables.aligned(limits.HEADINGS, verdicts),
        ]
    )


def markdown(report: Report) -> str:
    """Return the report for the docs, with where and when it was measured."""
    rows = [row.cells() for row in report.rows]
    verdicts = [verdict.cells() for verdict in report.verdicts]
    return "\n\n".join(
        [
            f"Measured on {report.date} at `{report.revision}`.",
            tables.markdown(HEADINGS, rows),
            "\n".join(f"- {sentence}" for sentence in _sentences(report)),
            tables.markdown(limits.HEADINGS, verdicts),
        ]
    )


def store(report: Report, *, suffix: str) -> Path:
    """Write a report to `bench/results` and return where it went."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{report.date}-{report.revision}{suffix}"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return path


def publish(content: str, section: str = "bench") -> None:
    """Put a table into the docs, in place of the one that stands between the section's marks."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{content}\n{end}{after}")


def _sentences(report: Report) -> list[str]:
    machine, added, memory = report.machine, report.added, report.memory
    nginx = ""
    if machine.nginx_us is not None:
        share = machine.nginx_us / REFERENCE_NGINX_US
        nginx = f"; nginx says {share:.2f} ({machine.nginx_us:.1f} : {REFERENCE_NGINX_US:g} µs)"
    busy = machine.busy_cores > BUSY_SHARE * machine.cores
    said = [
        (
            f"Machine: {machine.processor}, {machine.cores} cores, Python {machine.python}; "
            f"{machine.busy_cores:g} cores were in use before the run"
            f"{', so it was a busy machine' if busy else ''}."
        ),
        (
            f"This machine : the reference: {machine.slowness:.2f} by the yardstick "
            f"({machine.bare_us:.1f} : {REFERENCE_BARE_US:g} µs){nginx}."
        ),
        (
            f"Latency added at {added.rate:,.0f} requests/s: p50 {added.p50_ms:.2f} ms, p99 "
            f"{added.p99_ms:.2f} ms (without a gateway {added.direct_p50_ms:.2f} and "
            f"{added.direct_p99_ms:.2f} ms)."
        ),
        (
            f"Memory after {memory.requests:,} requests {memory.worker_mb:.0f} MB; per open "
            f"stream {memory.stream_kb:.0f} KB, with TLS upstream {memory.stream_tls_kb:.0f} KB."
        ),
        f"Start to first answer {report.first_answer_s:.2f} s.",
    ]
    if slope := memory.slope:
        said.append(
            f"Memory from {slope.requests[0]:,} to {slope.requests[-1]:,} requests: "
            f"{slope.memory_mb[0]:.1f} to {slope.memory_mb[-1]:.1f} MB, slope "
            f"{slope.kb_per_1000:+.2f} KB per 1,000 requests."
        )
    return said


def _ratio(over: Figure | None, under: Figure | None) -> str:
    if over is None or under is None:
        return "–"
    return f"{over.cpu_us / max(under.cpu_us, 0.01):.1f} x"
