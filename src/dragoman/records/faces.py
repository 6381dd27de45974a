"""What is added up of many generations, and by what they are told apart. Pure."""

from enum import IntEnum

HOUR_S = 3600
DAY_S = 86_400

SUMS = (
    "requests",
    "errors",
    "cancelled",
    "fallbacks",
    "byok_requests",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "cost_nanos",
    "byok_cost_nanos",
    "timed",
    "latency_ms",
    "generation_ms",
    "generated_tokens",
)
"""What is added up. `timed` are those with a first content, which `latency_ms` sums; the last
two are of those whose content took time, so that their ratio is a speed."""


class Face(IntEnum):
    """What tells series apart, beside account, model and endpoint, and how long a row spans."""

    HOURLY = 1
    DAILY = 2
    KEYS = 3
    USERS = 4
    TAGS = 5
