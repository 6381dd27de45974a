"""What a request costs: CPU time of the gateway beside nginx and, if installed, other gateways.

`make bench` runs it. All run as processes of this machine, before the same mock
upstream; wrk loads one after the other, in turns, round by round. How to read the
figures is told in `docs/performance.md`. Ends with 1 when a limit was missed.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from bench import authority, latency, limits, peers, report
from bench.contenders import Contender, Setup, Upstreams, bare, gateway, mocks, nginx, nginx_path
from bench.load import (
    CHAT,
    LOADS,
    MANY_KEYS,
    PACED,
    PACED_TRANSLATED,
    PLAIN_2,
    PLAIN_20,
    PLAIN_KEYS,
    STREAM,
    Load,
    answer_bytes,
    require_wrk,
    send,
)
from bench.memory import SOAK_BEFORE, per_stream_kb, soak
from bench.process import allow_many_files, cpu_s, memory_mb, settled_cpu_s
from bench.report import Figure, Machine, Memory, Report, Row

WARM_UP_S: Final = 1
SETTLE_S: Final = 2.0
COMPARED: Final = {"bare": (PLAIN_20,), "litellm": (PLAIN_20, STREAM), "portkey": (PLAIN_20,)}
"""Who is measured under some loads only. Portkey answers 500 to the mock's streams."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure: rounds, seconds for each load (0 is its own), keys, streams, starts."""

    rounds: int = 3
    seconds: int = 0
    keys: int = MANY_KEYS
    loads: tuple[Load, ...] = LOADS
    streams: int = 800
    starts: int = 3
    memory_requests: int = SOAK_BEFORE
    peers: bool = True


