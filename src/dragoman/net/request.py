"""The head of a request as bytes (RFC 9112, 3), refusing what would not stay one head.

The client owns framing and connection headers; a caller that brings its own could
make two readers see two different requests, so those are refused as well. All but the
length is the same for many requests, and is written once for all of them.
"""

from dragoman.net.proxy import Proxy
from dragoman.net.url import Location

# Methods whose empty body is still announced (RFC 9110, 8.6).
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})

_OURS = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip

Headers = tuple[tuple[str, str], ...]


def encode_head(
    method: str, location: Location, headers: Headers, forwarder: Proxy | None = None
) -> bytes:
    """Return request line and headers, ready for `with_length`.

    A `forwarder` is a proxy that gets the request itself: in absolute form, with its
    credential (RFC 9112, 3.2.2). Raises ValueError for CR, LF or NUL anywhere,
    characters beyond Latin-1, a method that is not letters, and headers that are the
    client's own. Messages never repeat a header's value.
    """
    if not (method.isascii() and method.isalpha()):
        raise ValueError("a method is made of ASCII letters")
    target = location.target
    if forwarder is not None:
        target = f"{location.origin.scheme}://{location.authority}{target}"
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {location.authority}",
        "Accept-Encoding: identity",
        "Connection: keep-alive",
    ]
    if forwarder is not None:
        lines += forwarder.credential_lines()
    for name, value in headers:
        if not name or name.lower() in _OURS:
            raise ValueError(f"the header {name!r} is written by the client itself")
        lines.append(f"{name}: {value}")
    return _joined(lines)


def with_length(head: bytes, method: str, size: int) -> bytes:
    """Return a whole head: with the length of the body, where there is one, and the empty line."""
    if size or method in _WITH_CONTENT:
        return b"%bContent-Length: %d\r\n\r\n" % (head, size)
    return head + b"\r\n"


def _joined(lines: list[str]) -> bytes:
    text = "\r\n".join(lines) + "\r\n"
    # One pass in C over the whole head instead of one look at each value.
    if text.count("\r") != len(lines) or text.count("\n") != len(lines) or "\0" in text:
        raise ValueError("a request's head holds CR, LF or NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("a request's head holds characters beyond Latin-1") from None
