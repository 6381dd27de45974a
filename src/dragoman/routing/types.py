"""The values that go into a plan and come out of it."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import overload

from msgspec import Struct

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.byok import Byok
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
"""Endpoint id -> what was seen of it. An endpoint that was never used is absent.

An own credential of an account is present, by `Byok.rest_id`, while it rests."""


class Drop(StrEnum):
    """Why an endpoint was left out of a plan: a closed set."""

    NOT_CONFIGURED = "not_configured"
    INACTIVE = "inactive"
    DEPRECATED = "deprecated"
    NOT_DEFAULT_ROUTE = "not_default_route"
    NOT_FREE = "not_free"
    ONLY_AS_FREE = "only_as_free"
    NOT_ALLOWED = "not_allowed"
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
    BYOK_UNUSABLE = "byok_unusable"


class Refusal(Struct, frozen=True, gc=False):
    """An endpoint left out, and why, with the figures that decided."""

    endpoint: Endpoint
    drop: Drop
    detail: str


class Step(Struct, frozen=True, gc=False):
    """An endpoint to try, for which target, and why it stands where it stands.

    `byok` is the account's own credential that it is tried with; None: the installation's.
    """

    endpoint: Endpoint
    target: Target
    why: str
    byok: Byok | None = None


class Steps(Sequence[Step]):
    """Steps in order, of which only the first is known until somebody asks for another.

    Most requests are answered by the first; `rank` puts all that come after it in order.
    """

    __slots__ = ("_all", "_first", "_length", "_rank")

    def __init__(self, first: Step, length: int, rank: Callable[[], Sequence[Step]]) -> None:
        self._first = first
        self._length = length
        self._rank = rank
        self._all: tuple[Step, ...] | None = None

    @overload
    def __getitem__(self, place: int) -> Step: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Step]: ...

    def __getitem__(self, place: int | slice) -> Step | Sequence[Step]:
        return self._first if place == 0 else self._ranked()[place]

    def __len__(self) -> int:
        return self._length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._ranked() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def _ranked(self) -> tuple[Step, ...]:
        if self._all is None:
            self._all = (self._first, *self._rank())
        return self._all


class Plan(Struct, frozen=True, kw_only=True, gc=False):
    """Endpoints to try in order, and all that were left out."""

    strategy: str
    steps: Sequence[Step]
    refusals: tuple[Refusal, ...]


__all__ = [
    "Ask", "Drop", "Health", "Percentiles", "Plan", "Refusal", "Seen", "Step", "Steps", "Target",
]  # fmt: skip
