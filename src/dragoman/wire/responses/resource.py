"""The response object: what a whole answer is, and what the first and last events repeat.

It says back what was asked for, with OpenAI's defaults where nothing was. The strict clients of
OpenRouter want all members that its schema requires, null or not (`BaseResponsesResult`).
`usage` is left out until it is known, as OpenRouter does: its schema allows no null there.
`completed_at` is null: there is no clock here; what a provider of the same API tells is passed on.
"""

from msgspec import Raw

from dragoman.wire.answers import Stamp, encode
from dragoman.wire.dialect import Spent
from dragoman.wire.hub import Members
from dragoman.wire.responses.raw import NULL, on_one_line

_NULL = b"null"
_ECHOED = {
    "background": b"false",
    "instructions": _NULL,
    "max_output_tokens": _NULL,
    "max_tool_calls": _NULL,
    "metadata": b"{}",
    "parallel_tool_calls": b"true",
    "previous_response_id": _NULL,
    "presence_penalty": _NULL,
    "frequency_penalty": _NULL,
    "prompt_cache_key": _NULL,
    "reasoning": b'{"effort":null,"summary":null}',
    "safety_identifier": _NULL,
    "store": b"false",
    "temperature": _NULL,
    "text": b'{"format":{"type":"text"}}',
    "tool_choice": b'"auto"',
    "tools": b"[]",
    "top_logprobs": b"0",
    "top_p": _NULL,
    "truncation": b'"disabled"',
    "user": _NULL,
}
"""Members that say what was asked for, and what they say where the request is silent."""

_ALWAYS = _ECHOED | dict.fromkeys(("completed_at", "error", "incomplete_details"), _NULL)

INCOMPLETE = {"length": b"max_output_tokens", "content_filter": b"content_filter"}
"""Finish reason -> why a response is incomplete (OpenAI, `incomplete_details.reason`)."""


class Resource:
    """The response to one request, at any moment of it."""

    __slots__ = ("_echo", "_head", "tier")

    def __init__(self, stamp: Stamp, asked: Members) -> None:
        self._head = b'{"id":%b,"object":"response","created_at":%d,"model":%b%b' % (
            encode(stamp.id),
            stamp.created,
            encode(stamp.model),
            b',"provider":' + encode(stamp.provider) if stamp.provider else b"",
        )
        self._echo = _echo(asked)
        self.tier: str | None = None
        """The service tier that the provider reported."""

    def begun(self) -> bytes:
        """Return it as it is before anything was said."""
        return self._whole(b"in_progress", b"", b"", b"", b"null")

    def ended(self, output: bytes, finish: str | None, spent: Spent, routing: bytes) -> bytes:
        """Return it whole. `output` are the items, `routing` a member to add or nothing."""
        usage = usage_body(spent)
        reason = INCOMPLETE.get(finish or "")
        if reason is None:
            return self._whole(b"completed", output, routing, usage, b"null")
        details = b'{"reason":"%b"}' % reason
        return self._whole(b"incomplete", output, routing, usage, details)

    def cut(self, output: bytes, spent: Spent | None, routing: bytes) -> bytes:
        """Return it as ended for its length, by an error that is no failure in this API."""
        usage = b"" if spent is None else usage_body(spent)
        details = b'{"reason":"max_output_tokens"}'
        return self._whole(b"incomplete", output, routing, usage, details)

    def failed(
        self, output: bytes, error: bytes, error_type: str, spent: Spent | None, routing: bytes
    ) -> bytes:
        """Return it as broken off by an error: `{"code","message"}`."""
        usage = b"" if spent is None else usage_body(spent)
        more = b',"error_type":%b%b' % (encode(error_type), routing)
        return self._whole(b"failed", output, more, usage, b"null", error)

    def _whole(
        self,
        status: bytes,
        output: bytes,
        more: bytes,
        usage: bytes,
        details: bytes,
        error: bytes = b"null",
    ) -> bytes:
        return b"".join((
            self._head, b',"status":"', status, b'","completed_at":null,"output":[',
            output, b'],"error":', error, b',"incomplete_details":', details,
            b',"usage":' if usage else b"", usage,
            b',"service_tier":', encode(self.tier), self._echo, more, b"}",
        ))  # fmt: skip


def required(asked: Members) -> Members:
    """Return the members that no response may be without, as far as they are known from asking."""
    told = {name: asked[name] for name in _ECHOED if asked.get(name, NULL) != NULL}
    return {name: Raw(value) for name, value in _ALWAYS.items()} | told


def _echo(asked: Members) -> bytes:
    told = {name: bytes(asked[name]) for name in _ECHOED if asked.get(name, NULL) != NULL}
    echo = b"".join(
        b',"%b":%b' % (name.encode(), value) for name, value in (_ECHOED | told).items()
    )
    return on_one_line(echo)


def usage_body(spent: Spent) -> bytes:
    """Return the `usage` object (OpenRouter, `Usage`). What it cost is left out where unknown."""
    usage, billing = spent.usage, spent.billing
    cost = b"" if billing.cost is None else b',"cost":' + encode(billing.cost)
    details = b""
    if billing.prompt is not None and billing.completion is not None:
        details = (
            b',"cost_details":{"upstream_inference_cost":%b,"upstream_inference_input_cost":%b,'
            b'"upstream_inference_output_cost":%b}'
            % (encode(billing.upstream), encode(billing.prompt), encode(billing.completion))
        )
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d},'
        b'"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d'
        b'%b,"is_byok":%b%b}'
        % (
            usage.prompt,
            usage.cached,
            usage.cache_write,
            usage.completion,
            usage.reasoning,
            usage.prompt + usage.completion,
            cost,
            encode(billing.is_byok),
            details,
        )
    )
