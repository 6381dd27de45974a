"""What honest clients notice of hostile ones: `make load`.

One gateway, set up as a user would but for its deadlines; scenario by scenario the
honest clients are measured alone, then beside the hostile ones, each request over a
new connection. Ends with 1 when a limit was missed. See `docs/performance.md`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bench import authority, report, tables
from bench.client import Sample
from bench.contenders import Contender, Setup, gateway, mocks
from bench.latency import apart, to
from bench.limits import HEADINGS, Limit, Verdict, exit_code, judged
from bench.load import PLAIN_20
from bench.process import allow_many_files, memory_mb, open_files, sampled, settled_files
from bench.siege.hostile import Attack, Toll
from bench.siege.overload import overload
from bench.siege.scenarios import HONEST_RATE, HONEST_S, Host, Scenario, scenarios
from bench.siege.settings import LINGER_S, SLACK_S, due_s, known, settings

HOSTILE: Final = (sys.executable, "-m", "bench.siege.hostile")
READY_S: Final = 120.0
FEW_FILES: Final = 50
"""More than before, and the gateway has not closed what its clients left."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario as it went.

    `grown_kb` is the most memory there was for each hostile connection while they were there.
    `files_left` are more than before once all has passed that may outlast them, `settled_s` how
    long that took.
    """

    scenario: str
    alone: Sample
    beside: Sample
    tolls: list[Toll]
    grown_kb: float
    files_left: int
    settled_s: float


class Assault:
    """One host of hostile clients, in a process of its own."""

    def __init__(self, attack: Attack) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(HOSTILE, stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(attack) + b"\n")
        self._process.stdin.flush()

    def wait_until_open(self) -> int:
        """Wait until all are connected, and return how many are."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def end(self) -> Toll:
        """Call them off, and return what became of them."""
        printed, _ = self._process.communicate()
        return msgspec.json.decode(printed, type=Toll)


def attacks(scenario: Scenario, contender: Contender) -> list[Attack]:
    """Return what to start."""
    place = urlsplit(contender.url)
    key = contender.keys.read_text().split()[0]
    return [
        Attack(
            kind=host.kind,
            port=place.port or 80,
            path=f"{place.path}/chat/completions",
            key=key,
            model=host.load.model,
            count=host.count,
            sources=host.sources,
        )
        for host in scenario.hosts
    ]


def besieged(scenario: Scenario, contender: Contender, there: frozenset[str]) -> Outcome:
    """Measure honest clients alone, then beside the hostile ones, and what is left of those."""
    honest = to(contender, PLAIN_20.model, HONEST_RATE, HONEST_S)
    honest = msgspec.structs.replace(honest, kept=False)
    alone = apart([honest])[0]
    files, held_mb = open_files(contender.pid), memory_mb(contender.pid)
    started = time.monotonic()
    with sampled(lambda: memory_mb(contender.pid)) as sizes_mb:
        assaults = [Assault(attack) for attack in attacks(scenario, contender)]
        for assault in assaults:
            assault.wait_until_open()
        beside = apart([msgspec.structs.replace(honest, seconds=_lasting_s(scenario, there))])[0]
    print(f"  beside for {time.monotonic() - started:.0f} s", flush=True)
    still_there = held(Path("/proc/net/tcp").read_text(), urlsplit(contender.url).port or 80)
    tolls = [
        assault.end() if host.kind != "reader" else _seen(assault.end(), still_there)
        for host, assault in zip(scenario.hosts, assaults, strict=True)
    ]
    over = time.monotonic()
    left = settled_files(contender.pid, files, LINGER_S + SLACK_S)
    return Outcome(
        scenario=scenario.name,
        alone=alone,
        beside=beside,
        tolls=tolls,
        grown_kb=(max(sizes_mb) - held_mb) * 1000 / scenario.count,
        files_left=left - files,
        settled_s=time.monotonic() - over,
    )


def held(connections: str, port: int) -> int:
    """Count the hostile connections that a server on a port has not closed.

    `connections` is /proc/net/tcp (proc(5)): the addresses in hexadecimal, the state, of
    which 01 is open, and an inode, which is 0 once no process has the socket any more.
    """
    count = 0
    for line in connections.splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        hostile = remote[2:8] == "01007F"
        if hostile and local.endswith(f":{port:04X}") and state == "01" and inode != "0":
            count += 1
    return count


