"""From an error to an HTTP answer: rendered here, once."""

from dragoman.core.errors import GatewayError, RateLimited
from dragoman.wire.chat_dialect import refusal_body as error_body

__all__ = ["error_body", "error_headers"]

Headers = list[tuple[bytes, bytes]]


def error_headers(error: GatewayError) -> Headers:
    """Return the headers that tell SDKs whether and when to come back, and with what.

    A 401 without a challenge is none (RFC 9110, 15.5.2): Java's client, given an authenticator,
    throws instead of returning it.
    """
    headers: Headers = [(b"www-authenticate", b"Bearer")] if error.code == 401 else []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    if isinstance(error, RateLimited):  # its body tells them, too, as OpenRouter's does
        told: dict[str, str] = error.metadata.get("headers", {})
        headers += [(name.lower().encode(), value.encode()) for name, value in told.items()]
    should_retry = error.should_retry
    if should_retry is None and error.code < 500 and error.code not in {408, 409, 429}:
        should_retry = False
    if should_retry is not None:
        headers.append((b"x-should-retry", b"true" if should_retry else b"false"))
    return headers
