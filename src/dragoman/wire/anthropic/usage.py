"""The `usage` object of a message: Anthropic's counts, and what OpenRouter adds to them.

Source: OpenRouter's schemas `AnthropicUsage` and `MessagesResult`. Tokens read from and written
to a cache stand outside of `input_tokens`; what a provider of the same API said beside the
counts is kept.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.wire.answers import Billing
from dragoman.wire.dialect import Spent
from dragoman.wire.hub import Members
from dragoman.wire.usage import Usage

_encode = msgspec.json.Encoder().encode
_ALWAYS = ("cache_creation", "inference_geo", "output_tokens_details", "server_tool_use",
           "service_tier")  # fmt: skip
_NULL = Raw(b"null")

NOT_YET: Mapping[str, int | None] = {
    **dict.fromkeys(_ALWAYS),
    "input_tokens": 0,
    "output_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}
"""What a stream begins with, before anything was counted: all members that the types promise."""


def usage_members(spent: Spent, said: Members, *, tier: str | None = None) -> Members:
    """Return the whole object. `said` is what the provider's own had, empty if it had none."""
    usage = spent.usage
    found: Members = dict.fromkeys(_ALWAYS, _NULL)
    if usage.cache_write:
        hour = min(usage.cache_write_1h, usage.cache_write)
        lasting = {
            "ephemeral_5m_input_tokens": usage.cache_write - hour,
            "ephemeral_1h_input_tokens": hour,
        }
        found["cache_creation"] = Raw(_encode(lasting))
    if usage.reasoning:
        found["output_tokens_details"] = Raw(b'{"thinking_tokens":%d}' % usage.reasoning)
    if usage.searches:
        found["server_tool_use"] = Raw(
            b'{"web_search_requests":%d,"web_fetch_requests":0}' % usage.searches
        )
    if tier is not None:
        found["service_tier"] = Raw(_encode("standard" if tier == "default" else tier))
    return found | said | _counts(usage) | _costs(spent.billing)


def _counts(usage: Usage) -> Members:
    fresh = max(0, usage.prompt - usage.cached - usage.cache_write)
    return {
        "input_tokens": Raw(b"%d" % fresh),
        "output_tokens": Raw(b"%d" % usage.completion),
        "cache_creation_input_tokens": Raw(b"%d" % usage.cache_write),
        "cache_read_input_tokens": Raw(b"%d" % usage.cached),
    }


def _costs(billing: Billing) -> Members:
    """Return what it cost; left out where that is unknown, as in every dialect."""
    found: Members = {}
    if billing.cost is not None:
        found["cost"] = Raw(_encode(billing.cost))
    found["is_byok"] = Raw(_encode(billing.is_byok))
    if billing.prompt is not None and billing.completion is not None:
        details = {
            "upstream_inference_cost": billing.upstream,
            "upstream_inference_prompt_cost": billing.prompt,
            "upstream_inference_completions_cost": billing.completion,
        }
        found["cost_details"] = Raw(_encode(details))
    return found
