"""The head of a request, read by the letter: leniency is where two readers disagree.

RFC 9112, sections 2 to 7, without its leniencies: no bare CR or LF, no folded
lines, no space around a field's name, one `Host`, one framing. What official clients
send over and over is kept once read: a line that was good is good.
"""

import re
from collections.abc import Iterable
from typing import Final, TypeVar

from msgspec import Struct

from dragoman.core.errors import Unreadable, UnsupportedEncoding
from dragoman.web.said import Said
from dragoman.web.server import names
from dragoman.web.server.target import LONGEST, Target, read_target

MOST_BYTES: Final = 32 * 1024
MOST_FIELDS: Final = 100
MOST_DIGITS: Final = 18
MOST_KEPT: Final = 1024
LONGEST_KEPT: Final = 256
LONGEST_REPEATED: Final = 2048
CONNECTION: Final = b"connection"
CONTENT_LENGTH: Final = b"content-length"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789" + bytes(range(65, 91)) + bytes(range(97, 123))
FIELD: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"transfer-encoding",
        b"x-api-key",
    }
)
"""Fields of which a second one means that somebody is to be misled."""
SECRET: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"x-api-key"})
"""Fields that are not kept."""
VERSIONS: Final = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}

EMPTY_LINE: Final = b"\r\n"
END: Final = b"\r\n\r\n"

_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d{1,%d})(?=\r\n|\Z)" % MOST_DIGITS)

Pair = tuple[bytes, bytes]
Value = TypeVar("Value")


class Line(Struct, frozen=True):
    """The first line of a request. `minor` is that of the HTTP version: 1 or 0."""

    method: str
    target: Target
    minor: int


class Head(Struct, gc=False):
    """A head that is beyond doubt. `length` is None for a body in chunks, 0 without a body.

    `fields` are without the body's length, by which alone repeated heads differ. `said` is what
    the application made of the fields, for whoever sends the same again.
    """

    line: Line
    pairs: list[Pair]
    fields: dict[bytes, bytes]
    length: int | None
    keep_alive: bool
    expects: bool
    said: Said | None = None


class HeadReader:
    """Reads the heads of all requests. `trusted` are the names of `names.is_trusted`."""

    __slots__ = ("_hosts", "_lines", "_pairs", "_trusted")

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = tuple(trusted)
        self._lines: dict[bytes, Line] = {}
        self._pairs: dict[bytes, Pair] = {}
        self._hosts: set[bytes] = set()

    def read(self, head: bytes) -> Head:
        """Return what a head says, which comes without its last empty line.

        Raises Unreadable and UnsupportedEncoding.
        """
        first, *rest = head.split(b"\r\n")
        line = self._lines.get(first) or self._learn_line(first)
        if len(rest) > MOST_FIELDS:
            raise Unreadable(f"The request has more than {MOST_FIELDS} header fields.", 431)
        kept = self._pairs
        pairs = [kept.get(each) or self._learn_pair(each) for each in rest]
        fields = dict(pairs)
        if len(fields) != len(pairs):
            _check_once(pairs)
            wishes = [value for name, value in pairs if name == CONNECTION]
            if len(wishes) > 1:  # several fields are one list (RFC 9110, section 5.2)
                fields[CONNECTION] = b",".join(wishes)
        self._check_host(fields, line.target)
        length = body_length(fields, line.minor)
        fields.pop(CONTENT_LENGTH, None)
        return Head(
            line,
            pairs,
            fields,
            length,
            keeps_alive(fields, line.minor),
            _check_wishes(fields) and bool(line.minor),
        )

    def _learn_line(self, raw: bytes) -> Line:
        line = read_line(raw)
        if len(raw) <= LONGEST_KEPT:
            _keep(self._lines, raw, line)
        return line

    def _learn_pair(self, raw: bytes) -> Pair:
        pair = read_pair(raw)
        if len(raw) <= LONGEST_KEPT and pair[0] not in SECRET:
            _keep(self._pairs, raw, pair)
        return pair

    def _check_host(self, fields: dict[bytes, bytes], target: Target) -> None:
        host = fields.get(b"host")
        if host is None:
            raise Unreadable("The request has no Host header.")
        if target.authority is not None and target.authority.lower() != host.lower():
            raise Unreadable("The Host header is not that of the URL.")
        if host in self._hosts:
            return
        name = names.name_of(host)
        if name is None:
            raise Unreadable("The Host header is not a host.")
        if not names.is_trusted(name, self._trusted):
            raise Unreadable(f"This gateway is not called {name}. Its names are in server.hosts.")
        if len(self._hosts) < MOST_KEPT:
            self._hosts.add(host)


