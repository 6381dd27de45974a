"""What a request costs: CPU time of the gateway beside nginx as a bare proxy.

`make bench` runs it. The mock upstream, the floor and the gateway run as
processes of this machine; wrk loads one after the other. How to read the
figures is told in `docs/performance.md`.
"""

import argparse
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import report
from bench.contenders import Contender, gateway, nginx, nginx_path
from bench.load import LOADS, WARM_UP_S, Load, require_wrk, send
from bench.process import cpu_s, free_port, peak_memory_mb, running, wait_for
from bench.report import Figure, Report, Row

DRAGOMAN: Final = str(Path(sys.executable).with_name("dragoman"))


def measure(contender: Contender, load: Load, *, model: str, seconds: int) -> Figure:
    """Warm a contender up, load it, and divide its CPU time by the requests it answered.

    Streams cut off at the end were worked on and are not counted, which makes
    streams look dearer than they are by a few percent.
    """
    url, key = contender.url, contender.key
    send(load, model=model, key=key, url=url, seconds=WARM_UP_S)
    before = cpu_s(contender.pid)
    outcome = send(load, model=model, key=key, url=url, seconds=seconds)
    used = cpu_s(contender.pid) - before
    return Figure(
        cpu_us_per_request=round(used * 1e6 / outcome.requests, 2),
        requests_per_s=round(outcome.requests * 1e6 / outcome.duration_us, 1),
        p50_ms=outcome.p50_us / 1000,
        p99_ms=outcome.p99_us / 1000,
    )


def floors(upstream: int, directory: Path, seconds: int | None) -> dict[str, Figure]:
    """Measure nginx once for each kind of answer; nothing, said loudly, without nginx."""
    program = nginx_path()
    if program is None:
        print("nginx is not installed: there is no floor (Debian: apt install nginx-light)")
        return {}
    kinds = {load.upstream: load for load in LOADS}
    with nginx(program, upstream, directory) as contender:
        return {
            kind: measure(contender, load, model=kind, seconds=seconds or load.seconds)
            for kind, load in kinds.items()
        }


def bench(program: str, seconds: int | None) -> Report:
    """Measure everything and return the report. `seconds` shortens each load."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-bench-")))
        upstream, log = free_port(), directory / "upstream.log"
        command = [sys.executable, "-m", "bench.upstream", str(upstream)]
        stack.enter_context(running(command, os.environ, log))
        wait_for(upstream, log)
        beneath = floors(upstream, directory, seconds)
        contender = stack.enter_context(gateway(program, upstream, directory))
        rows = tuple(
            Row(
                name=load.name,
                chunks=load.chunks,
                connections=load.connections,
                gateway=measure(contender, load, model=load.model, seconds=seconds or load.seconds),
                floor=beneath.get(load.upstream),
            )
            for load in LOADS
        )
        return Report(
            date=report.today(),
            revision=report.revision(),
            python=platform.python_version(),
            machine=report.machine(),
            cores=os.cpu_count() or 0,
            first_answer_s=round(contender.first_answer_s or 0, 3),
            peak_memory_mb=round(peak_memory_mb(contender.pid), 1),
            rows=rows,
        )


def main() -> None:
    """Read the command line, measure, print and store."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--gateway", default=DRAGOMAN, help="the command to measure")
    parser.add_argument("--seconds", type=int, help="for each load, instead of its own")
    parser.add_argument("--write", action="store_true", help="keep the figures, and publish them")
    options = parser.parse_args()
    require_wrk()
    result = bench(options.gateway, options.seconds)
    print(report.table(result))
    print(report.store(result, suffix=".json" if options.write else ".tmp.json"))
    if options.write:
        report.publish(result)


if __name__ == "__main__":
    main()
