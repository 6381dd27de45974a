"""Answers that are wrong in every way: nothing breaks, hangs, grows or is left behind."""

from contextlib import suppress
from itertools import pairwise

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.net import head as heads
from dragoman.net.exchange import HIGH_WATER, Exchange
from dragoman.net.types import Limits, NetError
from tests.net.carrier import FakeCarrier, exchange, finished
from tests.net.upstream import answer, chunked

LIMITS = Limits(head_bytes=2000, head_fields=20, body_bytes=5000)
OUT_OF_REACH = Limits(head_bytes=1_000_000, head_fields=1_000_000)
"""Some bounds bite at some cuts only: they bound memory, and a large read is in memory already."""
SEEDS = [
    answer(b"data: {}\n\n" * 3, "Content-Type: text/event-stream", "X-A: b"),
    chunked(b"data: {}\n\n", b"x" * 300, b": ping\n\n"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + answer(b"abc"),
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    answer(b"", status="204 No Content"),
    answer(b"x" * 600, "Connection: close", status="500 Internal Server Error"),
    answer(b"one") + answer(b"two"),
]
PIECES = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1", b"\xff",
    b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n", b"HTTP/1.1 200 OK\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Content-Encoding: br\r\n",
    b"Connection: close\r\n", b"Upgrade: x\r\nConnection: upgrade\r\n", b"HTTP/1.1 100 C\r\n\r\n",
    b"HTTP/1.1 101 S\r\n\r\n", b"X: " + b"y" * 2100, b"X: y\r\n" * 25, b"z" * 6000, b" folded\r\n",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return an answer that was good before some of its bytes were lost, doubled or replaced."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.sampled_from([0, 0, 1, 2, 8, 40])))
        put = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(data[at:until] * 2))
        data = data[:at] + put + data[until:]
    return data


@st.composite
def in_pieces(draw: st.DrawFn) -> list[bytes]:
    data = draw(mutated())
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=8))
    return [data[a:b] for a, b in pairwise([0, *sorted(cuts), len(data)])]


class Heard:
    """What the parser itself hears of a first answer."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.done = False
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            self.fields[name.decode("latin-1").lower()] = value.decode("latin-1").strip(" \t")

    def on_headers_complete(self) -> None:
        if self.done:
            return
        if 100 <= self.parser.get_status_code() < 200 and self.parser.get_status_code() != 101:
            self.fields.clear()
        else:
            self.done = True


@given(
    pieces=in_pieces(),
    method=st.sampled_from(["POST", "HEAD"]),
    end=st.sampled_from(["eof", "reset", "sweep", "close", "release"]),
    eager=st.booleans(),
)
@example(pieces=[b"HTTP/1.1 200 OK\r\n\r\n"], method="POST", end="sweep", eager=False)
def test_any_answer_ends_and_leaves_its_connection_once(
    pieces: list[bytes], method: str, end: str, *, eager: bool
) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier, method, LIMITS)
    for piece in pieces:
        one.feed(piece)
        assert one._buffered <= HIGH_WATER + sum(map(len, pieces))
        if eager and one._parts:
            finished(one.__anext__())
    _end(one, carrier, end)
    body = _read(one)
    one.close()
    one.close()
    assert carrier.done.count("finish") == 1
    assert carrier.done[-1] == "finish"
    assert len(body) <= sum(map(len, pieces))
    if "cut" not in carrier.done:
        assert one._reusable
        assert one._error is None


def _end(one: Exchange, carrier: FakeCarrier, end: str) -> None:
    if end == "sweep":
        one.sweep(1e9)
    elif end in {"close", "release"}:
        getattr(one, end)()
    if "finish" not in carrier.done:  # else nobody would tell it any more
        one.lost("reset" if end == "reset" else "eof", "gone")


def _read(one: Exchange) -> bytes:
    try:
        finished(one.head())
        return finished(one.read())
    except NetError:
        return b""


@given(in_pieces())
def test_what_is_kept_is_the_same_however_it_was_cut(pieces: list[bytes]) -> None:
    ends = []
    for cut in (pieces, [b"".join(pieces)], [bytes([byte]) for byte in b"".join(pieces)]):
        carrier = FakeCarrier()
        one = exchange(carrier, limits=OUT_OF_REACH)
        for piece in cut:
            one.feed(piece)
        whole = one._complete and one._error is None
        body = _read(one) if whole else b""
        one.close()
        # Whole at any cut: what was surplus may have come before or after the end was seen.
        ends.append((whole, one.status if whole else 0, body, "cut" in carrier.done))
    assert ends[0] == ends[1] == ends[2]


@given(mutated())
def test_fields_are_those_that_the_parser_hears(data: bytes) -> None:
    one = exchange(limits=LIMITS)
    one.feed(data)
    heard = Heard()
    with suppress(HttpParserError, HttpParserUpgrade):
        heard.parser.feed_data(data)
    if one._head_done:
        assert heard.done
        assert one.headers == heard.fields
        framed = {"content-length", "transfer-encoding"} & heard.fields.keys()
        assert heads.ends_with_connection(one.raw_head) == (not framed)
