"""What can be asked of the sums: metrics, and dimensions to group and filter by. Pure.

Names are OpenRouter's where it has them (its analytics skill, "metric catalogue"); error,
success and fallback rates, p95, `endpoint`, `tag` and what follows it are ours.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from dragoman.core.money import NanoUsd, usd
from dragoman.records.faces import SUMS
from dragoman.records.speeds import Speed, quantile

Format = Literal["number", "currency", "percent", "latency", "throughput"]
Value = int | float | None


class Totals(Struct, frozen=True):
    """What was added up: sums in the order of SUMS, and counts per bucket of each speed."""

    sums: list[int]
    speeds: dict[int, int]

    def of(self, name: str) -> int:
        """Return a sum by its name."""
        return self.sums[SUMS.index(name)]

    def counts(self, speed: Speed) -> dict[int, int]:
        """Return how many were in each bucket."""
        return {code & 0xFF: n for code, n in self.speeds.items() if code >> 8 == speed}

    def add(self, sums: list[int], speeds: Mapping[int, int]) -> None:
        """Add others to these."""
        self.sums[:] = map(int.__add__, self.sums, sums)
        for code, count in speeds.items():
            self.speeds[code] = self.speeds.get(code, 0) + count


class Metric(Struct, frozen=True, kw_only=True):
    """A metric: how it is called and shown, and how it follows from totals, of a speed's counts."""

    label: str
    format: Format
    is_rate: bool = False
    speed: Speed | None = None
    of: Callable[[Totals], Value]


class Dimension(Struct, frozen=True, kw_only=True):
    """A dimension. One that is `raw` is in no sum: generations are read one by one."""

    label: str
    raw: bool = False


def nothing() -> Totals:
    """Return totals to add to."""
    return Totals([0] * len(SUMS), {})


def _count(label: str, *names: str) -> Metric:
    return Metric(label=label, format="number", of=lambda t: sum(map(t.of, names)))


def _money(label: str, *names: str) -> Metric:
    return Metric(label=label, format="currency", of=lambda t: usd(NanoUsd(sum(map(t.of, names)))))


def _ratio(part: Callable[[Totals], int], whole: Callable[[Totals], int]) -> Callable[..., Value]:
    return lambda t: part(t) / whole(t) if whole(t) else None


def _rate(label: str, part: Callable[[Totals], int], whole: str = "requests") -> Metric:
    return Metric(
        label=label, format="percent", is_rate=True, of=_ratio(part, lambda t: t.of(whole))
    )


def _percentile(label: str, speed: Speed, part: float) -> Metric:
    shown: Format = "throughput" if speed is Speed.THROUGHPUT else "latency"
    return Metric(
        label=label,
        format=shown,
        is_rate=True,
        speed=speed,
        of=lambda t: quantile(t.counts(speed), part),
    )


def _succeeded(totals: Totals) -> int:
    return totals.of("requests") - totals.of("errors") - totals.of("cancelled")


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
    "error_rate": _rate("Error Rate", lambda t: t.of("errors")),
    "success_rate": _rate("Success Rate", _succeeded),
    "fallback_rate": _rate("Fallback Rate", lambda t: t.of("fallbacks")),
    "cache_hit_rate": _rate("Cache Hit Rate", lambda t: t.of("cached_tokens"), "prompt_tokens"),
    "avg_latency": Metric(
        label="Average Latency",
        format="latency",
        is_rate=True,
        of=_ratio(lambda t: t.of("latency_ms"), lambda t: t.of("timed")),
    ),
    "avg_throughput": Metric(
        label="Average Throughput",
        format="throughput",
        is_rate=True,
        of=_ratio(lambda t: 1000 * t.of("generated_tokens"), lambda t: t.of("generation_ms")),
    ),
    **_speeds(),
}

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
