"""The head of a request as bytes (RFC 9112 section 3), refusing what would not stay one head.

The client owns framing and connection headers; a caller that brings its own could
make two readers see two different requests, so those are refused as well.
"""

from dragoman.net.types import Request
from dragoman.net.url import Location

# Methods whose empty body is still announced (RFC 9110, 8.6).
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})

_OURS = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def encode_head(request: Request, location: Location) -> bytes:
    """Return request line and headers of `request`, ending in the empty line.

    Raises ValueError for CR, LF or NUL anywhere, characters beyond Latin-1, a method
    that is not letters, and headers that are the client's own. Messages never repeat
    a header's value.
    """
    method = request.method
    if not (method.isascii() and method.isalpha()):
        raise ValueError("a method is made of ASCII letters")
    lines = [
        f"{method} {location.target} HTTP/1.1",
        f"Host: {location.authority}",
        "Accept-Encoding: identity",
        "Connection: keep-alive",
    ]
    if request.body or method in _WITH_CONTENT:
        lines.append(f"Content-Length: {len(request.body)}")
    for name, value in request.headers:
        if not name or name.lower() in _OURS:
            raise ValueError(f"the header {name!r} is written by the client itself")
        lines.append(f"{name}: {value}")
    return _joined(lines)


def _joined(lines: list[str]) -> bytes:
    text = "\r\n".join(lines) + "\r\n\r\n"
    breaks = len(lines) + 1
    # One pass in C over the whole head instead of one look at each value.
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise ValueError("a request's head holds CR, LF or NUL")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("a request's head holds characters beyond Latin-1") from None
