"""The way in: headers by name, and the body within its limits.

How long a body may take is the server's to watch; a client that is too slow has left.
"""

from collections.abc import Iterable

from dragoman.core.errors import InvalidRequest, PayloadTooLarge, UnsupportedEncoding
from dragoman.web.options import MIB, ServerOptions
from dragoman.web.outlet import Receive

MOST_DIGITS = 18


class ClientLeft(Exception):
    """The client hung up before its request was complete; nobody waits for an answer."""


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the request's headers by lower-case name, of repeated ones the last."""
    return dict(pairs)


def text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    """Return a header as text, None when it is absent or empty."""
    value = headers.get(name)
    return value.decode("latin-1") if value else None


async def body(headers: dict[bytes, bytes], receive: Receive, options: ServerOptions) -> bytes:
    """Return the whole request body.

    Raises PayloadTooLarge as soon as the declared or actual length is over the
    limit, UnsupportedEncoding for a compressed body, ClientLeft when the client is
    gone before its end.
    """
    limit = options.body_bytes
    _check(headers, limit)
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(headers: dict[bytes, bytes], limit: int) -> None:
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.lower() not in {b"", b"identity"}:
        raise UnsupportedEncoding("Send the body uncompressed: Content-Encoding is not supported.")
    length = headers.get(b"content-length")
    if length is None:
        return
    if not length.isdigit() or len(length) > MOST_DIGITS:
        raise InvalidRequest("Content-Length is not a number.")
    if int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"Request payload too large: the limit is {limit / MIB:g} MiB.")
