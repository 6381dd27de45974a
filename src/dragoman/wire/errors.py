"""The `error` object that every failure carries, in a body or inside a stream.

Shape: OpenRouter, errors-and-debugging. A 500 is masked: its type stays, its words
and details do not leave the house.
"""

from typing import Any

import msgspec

from dragoman.core.errors import GatewayError

MASKED = "Internal Server Error"

_encode = msgspec.json.Encoder().encode


def error_object(error: GatewayError) -> bytes:
    """Return `{"code", "message", "metadata", "availability"?}` for an error."""
    if error.code == 500:
        return _encode({"code": 500, "message": MASKED, "metadata": {"error_type": error.type}})
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "metadata": {"error_type": error.type, **error.metadata},
    }
    if error.availability is not None:
        body["availability"] = error.availability
    return _encode(body)
