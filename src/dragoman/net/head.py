"""The head of an answer, looked at as the one piece of bytes that it is.

The parser has judged every byte of it before: lines end in CR LF, names are tokens, no
value is folded (RFC 9112, 5). So a few searches in C say what has to be known of each
answer, and the fields are taken apart only for who asks.
"""

from dragoman.net.types import Limits

END = b"\r\n\r\n"
PLAIN = frozenset({"identity", ""})
"""Content codings that are none."""

_LENGTH = b"\r\ncontent-length:"
_TRANSFER = b"\r\ntransfer-encoding:"
_CONTENT = b"\r\ncontent-encoding:"
_ENCODING = b"-encoding:"
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_VERSION_BYTES = len(_VERSIONS[0])


def ends_with_connection(head: bytes) -> bool:
    """Whether a head names no length, so that a body goes on to the end."""
    lowered = head.lower()
    return _LENGTH not in lowered and _TRANSFER not in lowered


def refusal(head: bytes, status: int) -> str:
    """Return why an answer cannot be read, from its head; else ``.

    Of an error, the status counts, and when to come back: its content may be encoded.
    """
    if head[:_VERSION_BYTES] not in _VERSIONS:
        version = head.partition(b" ")[0].decode("latin-1")
        return f"{version} on an HTTP/1.1 connection"
    if status < 200:
        return f"status {status}, which was not asked for"
    lowered = head.lower()
    return "" if lowered.find(_ENCODING) < 0 else _encoded(lowered, status)


def excess(head: bytes, limits: Limits) -> str:
    """Return what is too much about a head that is."""
    if len(head) > limits.head_bytes:
        return f"a head over {limits.head_bytes} bytes"
    return f"a head of more than {limits.head_fields} fields"


def fields(head: bytes) -> dict[str, str]:
    """Return the fields of a head, names in lower case; of repeated ones the last."""
    found: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip(" \t")
    return found


def pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a head in their order, names in lower case."""
    found = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return [(name.lower(), value.strip(b" \t")) for name, _, value in found]


def _encoded(lowered: bytes, status: int) -> str:
    if status < 300:
        for coding in _values(lowered, _CONTENT):
            if coding not in PLAIN:
                return f"the content is encoded as {coding!r} although identity was asked for"
    for coding in _values(lowered, _TRANSFER):
        if coding != "chunked":
            return f"the transfer is encoded as {coding!r}"
    return ""


def _values(lowered: bytes, name: bytes) -> list[str]:
    """Return the values of all fields of one name. `name` comes with its line break and colon."""
    return [
        rest.partition(b"\r\n")[0].strip(b" \t").decode("latin-1")
        for rest in lowered.split(name)[1:]
    ]
