"""What can be asked of the sums: metrics, and dimensions to group and filter by. Pure.

Names are OpenRouter's where it has them (its analytics skill, "metric catalogue"); error,
success and fallback rates, p95, `endpoint`, `tag` and what follows it are ours.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Literal

from msgspec import Struct

from dragoman.core.money import NanoUsd, usd
from dragoman.records.faces import SUMS
from dragoman.records.speeds import Speed, quantile

Format = Literal["number", "currency", "percent", "latency", "throughput"]
Value = int | float | None


class Totals(Struct, frozen=True):
    """What was added up: sums in the order of SUMS, and counts per bucket of each speed.

    Of the sums those alone mean anything whose names are in `known`.
    """

    sums: list[int]
    speeds: dict[int, int]
    known: frozenset[str] = frozenset(SUMS)

    def of(self, name: str) -> int:
        """Return a sum by its name. Raises KeyError for one that was not added up."""
        if name not in self.known:
            raise KeyError(name)
        return self.sums[SUMS.index(name)]

    def counts(self, speed: Speed) -> dict[int, int]:
        """Return how many were in each bucket."""
        return {code & 0xFF: n for code, n in self.speeds.items() if code >> 8 == speed}

    def add(self, sums: list[int], speeds: Mapping[int, int]) -> None:
        """Add others to these."""
        self.sums[:] = map(int.__add__, self.sums, sums)
        self.count(speeds)

    def count(self, speeds: Mapping[int, int]) -> None:
        """Add counts of speeds by code."""
        for code, count in speeds.items():
            self.speeds[code] = self.speeds.get(code, 0) + count


class Metric(Struct, frozen=True, kw_only=True):
    """A metric: how it is called and shown, and how it follows from totals.

    That is from the sums it names and from a speed's counts, and from nothing else.
    """

    label: str
    format: Format
    sums: tuple[str, ...] = ()
    is_rate: bool = False
    speed: Speed | None = None
    of: Callable[[Totals], Value]


class Dimension(Struct, frozen=True, kw_only=True):
    """A dimension. One that is `raw` is in no sum: generations are read one by one."""

    label: str
    raw: bool = False


def nothing(known: frozenset[str] = frozenset(SUMS)) -> Totals:
    """Return totals to add to, of which these sums will be added up."""
    return Totals([0] * len(SUMS), {}, known)


def _count(label: str, *names: str) -> Metric:
    return Metric(label=label, format="number", sums=names, of=lambda t: sum(map(t.of, names)))


def _money(label: str, *names: str) -> Metric:
    return Metric(
        label=label,
        format="currency",
        sums=names,
        of=lambda t: usd(NanoUsd(sum(map(t.of, names)))),
    )


def _ratio(label: str, shown: Format, part: str, whole: str, times: int = 1) -> Metric:
    return Metric(
        label=label,
        format=shown,
        is_rate=True,
        sums=(part, whole),
        of=lambda t: times * t.of(part) / t.of(whole) if t.of(whole) else None,
    )


def _rate(label: str, part: str, whole: str = "requests") -> Metric:
    return _ratio(label, "percent", part, whole)


def _percentile(label: str, speed: Speed, part: float) -> Metric:
    shown: Format = "throughput" if speed is Speed.THROUGHPUT else "latency"
    return Metric(
        label=label,
        format=shown,
        is_rate=True,
        speed=speed,
        of=lambda t: quantile(t.counts(speed), part),
    )


def _success(totals: Totals) -> Value:
    requests = totals.of("requests")
    failed = totals.of("errors") + totals.of("cancelled")
    return (requests - failed) / requests if requests else None


def _speeds() -> dict[str, Metric]:
    names = {
        Speed.LATENCY: "latency",
        Speed.GENERATION: "generation_time",
        Speed.THROUGHPUT: "throughput",
    }
    return {
        f"p{number}_{name}": _percentile(
            f"P{number} {name.replace('_', ' ').title()}", speed, number / 100
        )
        for speed, name in names.items()
        for number in (50, 90, 95, 99)
    }


METRICS: Mapping[str, Metric] = {
    "request_count": _count("Request Count", "requests"),
    "byok_request_count": _count("BYOK Request Count", "byok_requests"),
    "error_count": _count("Error Count", "errors"),
    "cancelled_count": _count("Cancelled Count", "cancelled"),
    "fallback_count": _count("Fallback Count", "fallbacks"),
    "tokens_total": _count("Total Tokens", "prompt_tokens", "completion_tokens"),
    "tokens_prompt": _count("Prompt Tokens", "prompt_tokens"),
    "tokens_completion": _count("Completion Tokens", "completion_tokens"),
    "reasoning_tokens": _count("Reasoning Tokens", "reasoning_tokens"),
    "cached_tokens": _count("Cached Tokens", "cached_tokens"),
    "total_usage": _money("Total Usage", "cost_nanos", "byok_cost_nanos"),
    "credits_usage": _money("Credits Usage", "cost_nanos"),
    "byok_usage": _money("BYOK Usage", "byok_cost_nanos"),
    "error_rate": _rate("Error Rate", "errors"),
    "success_rate": Metric(
        label="Success Rate",
        format="percent",
        is_rate=True,
        sums=("requests", "errors", "cancelled"),
        of=_success,
    ),
    "fallback_rate": _rate("Fallback Rate", "fallbacks"),
    "cache_hit_rate": _rate("Cache Hit Rate", "cached_tokens", "prompt_tokens"),
    "avg_latency": _ratio("Average Latency", "latency", "latency_ms", "timed"),
    "avg_throughput": _ratio(
        "Average Throughput", "throughput", "generated_tokens", "generation_ms", times=1000
    ),
    **_speeds(),
}


def sums_of(names: Iterable[str]) -> frozenset[str]:
    """Return which sums some metrics need, and that of requests, which lines are weighed by."""
    return frozenset({"requests", *chain.from_iterable(METRICS[name].sums for name in names)})


DIMENSIONS: Mapping[str, Dimension] = {
    "model": Dimension(label="Model"),
    "variant": Dimension(label="Variant"),
    "provider": Dimension(label="Provider"),
    "endpoint": Dimension(label="Endpoint"),
    "api_key_id": Dimension(label="API Key"),
    "app": Dimension(label="App"),
    "external_user": Dimension(label="External User"),
    "tag": Dimension(label="Tag"),
    "session_id": Dimension(label="Session", raw=True),
    "origin": Dimension(label="Origin", raw=True),
    "finish_reason": Dimension(label="Finish Reason", raw=True),
    "error_type": Dimension(label="Error Type", raw=True),
    "status": Dimension(label="Status", raw=True),
    "service_tier": Dimension(label="Service Tier", raw=True),
    "context_length_bucket": Dimension(label="Context Length", raw=True),
    "generation_id": Dimension(label="Generation", raw=True),
}