def verdicts(scenario: Scenario, outcome: Outcome, there: frozenset[str]) -> list[Verdict]:
    """Hold an outcome against the scenario's limits."""
    name, beside = scenario.name, outcome.beside
    p99 = Limit(what=f"{name}: honest p99", bound=scenario.honest_p99_ms, unit="ms")
    unserved = Limit(what=f"{name}: honest requests not served", bound=0, unit="requests")
    files = Limit(what=f"{name}: files left open", bound=FEW_FILES, unit="files")
    found = [
        judged(p99, beside.percentile_ms(0.99), 1.0),
        judged(unserved, beside.lost + beside.refused, 1.0),
        judged(files, outcome.files_left, 1.0),
    ]
    for host, toll in zip(scenario.hosts, outcome.tolls, strict=True):
        found += _closed(name, host, toll, there)
    if scenario.kb_each is not None:
        each = Limit(what=f"{name}: memory for each", bound=scenario.kb_each, unit="KB")
        found.append(judged(each, outcome.grown_kb, 1.0))
    return found


def sentence(outcome: Outcome) -> str:
    """Say in words how a scenario went."""
    alone, beside = outcome.alone, outcome.beside
    hostile = "; ".join(
        f"{toll.opened:,} let in, {toll.refused:,} refused, {toll.held:,} still there at the end"
        f"{f', others closed after {max(toll.lives_s):.1f} s at most' if toll.lives_s else ''}"
        for toll in outcome.tolls
    )
    return (
        f"honest p50 {beside.percentile_ms(0.5):.1f} ms (alone {alone.percentile_ms(0.5):.1f}), "
        f"p99 {beside.percentile_ms(0.99):.1f} ms (alone {alone.percentile_ms(0.99):.1f}), "
        f"{beside.answered:,} served, {beside.refused + beside.lost:,} not; hostile: {hostile}; "
        f"{outcome.files_left} files more than before {outcome.settled_s:.1f} s after they left"
    )


def main() -> None:
    """Read the command line, run the scenarios, print."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios whose name begins so")
    parser.add_argument("--write", action="store_true", help="publish the table in the docs")
    options = parser.parse_args()
    most_files = allow_many_files()
    there = known()
    found: list[Verdict] = []
    ran_on = f"{report.processor()}, {os.cpu_count()} cores, at `{report.revision()}`"
    said = [f"{ran_on}; {report.busy_cores():g} cores were in use before."]
    chosen = [each for each in scenarios(most_files) if each.name.startswith(options.only)]
    for scenario in chosen:
        print(f"{scenario.name}: {scenario.count:,} connections", flush=True)
        with ExitStack() as stack:
            outcome = besieged(scenario, _started(stack, there), there)
        found += verdicts(scenario, outcome, there)
        said.append(f"{scenario.name}, {scenario.count:,}: {sentence(outcome)}.")
        print(f"  {said[-1]}", flush=True)
    if "overload".startswith(options.only):
        print("overload", flush=True)
        with ExitStack() as stack:
            result = overload(_started(stack, there))
        found += result.verdicts()
        said.append(f"overload: {result.sentence()}.")
        print(f"  {said[-1]}", flush=True)
    cells = [verdict.cells() for verdict in found]
    print(f"\n{tables.aligned(HEADINGS, cells)}")
    if options.write:
        listed = "\n".join(f"- {each}" for each in said)
        report.publish(
            f"Measured on {report.today()}.\n\n{tables.markdown(HEADINGS, cells)}\n\n{listed}",
            "load",
        )
    sys.exit(exit_code(found))


def _started(stack: ExitStack, there: frozenset[str]) -> Contender:
    """Start a gateway that nobody has attacked yet."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-load-")))
    made = authority.found(directory)
    upstreams = stack.enter_context(mocks(directory, made.ca, made.certificate, made.key))
    setup = Setup(settings=settings(there))
    return stack.enter_context(gateway(setup, upstreams, directory / "gateway"))


def _lasting_s(scenario: Scenario, there: frozenset[str]) -> float:
    """Return how long to stay: past the last deadline."""
    due = [due_s(host.deadline, there) + host.lead_s for host in scenario.hosts if host.deadline]
    return max([scenario.lasting_s, *(each + SLACK_S for each in due)])


def _seen(toll: Toll, still_there: int) -> Toll:
    """Return a toll as the server's side of the connections tells it."""
    return msgspec.structs.replace(toll, held=min(toll.opened, still_there))


def _closed(name: str, host: Host, toll: Toll, there: frozenset[str]) -> Sequence[Verdict]:
    """Say whether a host was dealt with: closed in time, or all of it let in and kept."""
    if host.deadline is not None:
        due = due_s(host.deadline, there) + host.lead_s
        late = toll.held + sum(life > due + SLACK_S for life in toll.lives_s)
        limit = Limit(what=f"{name}: {host.kind} not closed in {due:g} s", bound=0, unit="of them")
        return [judged(limit, late, 1.0)]
    if host.kind == "stream":
        kept = Limit(what=f"{name}: kept open", bound=host.count, unit="of them", sense="at least")
        return [judged(kept, toll.held, 1.0)]
    return []


if __name__ == "__main__":
    main()
