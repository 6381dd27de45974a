"""What must be reached, and whether it was, on whatever machine. Pure.

The limits hold on the reference machine. Costs in CPU time are compared with them
after division by how much slower this machine is, which is measured in the same
run: the cost of a request through `bench.bare` here, over its cost there. Ratios,
memory and latency are compared as they are.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

REFERENCE_BARE_US: Final = 25.0
"""CPU of a request through asyncio protocols of both sides, on the reference machine."""
REFERENCE_NGINX_US: Final = 12.0
"""CPU of a request through nginx there: printed beside the yardstick, to check it."""

Sense = Literal["at most", "at least"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that must be reached. `scales` is whether a slower machine may need more."""

    what: str
    bound: float
    unit: str
    sense: Sense = "at most"
    scales: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside its limit: as measured, and as the reference machine would have it."""

    limit: Limit
    measured: float
    scaled: float
    passed: bool

    def cells(self) -> tuple[str, ...]:
        """Return the verdict as text."""
        limit = self.limit
        sign = "<=" if limit.sense == "at most" else ">="
        return (
            limit.what,
            "pass" if self.passed else "FAIL",
            f"{self.measured:.4g}",
            f"{self.scaled:.4g}" if limit.scales else "–",
            f"{sign} {limit.bound:g} {limit.unit}",
        )


HEADINGS: Final = ("limit", "verdict", "measured", "scaled", "must be")

PER_REQUEST: Final = Limit(what="CPU per request, 20 endpoints", bound=120, unit="µs", scales=True)
PER_CHUNK: Final = Limit(what="CPU per chunk, unpaced", bound=6, unit="µs", scales=True)
PER_PACED_CHUNK: Final = Limit(what="CPU per chunk, paced", bound=20, unit="µs", scales=True)
PER_TRANSLATED_CHUNK: Final = Limit(
    what="CPU per chunk, paced, translated", bound=24, unit="µs", scales=True
)
ADDED_P50: Final = Limit(what="latency added at half load, p50", bound=0.5, unit="ms")
ADDED_P99: Final = Limit(what="latency added at half load, p99", bound=5, unit="ms")
LITELLM_RATIO: Final = Limit(what="CPU of LiteLLM : dragoman", bound=60, unit="x", sense="at least")
PORTKEY_RATIO: Final = Limit(what="CPU of Portkey : dragoman", bound=8, unit="x", sense="at least")
WORKER_MB: Final = 100
"""What a process that serves inference may hold."""
CONTROL_MB: Final = 60
"""What the control plane may add to the process that has it."""
MEMORY: Final = Limit(
    what="memory after 100,000 requests, worker and control plane in one process",
    bound=WORKER_MB + CONTROL_MB,
    unit="MB",
)
STREAM_MEMORY: Final = Limit(what="memory per open stream", bound=60, unit="KB")
STREAM_TLS_MEMORY: Final = Limit(what="memory per open stream, TLS upstream", bound=120, unit="KB")
GROWTH: Final = Limit(what="memory growth over the next 500,000 requests", bound=5, unit="MB")
START: Final = Limit(what="start to first answer", bound=1.5, unit="s", scales=True)


def slowness(bare_us: float | None) -> float:
    """Return how much slower this machine is than the reference; 1 when nobody measured it."""
    return bare_us / REFERENCE_BARE_US if bare_us else 1.0


def judged(limit: Limit, measured: float, factor: float) -> Verdict:
    """Hold a figure against its limit."""
    scaled = measured / factor if limit.scales else measured
    passed = scaled <= limit.bound if limit.sense == "at most" else scaled >= limit.bound
    return Verdict(limit=limit, measured=measured, scaled=scaled, passed=passed)


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return what a command ends with: 1 when a limit was missed."""
    return int(not all(verdict.passed for verdict in verdicts))