class Repeated:
    """Reads the heads of one client, who mostly repeats the last but for the body's length.

    So the last is kept for as long as the connection is, with its key, which is why it is
    this connection's own.
    """

    __slots__ = ("_after", "_before", "_last", "_place", "_reader")

    def __init__(self, reader: HeadReader) -> None:
        self._reader = reader
        self._before = self._after = b""  # all but the length, with the empty line at the end
        self._last: Head | None = None
        self._place = 0  # of the length among the pairs

    def read(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return the head that data begins with and what is behind it, None if it is not all there.

        Raises what `HeadReader.read` raises.
        """
        last, before, after = self._last, self._before, self._after
        start = len(before)
        if last is None or data[:start] != before:
            return self._read(data)
        end = data.find(b"\r", start, start + MOST_DIGITS + 1)
        rest = end + len(after)
        length = data[start:end]
        if not length.isdigit() or data[end:rest] != after:
            return self._read(data)
        pairs = last.pairs.copy()
        pairs[self._place] = (CONTENT_LENGTH, length)
        said, size = last.said, int(length)
        head = Head(last.line, pairs, last.fields, size, last.keep_alive, last.expects, said)
        return head, data[rest:]

    def _read(self, data: bytes) -> tuple[Head, bytes] | None:
        start = 2 if data.startswith(EMPTY_LINE) else 0  # RFC 9112, section 2.2
        end = data.find(END, start)
        if end < 0 or end - start > MOST_BYTES:
            check_begun(data[start : end if end >= 0 else None])
            return None
        return self._learn(data[start:end]), data[end + len(END) :]

    def _learn(self, raw: bytes) -> Head:
        head = self._reader.read(raw)
        found = _LENGTH.search(raw)
        if found is not None and len(raw) <= LONGEST_REPEATED:
            start, end = found.span(1)
            self._place = [name for name, _ in head.pairs].index(CONTENT_LENGTH)
            self._before, self._after, self._last = raw[:start], raw[end:] + END, head
        return head


def check_begun(begun: bytes) -> None:
    """Raise Unreadable as soon as what has come of a head cannot become a good one."""
    if begun in {b"", b"\r"}:
        return
    if begun.count(b"\n") != begun.count(b"\r\n"):
        raise Unreadable("A line of the request does not end in CR LF.")
    if not begun[:1].isalpha():
        raise Unreadable("This is not HTTP/1.1. Is it TLS, for a gateway that has no certificate?")
    end = begun.find(b"\r\n")
    if end >= 0 or len(begun) > LONGEST + 32:
        read_line(begun[: end if end >= 0 else None])
    if len(begun) > MOST_BYTES:
        raise Unreadable(f"The head of the request is longer than {MOST_BYTES} bytes.", 431)


def read_line(raw: bytes) -> Line:
    """Return what a request's first line says (RFC 9112, section 3). Raises Unreadable."""
    if len(raw) > LONGEST + 32:
        raise Unreadable(f"The URL is too long: the limit is {LONGEST} bytes.", 414)
    parts = raw.split(b" ")
    if len(parts) != 3:
        raise Unreadable("The first line of the request is not `METHOD /path HTTP/1.1`.")
    verb, target, version = parts
    minor = VERSIONS.get(version)
    if minor is None:
        status = 505 if version.startswith(b"HTTP/") and verb != b"PRI" else 400
        raise Unreadable("The gateway speaks HTTP/1.1.", status)
    if not verb or verb.translate(None, TOKEN):
        raise Unreadable("The first line of the request does not begin with a method.")
    method = str(verb, "ascii")
    if method not in METHODS:
        raise Unreadable(f"There is no method {method[:20]} here.", 501)
    return Line(method, read_target(target, method), minor)


def read_pair(raw: bytes) -> Pair:
    """Return a field's name in lower case and its value (RFC 9112, 5). Raises Unreadable."""
    name, colon, value = raw.partition(b":")
    if not colon or not name or name.translate(None, TOKEN):
        raise Unreadable("A header line is not `Name: value`.")
    if b"_" in name:
        raise Unreadable("A header has an underscore in its name, which proxies read as a hyphen.")
    if value.translate(None, FIELD):
        raise Unreadable("A header has a control character in it.")
    name, value = name.lower(), value.strip(b" \t")
    if name == b"authorization" and not value.isascii():
        raise Unreadable("The Authorization header is not ASCII.")
    return name, value


def body_length(fields: dict[bytes, bytes], minor: int) -> int | None:
    """Return how long the body is, None for chunks (RFC 9112, section 6). Raises Unreadable."""
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise Unreadable("The request has a Content-Length and a Transfer-Encoding.")
        if coding.lower() != b"chunked" or not minor:
            raise Unreadable("The only Transfer-Encoding is `chunked`, in HTTP/1.1.")
        return None
    if length is None:
        return 0
    if not length.isdigit() or len(length) > MOST_DIGITS:
        raise Unreadable("Content-Length is not a number.")
    return int(length)


def keeps_alive(fields: dict[bytes, bytes], minor: int) -> bool:
    """Say whether the connection outlives the request (RFC 9112, section 9.3)."""
    wish = fields.get(CONNECTION)
    return bool(minor) and (wish is None or b"close" not in options(wish))


def options(value: bytes) -> set[bytes]:
    """Return the members of a field that is a list of words, in lower case."""
    return {each.strip(b" \t") for each in value.lower().split(b",")}


def _check_wishes(fields: dict[bytes, bytes]) -> bool:
    """Return whether the client waits for a 100. Raises what refuses other wishes."""
    encoding = fields.get(b"content-encoding")
    if encoding and encoding.lower() != b"identity":
        raise UnsupportedEncoding("Send the body uncompressed: no Content-Encoding is supported.")
    upgrade = fields.get(b"upgrade")
    if upgrade is not None and b"websocket" in options(upgrade):
        raise Unreadable("There are no WebSockets here.")
    expected = fields.get(b"expect")
    if expected is None:
        return False
    if expected.lower() != b"100-continue":
        raise Unreadable("Nothing can be expected but 100-continue.", 417)
    return True


def _check_once(pairs: list[Pair]) -> None:
    seen = set[bytes]()
    for name, _ in pairs:
        if name in seen and name in ONCE:
            raise Unreadable(f"The request has two {name.decode()} headers.")
        seen.add(name)


def _keep(kept: dict[bytes, Value], raw: bytes, value: Value) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[raw] = value
