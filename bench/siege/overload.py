"""Three times more than can be served: who is let in, how fast, and what the others are told.

The clients are `bench.siege.volley`, in two processes. Where there are four processors or more
the gateway has one to itself, the mock upstream one, and the clients two others, so that
they take nothing from the gateway that a caller on another machine would not.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.client import percentile
from bench.contenders import Contender
from bench.latency import to
from bench.limits import Limit, Verdict, judged
from bench.load import PLAIN_20
from bench.process import cpu_s, descendants
from bench.siege.volley import Impact, Volley

CLOSED: Final = 64
CALIBRATE_S: Final = 4.0
OVERLOAD_S: Final = 5.0
TIMES: Final = (2.0, 3.0)
"""The last is the one that counts."""
ROUNDS: Final = 3
REST_S: Final = 1.0
"""An overload is over when nobody was refused for a moment. Connections that ask again at once,
as those of the peak do, would keep it up."""
PROCESSES: Final = 2
MOST_OPEN: Final = 3000
RECOVERY_S: Final = 10.0
VOLLEY: Final = (sys.executable, "-m", "bench.siege.volley")

GOODPUT: Final = Limit(what="overload: goodput : peak", bound=0.8, unit="of peak", sense="at least")
SLOWER: Final = Limit(what="overload: p99 accepted : p99 at half load", bound=2, unit="x")
ADVISED: Final = Limit(
    what="overload: refusals with Retry-After", bound=1, unit="of all", sense="at least"
)
LOST: Final = Limit(what="overload: neither answered nor refused", bound=0, unit="requests")
RECOVERED: Final = Limit(what="overload: p99 within 10 s after : before", bound=2, unit="x")

SERVED: Final = Limit(what="overload: refused at half load, after", bound=0, unit="requests")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured within half a minute.

    At half load, at twice the peak, at the peak, and right after it at three times as much.
    `had` is how much of a processor the gateway had at the last: less than one when others
    use the machine, and then a limit that is missed says little.
    """

    calm: Impact
    peak: Impact
    curve: tuple[tuple[float, Impact], ...]
    had: float

    @property
    def during(self) -> Impact:
        """The overload that counts."""
        return self.curve[-1][1]

    @property
    def kept(self) -> float:
        """The share of the peak's goodput that is left in the overload."""
        return self.during.goodput / self.peak.goodput

    @property
    def slower(self) -> float:
        """How many times longer those served wait than at half load, at the 99th percentile."""
        return _p99(self.during) / _p99(self.calm)


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds, and what was measured at half load after the last.

    A machine that others use changes from minute to minute. So what is compared was measured in
    turns, and the median of the rounds decides.
    """

    rounds: tuple[Round, ...]
    after: Impact

    def verdicts(self) -> list[Verdict]:
        """Hold it against the limits."""
        rounds = self.rounds
        refused = sum(len(each.during.refused_ms) for each in rounds)
        advised = sum(each.during.advised for each in rounds)
        calm = statistics.median(_p99(each.calm) for each in rounds)
        pairs = (
            (GOODPUT, statistics.median(each.kept for each in rounds)),
            (SLOWER, statistics.median(each.slower for each in rounds)),
            (ADVISED, advised / refused if refused else 0.0),
            (LOST, sum(each.during.lost for each in rounds)),
            (RECOVERED, _p99(self.after) / calm),
            (SERVED, len(self.after.refused_ms)),
        )
        return [judged(limit, figure, 1.0) for limit, figure in pairs]

    def sentence(self) -> str:
        """Say it in words: all rounds in short, and the one in the middle at length."""
        ranked = sorted(self.rounds, key=lambda each: each.kept)
        middle = ranked[len(ranked) // 2]
        during = middle.during
        stages = [
            ("half load", middle.calm),
            ("peak", middle.peak),
            *((f"{times:g}x", impact) for times, impact in middle.curve),
            ("half load after", self.after),
        ]
        told = "; ".join(f"{name}: {_stage(impact)}" for name, impact in stages)
        kept = ", ".join(f"{each.kept:.2f}" for each in self.rounds)
        slower = ", ".join(f"{each.slower:.1f}" for each in self.rounds)
        return (
            f"goodput : peak in each round {kept}; p99 accepted : p99 at half load {slower}. "
            f"Of the round in the middle: {told}. The gateway had {middle.had:.2f} of a processor "
            f"at the last. The clients sent {percentile(during.lags_ms, 0.99):,.1f} ms late (p99) "
            f"and used {during.cpu_s / during.seconds:.1f} processors"
        )


def overload(contender: Contender) -> Overload:
    """Find the peak, and ask for three times as much, in rounds."""
    places = _apart(contender)
    drive = to(contender, PLAIN_20.model, 1.0, CALIBRATE_S)
    base = Volley(
        port=drive.port,
        path=drive.path,
        key=drive.key,
        model=drive.model,
        rate=1.0,
        seconds=CALIBRATE_S,
        sources=tuple(f"127.0.2.{1 + number}" for number in range(200)),
        most_open=MOST_OPEN,
    )
    full = msgspec.structs.replace(base, closed=CLOSED // PROCESSES)
    fire(full, places)
    rate = fire(full, places).goodput
    rounds: list[Round] = []
    for _ in range(ROUNDS):
        rounds.append(_round(base, rate, places, contender.pid))
        rate = rounds[-1].peak.goodput
    time.sleep(max(0.0, RECOVERY_S - CALIBRATE_S - REST_S))
    after = fire(msgspec.structs.replace(base, rate=rate / 2 / PROCESSES), places)
    return Overload(rounds=tuple(rounds), after=after)


def _round(base: Volley, rate: float, places: Sequence[int], pid: int) -> Round:
    """Measure one round, given the peak as far as it is known."""

    def asked(times: float, peak: float, seconds: float = OVERLOAD_S) -> Volley:
        each = peak * times / PROCESSES
        return msgspec.structs.replace(base, rate=each, seconds=seconds)

    calm = fire(asked(0.5, rate, CALIBRATE_S), places)
    curve = [(times, fire(asked(times, rate), places)) for times in TIMES[:-1]]
    time.sleep(REST_S)
    peak = fire(msgspec.structs.replace(base, closed=CLOSED // PROCESSES), places)
    used_s = cpu_s(pid)
    during = fire(asked(TIMES[-1], peak.goodput), places)
    had = (cpu_s(pid) - used_s) / during.seconds
    time.sleep(REST_S)
    return Round(calm=calm, peak=peak, curve=(*curve, (TIMES[-1], during)), had=had)


def fire(volley: Volley, places: Sequence[int]) -> Impact:
    """Send the same from several processes at once, each on one of `places` if there are any."""
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(VOLLEY, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)]
    for number, process in enumerate(processes):
        cpus = (places[number % len(places)],) if places else ()
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(msgspec.structs.replace(volley, cpus=cpus)))
        process.stdin.close()
    impacts = []
    for process in processes:
        with process:
            assert process.stdout is not None
            impacts.append(msgspec.json.decode(process.stdout.read(), type=Impact))
    return merged(impacts)


def merged(impacts: Sequence[Impact]) -> Impact:
    """Return several impacts of the same time as one."""
    statuses: Counter[int] = Counter()
    for impact in impacts:
        statuses.update(impact.statuses)
    return Impact(
        times_ms=[each for impact in impacts for each in impact.times_ms],
        refused_ms=[each for impact in impacts for each in impact.refused_ms],
        in_time=sum(impact.in_time for impact in impacts),
        statuses=dict(statuses),
        advised=sum(impact.advised for impact in impacts),
        lost=sum(impact.lost for impact in impacts),
        seconds=max(impact.seconds for impact in impacts),
        lags_ms=[each for impact in impacts for each in impact.lags_ms],
        cpu_s=sum(impact.cpu_s for impact in impacts),
    )


def _apart(contender: Contender) -> Sequence[int]:
    """Keep gateway and upstream on a processor each, and return those left for the clients.

    Where there are too few, the system shares them out, and nothing is returned.
    """
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < PROCESSES + 2:
        return ()
    mine, gateway = descendants(os.getpid()), descendants(contender.pid)
    for pid in mine - {os.getpid()}:
        _pin(pid, cpus[0] if pid in gateway else cpus[1])
    return cpus[2:]


def _pin(pid: int, cpu: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cpu})


def _p99(impact: Impact) -> float:
    return percentile(impact.times_ms, 0.99)


def _stage(impact: Impact) -> str:
    times, refusals = impact.times_ms, impact.refused_ms
    told = (
        f"{impact.goodput:,.0f} served/s, p50 {percentile(times, 0.5):,.1f} and p99 "
        f"{percentile(times, 0.99):,.1f} ms"
    )
    if refusals:
        told += (
            f", {len(refusals):,} refused ({impact.advised:,} with Retry-After), p50 "
            f"{percentile(refusals, 0.5):,.1f} and p99 {percentile(refusals, 0.99):,.1f} ms"
        )
    return told + (f", {impact.lost:,} lost" if impact.lost else "")
