"""What a request's head says, read by the letter, and what of it is kept for the next."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import Unreadable, UnsupportedEncoding
from dragoman.web.said import said_by
from dragoman.web.server.head import (
    LONGEST_REPEATED,
    MOST_BYTES,
    MOST_KEPT,
    Head,
    HeadReader,
    Repeated,
    check_begun,
    read_line,
    read_pair,
)
from dragoman.web.server.target import LONGEST


@pytest.mark.parametrize(
    ("wishes", "keeps"),
    [
        (["close", "keep-alive"], False),
        (["keep-alive", "close"], False),
        (["upgrade", "keep-alive"], True),
    ],
)
def test_several_connection_fields_are_one_list(wishes: list[str], *, keeps: bool) -> None:
    fields = "".join(f"\r\nConnection: {wish}" for wish in wishes)
    head = HeadReader([]).read(f"GET / HTTP/1.1\r\nHost: x{fields}".encode())
    assert head.keep_alive is keeps


def test_what_other_fields_say_is_no_wish_about_the_connection() -> None:
    head = HeadReader([]).read(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: close\r\nAccept: a")
    assert head.keep_alive
    assert b"connection" not in head.fields


@pytest.mark.parametrize(("version", "expects"), [("1.1", True), ("1.0", False)])
def test_a_client_of_http_1_0_waits_for_no_100(version: str, *, expects: bool) -> None:
    raw = f"POST / HTTP/{version}\r\nHost: x\r\nExpect: 100-continue"
    assert HeadReader([]).read(raw.encode()).expects is expects


@pytest.mark.parametrize(
    ("version", "field", "keeps"),
    [
        ("1.1", "A: b", True),
        ("1.1", "Connection: a, Close", False),
        ("1.1", "Content-Encoding: Identity", True),
        ("1.1", "Content-Encoding: gzip", None),
        ("1.1", "Upgrade: h2c", True),
        ("1.1", "Upgrade: h2c, WebSocket", None),
        ("1.1", "Expect: 100-Continue", True),
        ("1.1", "Expect: more", None),
        ("1.0", "A: b", False),
        ("1.0", "Connection: keep-alive", False),
    ],
)
def test_what_a_client_wishes_is_granted_or_refused_and_never_passed_over(
    version: str, field: str, *, keeps: bool | None
) -> None:
    raw = f"GET / HTTP/{version}\r\nHost: x\r\n{field}".encode()
    if keeps is not None:
        assert HeadReader([]).read(raw).keep_alive is keeps
        return
    with pytest.raises((Unreadable, UnsupportedEncoding)):
        HeadReader([]).read(raw)


@pytest.mark.parametrize(
    "field",
    [
        "Authorization: a", "Content-Encoding: identity", "Content-Length: 5", "Content-Type: a",
        "Expect: 100-continue", "Host: x", "Idempotency-Key: a", "Transfer-Encoding: chunked",
        "X-Api-Key: a",
    ],
)  # fmt: skip
def test_what_two_readers_could_take_differently_is_said_once(field: str) -> None:
    rows = ["POST / HTTP/1.1", *(["Host: x"] if field != "Host: x" else []), field]
    once, twice = "\r\n".join(rows), "\r\n".join([*rows, "A: b", field.lower()])
    assert HeadReader([]).read(once.encode()).pairs
    with pytest.raises(Unreadable, match=f"two {field.partition(':')[0].lower()} headers"):
        HeadReader([]).read(twice.encode())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_are_written_in_capitals(method: str) -> None:
    assert read_line(f"{method} / HTTP/1.1".encode()).method == method
    with pytest.raises(Unreadable, match="There is no method"):
        read_line(f"{method.lower()} / HTTP/1.1".encode())


def test_what_is_long_or_secret_is_not_kept() -> None:
    reader = HeadReader([])
    reader.read(b"GET /" + b"a" * 256 + b" HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 256)
    for name in (b"Authorization", b"Cookie", b"Proxy-Authorization", b"X-Api-Key"):
        reader.read(b"GET / HTTP/1.1\r\nHost: x\r\n" + name + b": s")
    assert [*reader._lines] == [b"GET / HTTP/1.1"]
    assert [*reader._pairs] == [b"Host: x"]


def test_names_the_gateway_is_called_by_are_not_kept_without_end() -> None:
    reader = HeadReader(["*"])
    for number in range(MOST_KEPT + 10):
        reader.read(b"GET / HTTP/1.1\r\nHost: h%d" % number)
    assert len(reader._hosts) == MOST_KEPT


def test_a_head_has_a_hundred_fields_at_most() -> None:
    def head(fields: int) -> bytes:
        return b"GET / HTTP/1.1\r\nHost: x" + b"\r\nA: b" * (fields - 1)

    assert len(HeadReader([]).read(head(100)).pairs) == 100
    with pytest.raises(Unreadable) as refused:
        HeadReader([]).read(head(101))
    assert refused.value.code == 431


HEAD = b"GET /a?b=c HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer secret\r\nA: b"


def test_lines_are_kept_but_for_secrets_and_not_without_end() -> None:
    reader = HeadReader(())
    head = reader.read(HEAD)
    again = reader.read(HEAD)
    assert again.pairs == head.pairs
    assert again.line is head.line
    assert again.pairs[0] is head.pairs[0]
    assert not any(b"secret" in line for line in reader._pairs)
    for number in range(3000):
        reader.read(HEAD + b"%d" % number)
    assert len(reader._pairs) <= 1024


def _outcome(read: Callable[[bytes], Head], raw: bytes) -> Head | str:
    try:
        return read(raw)
    except (Unreadable, UnsupportedEncoding) as error:
        return str(error)


FIELDS = st.sampled_from([
    b"Host: gateway", b"content-length: 5", b"Content-Length: 5", b"Content-Length: 17",
    b"Content-Length:5", b"Content-Length: 5 ", b"CONTENT-LENGTH: 5", b"X-Content-Length: 5",
    b"Content-Length: 99999999999999999999", b"Content-Length: -1", b"Content-Length: 5\r",
    b"Transfer-Encoding: chunked", b"Authorization: Bearer a", b"Authorization: Bearer b",
    b"Connection: close", b"Expect: 100-continue", b"Content-Length: 05", b"X: Content-Length: 5",
])  # fmt: skip


def _again(repeated: Repeated, raw: bytes, behind: bytes = b"{}") -> Head:
    """Return the head of which `raw` is all but the empty line, read with what is behind it."""
    found = repeated.read(raw + b"\r\n\r\n" + behind)
    assert found is not None
    assert found[1] == behind
    return found[0]


@given(st.lists(st.lists(FIELDS, min_size=1, max_size=4), min_size=2, max_size=6))
def test_who_repeats_a_head_is_read_as_if_it_were_the_first(heads: list[list[bytes]]) -> None:
    reader = HeadReader(())
    repeated = Repeated(reader)
    for lines in heads:
        for length in (None, b"Content-Length: 3", b"Content-Length: 8"):
            rows = [b"POST /a HTTP/1.1", b"Host: gateway", *lines, *([length] if length else [])]
            raw = b"\r\n".join(rows)
            assert _outcome(partial(_again, repeated), raw) == _outcome(reader.read, raw)


def test_a_head_that_differs_in_its_length_only_is_not_read_again() -> None:
    reader = HeadReader(())
    repeated = Repeated(reader)
    raw = HEAD.replace(b"A: b", b"Content-Length: %d\r\nA: b")
    first = _again(repeated, raw % 5)
    first.said = said_by(first.fields)
    repeated._reader = None  # type: ignore[assignment]
    second = _again(repeated, raw % 60)
    assert second.said is first.said
    assert (first.length, second.length) == (5, 60)
    assert second.fields == first.fields
    assert dict(second.pairs) == {**second.fields, b"content-length": b"60"}
    assert dict(first.pairs) == {**first.fields, b"content-length": b"5"}


def test_a_head_that_is_repeated_in_parts_is_read_once_it_is_all_there() -> None:
    repeated = Repeated(HeadReader(()))
    raw = HEAD.replace(b"A: b", b"Content-Length: %d\r\nA: b")
    _again(repeated, raw % 5)
    whole = raw % 123 + b"\r\n\r\n"
    assert [repeated.read(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    found = repeated.read(whole)
    assert found is not None
    assert (found[0].length, found[1]) == (123, b"")


@given(st.binary(max_size=40))
def test_any_line_is_read_or_refused(raw: bytes) -> None:
    for read in (read_line, read_pair):
        with suppress(Unreadable):
            assert read(raw)


@pytest.mark.parametrize(
    "length", ["", "x", "-1", "+5", "5 ", " 5", "5,5", "0x5", "007", "9" * 18, "9" * 19, "5\n"]
)
@pytest.mark.parametrize("behind", ["\r\nA: b", "\r\nA: c", "\nA: b", "\r\nA: b\r\nB: c", ""])
def test_whatever_length_follows_the_same_head_is_read_as_if_it_were_the_first(
    length: str, behind: str
) -> None:
    reader = HeadReader(())
    repeated = Repeated(reader)
    raw = HEAD.replace(b"A: b", b"Content-Length: ")
    _again(repeated, raw + b"5\r\nA: b")
    next_ = raw + length.encode() + behind.encode()
    assert _outcome(partial(_again, repeated), next_) == _outcome(reader.read, next_)


def test_an_empty_line_before_a_request_is_passed_over_and_no_second() -> None:
    raw = HEAD + b"\r\n\r\n"
    found = Repeated(HeadReader(())).read(b"\r\n" + raw)
    assert found is not None
    assert found[0].line.method == "GET"
    assert Repeated(HeadReader(())).read(b"\r\n") is None
    with pytest.raises(Unreadable):
        Repeated(HeadReader(())).read(b"\r\n\r\n" + raw)


LINE = b"GET / HTTP/1.1\r\n"
LONGEST_LINE = LONGEST + 32


@pytest.mark.parametrize(
    "begun",
    [
        b"", b"\r", b"G", b"FOO /", b"GET /\r", LINE, LINE + b"Host: x\r",
        b"GET /" + b"a" * (LONGEST_LINE - 5),
        LINE + b"a" * (MOST_BYTES - len(LINE)),
    ],
)  # fmt: skip
def test_what_may_become_a_head_is_waited_for(begun: bytes) -> None:
    check_begun(begun)


@pytest.mark.parametrize(
    ("begun", "status", "says"),
    [
        (b"\x16\x03\x01", 400, "Is it TLS"),
        (b"1ET /", 400, "This is not HTTP/1.1"),
        (b"GET / HTTP/1.1\n", 400, "CR LF"),
        (LINE + b"Host: x\n", 400, "CR LF"),
        (b"FOO / HTTP/1.1\r\n", 501, "There is no method FOO"),
        (b"GET /" + b"a" * (LONGEST_LINE - 4), 414, "too long"),
        (LINE + b"a" * (MOST_BYTES - len(LINE) + 1), 431, "longer than"),
    ],
)
def test_what_cannot_become_a_head_is_refused_before_it_is_all_there(
    begun: bytes, status: int, says: str
) -> None:
    with pytest.raises(Unreadable, match=says) as refused:
        check_begun(begun)
    assert refused.value.code == status


def test_a_key_is_ascii_and_other_fields_need_not_be() -> None:
    assert read_pair(b"X-Title: caf\xe9") == (b"x-title", b"caf\xe9")
    with pytest.raises(Unreadable, match="not ASCII"):
        read_pair(b"AUTHORIZATION: Bearer caf\xe9")


@pytest.mark.parametrize("spare", [0, 1])
def test_a_long_head_is_not_kept_for_who_repeats_it(spare: int) -> None:
    repeated = Repeated(HeadReader(()))
    rows = HEAD + b"\r\nContent-Length: 5"
    _again(repeated, rows + b"\r\nB: " + b"b" * (LONGEST_REPEATED - len(rows) - 5 + spare))
    assert (repeated._last is None) is bool(spare)
