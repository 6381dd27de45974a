"""Errors in Anthropic's envelope, in a body or inside a stream.

Shape and map: OpenRouter, errors-and-debugging and the schema `AnthropicMessagesErrorResponse`.
`error_type` is what went wrong in OpenRouter's words, `type` the nearest of Anthropic's.
"""

from typing import Any

import msgspec

from dragoman.core.errors import ContextTooLong, GatewayError, InvalidRequest
from dragoman.wire.answers import ROUTING
from dragoman.wire.errors import MASKED

INVALID = "invalid_request_error"
TYPES = {
    "authentication": "authentication_error",
    "permission_denied": "permission_error",
    "payment_required": "billing_error",
    "not_found": "not_found_error",
    "image_not_found": "not_found_error",
    "rate_limit_exceeded": "rate_limit_error",
    "provider_overloaded": "overloaded_error",
    "gateway_overloaded": "overloaded_error",
    "timeout": "timeout_error",
}
"""`error_type` -> Anthropic's type. All others by their status."""
TOO_LONG = "prompt is too long:"
"""What Anthropic says: Claude Code and others shorten the conversation on these words alone."""

_encode = msgspec.json.Encoder().encode


class ThreadRefused(InvalidRequest):
    """A conversation was to be kept, and continued by the id of its last message (Threads, beta).

    Anthropic's clients, its tool runner first of all, know this refusal by a code in `details`,
    and send the whole conversation instead.
    """


def anthropic_type(error: GatewayError) -> str:
    """Return Anthropic's word for an error."""
    return TYPES.get(error.type) or (INVALID if 400 <= error.code < 500 else "api_error")


def envelope(error: GatewayError, generation: str | None) -> bytes:
    """Return the whole body. `generation` is the request's id, None before it had one."""
    body: dict[str, Any] = {
        "type": "error",
        "error": _error(error),
        "request_id": generation,
    }
    if error.metadata and error.code != 500:
        body["metadata"] = error.metadata
    if error.routing is not None:
        body["openrouter_metadata"] = error.routing
    return _encode(body)


def error_event(error: GatewayError, generation: str | None, routing: bytes = b"") -> bytes:
    """Return the event that ends a stream which broke. `routing` is empty, or `,"name":value`."""
    if error.routing is not None and not routing:
        routing = ROUTING + _encode(error.routing)
    return b'event: error\ndata: {"type":"error","error":%b,"request_id":%b%b}\n\n' % (
        _encode(_error(error)),
        _encode(generation),
        routing,
    )


def _error(error: GatewayError) -> dict[str, Any]:
    message = MASKED if error.code == 500 else error.message
    if error.type == ContextTooLong.error_type and TOO_LONG not in message.lower():
        message = f"{TOO_LONG} {message}"
    found: dict[str, Any] = {
        "type": anthropic_type(error),
        "message": message,
        "error_type": error.type,
    }
    if isinstance(error, ThreadRefused):
        found["details"] = {"error_code": "thread_unsupported_request"}
    if error.availability is not None and error.code != 500:
        found["availability"] = error.availability
    return found