QUICK: Final = Effort(
    rounds=1,
    seconds=1,
    keys=1000,
    loads=(PLAIN_2, PLAIN_20, PLAIN_KEYS, STREAM, PACED, PACED_TRANSLATED),
    streams=200,
    starts=1,
    memory_requests=0,
    peers=False,
)


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One contender under one load in one round. `cpu_us` is per request or chunk."""

    cpu_us: float
    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def shoot(contender: Contender, load: Load, seconds: int) -> Shot:
    """Load a contender, and divide its CPU time by what it served.

    Streams that are cut off at the end were worked on, too: they count by their bytes.
    """
    target, model = contender.target(load), contender.model(load)
    before = cpu_s(contender.pid)
    found = send(load, target, model, seconds)
    used = settled_cpu_s(contender.pid, SETTLE_S) - before
    units = found.requests
    if load.chunks:
        units = round(found.bytes / answer_bytes(load, target, model) * load.chunks)
    return Shot(
        cpu_us=used * 1e6 / units,
        requests=found.requests,
        requests_per_s=found.requests * 1e6 / found.duration_us,
        p50_ms=found.p50_us / 1000,
        p99_ms=found.p99_us / 1000,
    )


def warm_up(contender: Contender, load: Load, keys: int) -> None:
    """Let a contender meet a load, and every key, before it counts."""
    target, model = contender.target(load), contender.model(load)
    met = send(load, target, model, WARM_UP_S * contender.slow).requests
    while load.keys > 1 and met < keys:
        met += send(load, target, model, 5).requests


class Field:
    """All contenders, and what was measured of them."""

    def __init__(self, contenders: list[Contender], effort: Effort) -> None:
        self._contenders = {contender.name: contender for contender in contenders}
        self._effort = effort
        self._shots: dict[tuple[str, str], list[Shot]] = {}
        self.served = 0

    def measure(self) -> list[Row]:
        """Measure round by round, load by load, one contender after the other."""
        for number in range(self._effort.rounds):
            for load in self._effort.loads:
                print(f"round {number + 1} of {self._effort.rounds}: {load.name}", flush=True)
                for contender in self._of(load):
                    self._once(contender, load, number)
        return [self._row(load) for load in self._effort.loads]

    def _once(self, contender: Contender, load: Load, number: int) -> None:
        shots = self._shots.setdefault((contender.name, _kind(contender, load)), [])
        if len(shots) > number:  # loads that differ only to the gateway
            return
        if not shots:
            warm_up(contender, load, self._effort.keys)
        seconds = (self._effort.seconds or load.seconds) * contender.slow
        shots.append(shoot(contender, load, seconds))
        if contender.name == "dragoman":
            self.served += shots[-1].requests

    def _of(self, load: Load) -> list[Contender]:
        ours = "dragoman" if load.keys == 1 else "dragoman, many keys"
        if load.path != CHAT:
            return [self._contenders[ours]]
        names = ["nginx", ours, *(name for name, loads in COMPARED.items() if load in loads)]
        return [self._contenders[name] for name in names if name in self._contenders]

    def _row(self, load: Load) -> Row:
        figures = {}
        for contender in self._of(load):
            shots = self._shots[contender.name, _kind(contender, load)]
            figures[contender.name.partition(",")[0]] = _figure(shots)
        return Row(
            name=load.name, chunks=load.chunks, connections=load.connections, figures=figures
        )


def _kind(contender: Contender, load: Load) -> str:
    """Return what makes a load differ to a contender: names, to those who choose; else bytes."""
    return load.name if contender.routes else f"{load.upstream} {load.tls}"


def _figure(shots: list[Shot]) -> Figure:
    return report.figure(
        [shot.cpu_us for shot in shots],
        [shot.requests_per_s for shot in shots],
        statistics.median(shot.p50_ms for shot in shots),
        statistics.median(shot.p99_ms for shot in shots),
    )


def first_answers(count: int, upstreams: Upstreams, directory: Path) -> float:
    """Start a gateway so many times, and return the median of what its first answer took."""
    times = []
    for number in range(count):
        with gateway(Setup(), upstreams, directory / f"start-{number}") as started:
            times.append(started.first_answer_s)
    return statistics.median(times)


def streams_kb(count: int, upstreams: Upstreams, directory: Path, *, tls: bool) -> float:
    """Return what an open stream takes of a gateway that has nothing else to reuse."""
    with gateway(Setup(), upstreams, directory / f"streams-{tls}") as fresh:
        return per_stream_kb(fresh, count, tls=tls)


def memory(
    contender: Contender, served: int, effort: Effort, soaked: int, streams: tuple[float, float]
) -> Memory:
    """Read what the gateway holds, after as many requests as the effort asks for."""
    while served < effort.memory_requests:
        served += send(PLAIN_20, contender.target(PLAIN_20), PLAIN_20.model, 5).requests
    worker_mb = memory_mb(contender.pid)
    return Memory(
        requests=served,
        worker_mb=worker_mb,
        slope=soak(contender, soaked) if soaked else None,
        stream_kb=streams[0],
        stream_tls_kb=streams[1],
    )


def added(contender: Contender, upstreams: Upstreams, row: Row, rounds: int) -> latency.Added:
    """Measure latency added at half the rate that a load reached."""
    rate = row.figures["dragoman"].requests_per_s / 2
    through = latency.to(contender, PLAIN_20.model, rate, 4.0)
    direct = msgspec.structs.replace(
        through, port=upstreams.port, path="/v1/chat/completions", model=PLAIN_20.upstream
    )
    return latency.added(direct, through, rounds)


def verdicts(rows: dict[str, Row], made: Report, effort: Effort) -> list[limits.Verdict]:
    """Hold the figures of a report against the limits."""
    factor, memory_, ours = made.machine.slowness, made.memory, rows[PLAIN_20.name].figures
    pairs = [
        (limits.PER_REQUEST, ours["dragoman"].cpu_us),
        (limits.PER_CHUNK, rows[STREAM.name].figures["dragoman"].cpu_us),
        (limits.PER_PACED_CHUNK, rows[PACED.name].figures["dragoman"].cpu_us),
        (limits.PER_TRANSLATED_CHUNK, rows[PACED_TRANSLATED.name].figures["dragoman"].cpu_us),
        (limits.ADDED_P50, made.added.p50_ms),
        (limits.ADDED_P99, made.added.p99_ms),
        (limits.STREAM_MEMORY, memory_.stream_kb),
        (limits.STREAM_TLS_MEMORY, memory_.stream_tls_kb),
        (limits.START, made.first_answer_s),
    ]
    for name, limit in (("litellm", limits.LITELLM_RATIO), ("portkey", limits.PORTKEY_RATIO)):
        if name in ours:
            pairs.append((limit, ours[name].cpu_us / ours["dragoman"].cpu_us))
    if effort.memory_requests:
        pairs.append((limits.MEMORY, memory_.worker_mb))
    if memory_.slope:
        pairs.append((limits.GROWTH, memory_.slope.kb_per_1000 * 500 / 1000))
    return [limits.judged(limit, figure, factor) for limit, figure in pairs]


def contenders(
    stack: ExitStack, upstreams: Upstreams, directory: Path, effort: Effort
) -> list[Contender]:
    """Start everybody who is installed, until the stack is closed."""
    many = Setup(name="dragoman, many keys", keys=effort.keys)
    started = [
        stack.enter_context(bare(upstreams, directory)),
        stack.enter_context(gateway(Setup(), upstreams, directory / "one")),
        stack.enter_context(gateway(many, upstreams, directory / "many")),
    ]
    if program := nginx_path():
        started.append(stack.enter_context(nginx(program, upstreams, directory)))
    else:
        print("nginx is not installed: there is no floor (Debian: apt install nginx-light)")
    others = peers.installed() if effort.peers else ()
    if effort.peers and not others:
        print("LiteLLM and Portkey are not installed: run make bench-peers to compare with them")
    for name in others:
        run = {"litellm": peers.litellm, "portkey": peers.portkey}[name]
        started.append(stack.enter_context(run(upstreams, directory / name)))
    return started


def bench(effort: Effort, soaked: int) -> Report:
    """Measure everything and return the report. `soaked` is requests for the slope, 0 for none."""
    busy = report.busy_cores()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-bench-")))
        made = authority.found(directory)
        upstreams = stack.enter_context(mocks(directory, made.ca, made.certificate, made.key))
        first_answer_s = first_answers(effort.starts, upstreams, directory)
        streams = (
            streams_kb(effort.streams, upstreams, directory, tls=False),
            streams_kb(effort.streams, upstreams, directory, tls=True),
        )
        started = contenders(stack, upstreams, directory, effort)
        field = Field(started, effort)
        rows = field.measure()
        named = {row.name: row for row in rows}
        ours = next(contender for contender in started if contender.name == "dragoman")
        figures = named[PLAIN_20.name].figures
        result = Report(
            date=report.today(),
            revision=report.revision(),
            machine=Machine(
                processor=report.processor(),
                cores=os.cpu_count() or 0,
                python=platform.python_version(),
                busy_cores=busy,
                bare_us=figures["bare"].cpu_us,
                nginx_us=figures["nginx"].cpu_us if "nginx" in figures else None,
            ),
            rows=rows,
            added=added(ours, upstreams, named[PLAIN_20.name], effort.rounds),
            memory=memory(ours, field.served, effort, soaked, streams),
            first_answer_s=first_answer_s,
            verdicts=[],
        )
    return msgspec.structs.replace(result, verdicts=verdicts(named, result, effort))


def main() -> None:
    """Read the command line, measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than a minute")
    parser.add_argument("--soak", type=int, nargs="?", const=500_000, default=0, metavar="N",
                        help="measure the slope of memory over N further requests")  # fmt: skip
    parser.add_argument("--write", action="store_true", help="keep the figures, and publish them")
    options = parser.parse_args()
    require_wrk()
    allow_many_files()
    result = bench(QUICK if options.quick else Effort(), options.soak)
    print(f"\n{report.text(result)}\n")
    print(report.store(result, suffix=".json" if options.write else ".tmp.json"))
    if options.write:
        report.publish(report.markdown(result))
    sys.exit(limits.exit_code(result.verdicts))


if __name__ == "__main__":
    main()
