"""The values that go into a plan and come out of it."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import Endpoint


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """What this process has lately seen of an endpoint. Percentiles over five minutes.

    Latency is seconds to first content. Throughput is completion tokens a second;
    `p90` of throughput is what 90 % of requests at least reached, as OpenRouter's
    provider-selection page defines it. None: too few samples.
    """

    outage: bool = False
    """Significant faults within the last 30 s."""
    cooling: bool = False
    """Rate limited, or its credentials parked, just now."""
    latency_s: "Percentiles | None" = None
    throughput: "Percentiles | None" = None


class Percentiles(Struct, frozen=True, kw_only=True, gc=False):
    """Four points of a distribution."""

    p50: float
    p75: float
    p90: float
    p99: float


Health = Mapping[str, Seen]
"""Endpoint id -> what was seen of it. An endpoint that was never used is absent."""


class Drop(StrEnum):
    """Why an endpoint was left out of a plan: a closed set."""

    NOT_CONFIGURED = "not_configured"
    INACTIVE = "inactive"
    DEPRECATED = "deprecated"
    NOT_DEFAULT_ROUTE = "not_default_route"
    NOT_FREE = "not_free"
    ONLY_AS_FREE = "only_as_free"
    NOT_IN_ONLY = "not_in_only"
    IGNORED = "ignored"
    NOT_IN_ORDER = "not_in_order"
    NO_FALLBACKS = "no_fallbacks"
    LACKS_INPUT = "lacks_input"
    LACKS_OUTPUT = "lacks_output"
    LACKS_PARAMETER = "lacks_parameter"
    LACKS_TOOLS = "lacks_tools"
    OTHERS_SUPPORT = "others_support"
    CONTEXT_TOO_SMALL = "context_too_small"
    OUTPUT_TOO_SMALL = "output_too_small"
    QUANTIZATION = "quantization"
    OVER_MAX_PRICE = "over_max_price"
    PRICE_UNKNOWN = "price_unknown"
    COLLECTS_DATA = "collects_data"
    NOT_ZDR = "not_zdr"
    NOT_DISTILLABLE = "not_distillable"
    UNAFFORDABLE = "unaffordable"


class Refusal(Struct, frozen=True, gc=False):
    """An endpoint left out, and why, with the figures that decided."""

    endpoint: Endpoint
    drop: Drop
    detail: str


class Step(Struct, frozen=True, gc=False):
    """An endpoint to try, for which target, and why it stands where it stands."""

    endpoint: Endpoint
    target: Target
    why: str


class Plan(Struct, frozen=True, kw_only=True):
    """Endpoints to try in order, and all that were left out."""

    strategy: str
    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]


__all__ = [
    "Ask", "Drop", "Health", "Percentiles", "Plan", "Refusal", "Seen", "Step", "Target",
]  # fmt: skip
