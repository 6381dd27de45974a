"""From an error to an HTTP answer: rendered here, once."""

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import ROUTING, encode
from dragoman.wire.errors import error_object

Headers = list[tuple[bytes, bytes]]


def error_body(error: GatewayError) -> bytes:
    """Return the whole body: the error, and the routing where the caller asked for it."""
    body = b'{"error":' + error_object(error)
    if error.routing is not None:
        body += ROUTING + encode(error.routing)
    return body + b"}"


def error_headers(error: GatewayError) -> Headers:
    """Return the headers that tell SDKs whether and when to come back."""
    headers: Headers = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    should_retry = error.should_retry
    if should_retry is None and error.code < 500 and error.code not in {408, 409, 429}:
        should_retry = False
    if should_retry is not None:
        headers.append((b"x-should-retry", b"true" if should_retry else b"false"))
    return headers
