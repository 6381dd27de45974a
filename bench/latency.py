"""Latency added: the same requests at half the rate a gateway can serve, through it and past it."""

import statistics
import subprocess
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from bench.client import Drive, Sample
from bench.contenders import Contender


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway adds at a rate, in ms: medians over rounds; `rate` is requests a second."""

    rate: float
    p50_ms: float
    p99_ms: float
    direct_p50_ms: float
    direct_p99_ms: float


def to(contender: Contender, model: str, rate: float, seconds: float) -> Drive:
    """Return a drive to a contender's chat route."""
    place = urlsplit(contender.url)
    return Drive(
        port=place.port or 80,
        path=f"{place.path}/chat/completions",
        key=contender.keys.read_text().split()[0],
        model=model,
        rate=rate,
        seconds=seconds,
    )


def apart(drives: Sequence[Drive]) -> list[Sample]:
    """Drive each in a process of its own, all at the same time."""
    command = [sys.executable, "-m", "bench.client"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe) for _ in drives]
    for process, drive in zip(processes, drives, strict=True):
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(drive))
        process.stdin.close()
    samples = []
    for process in processes:
        with process:
            assert process.stdout is not None
            samples.append(msgspec.json.decode(process.stdout.read(), type=Sample))
    return samples


def added(direct: Drive, through: Drive, rounds: int) -> Added:
    """Measure turn by turn. Raises SystemExit when a request is not answered."""
    pairs = [(apart([direct])[0], apart([through])[0]) for _ in range(rounds)]
    for pair in pairs:
        for sample in pair:
            if sample.lost or sample.refused:
                raise SystemExit(f"at half load: {sample.lost} lost, {sample.statuses}")
    return Added(
        rate=through.rate,
        p50_ms=_median_added(pairs, 0.5),
        p99_ms=_median_added(pairs, 0.99),
        direct_p50_ms=statistics.median(each.percentile_ms(0.5) for each, _ in pairs),
        direct_p99_ms=statistics.median(each.percentile_ms(0.99) for each, _ in pairs),
    )


def _median_added(pairs: list[tuple[Sample, Sample]], share: float) -> float:
    return statistics.median(
        through.percentile_ms(share) - direct.percentile_ms(share) for direct, through in pairs
    )
