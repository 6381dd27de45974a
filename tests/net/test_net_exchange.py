"""HTTP answers, byte by byte, without a socket: what is read, kept, bounded and refused."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.net.exchange import HIGH_WATER, MOST_INTERIM
from dragoman.net.types import Limits, NetError
from tests.net.carrier import FakeCarrier, exchange, failure, fed, finished
from tests.net.upstream import answer, chunked


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


BODY = b"data: {}\n\n: x\n\n" * 3
ANSWERS = {
    "length": answer(BODY, "X-A: b"),
    "chunks": chunked(BODY[:1], BODY[1:20], BODY[20:]),
    "chunk extensions and trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b'2D;a=b;c="d"\r\n' + BODY + b"\r\n0\r\nX-Sum: 1\r\nStatus: 500\r\n\r\n"
    ),
    "interim answers first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(BODY)
    ),
}


@pytest.mark.parametrize("framing", ANSWERS)
@given(cuts=st.lists(st.integers(0, 2**16)), eager=st.booleans())
def test_an_answer_does_not_depend_on_how_the_network_cuts_it(
    framing: str, cuts: list[int], *, eager: bool
) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    read = b""
    for piece in cut(ANSWERS[framing], cuts):
        one.feed(piece)
        if eager and one._parts:
            read += finished(one.__anext__())
    finished(one.head())
    read += finished(one.read())
    one.close()
    assert (one.status, read) == (200, BODY)
    assert "link" not in one.headers
    assert "x-sum" not in one.headers
    assert carrier.done == ["finish"]


@given(st.lists(st.integers(0, 2**16)))
def test_a_body_without_framing_ends_with_the_connection(cuts: list[int]) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    for piece in cut(b"HTTP/1.0 200 OK\r\n\r\n" + BODY, cuts):
        one.feed(piece)
    one.lost("eof", "")
    assert finished(one.read()) == BODY
    one.close()
    assert carrier.done == ["cut", "finish"]


@given(st.binary())
def test_garbage_fails_or_waits_but_never_breaks(garbage: bytes) -> None:
    one = fed(garbage)
    one.lost("eof", "")
    assert failure(one).phase in {"protocol", "eof"}


def test_header_names_are_in_lower_case_and_the_last_one_wins() -> None:
    one = fed(answer(b"", "X-A: 1", "x-a:  2 \t", "X-Empty:", "X-Latin: \xe9"))
    assert one.headers == {"content-length": "0", "x-a": "2", "x-empty": "", "x-latin": "é"}


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("POST", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("POST", answer(b"", "Upgrade: h2c", "Connection: Upgrade")),
    ],
)
def test_some_answers_have_no_body_and_leave_the_connection_fit(method: str, data: bytes) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier, method)
    one.feed(data)
    assert finished(one.read()) == b""
    one.close()
    assert carrier.done == ["finish"]


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("POST", answer(b"x", "Connection: close")),
        ("POST", answer(b"x") + b"surplus"),
        ("POST", answer(b"x") + answer(b"y", status="500 No")),
        ("POST", answer(b"x", "Connection: close") + b"surplus"),
        ("POST", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ("HEAD", answer(b"x")),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
)
def test_a_connection_is_cut_after_an_answer_that_leaves_it_unfit(method: str, data: bytes) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier, method)
    one.feed(data)
    assert finished(one.read()) == (b"" if method == "HEAD" else b"x")
    assert one.status == 200
    one.close()
    assert carrier.done == ["cut", "finish"]


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\0\1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        answer(b"\x1f\x8b", "Content-Encoding: gzip"),
        answer(b"\x1f\x8b", "Content-Encoding: GZIP"),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_a_protocol_error(data: bytes) -> None:
    assert failure(fed(data)).phase == "protocol"


@pytest.mark.parametrize("status", [301, 401, 429, 503])
def test_of_an_error_the_head_counts_however_its_content_is_encoded(status: int) -> None:
    head = "Content-Encoding: gzip\r\nRetry-After: 9"
    one = fed(answer(b"\x1f\x8b", head).replace(b"200", b"%d" % status, 1))
    finished(one.head())
    assert (one.status, one.headers["retry-after"]) == (status, "9")
    assert finished(one.read()) == b"\x1f\x8b"


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_identity_is_no_encoding(coding: str) -> None:
    assert finished(fed(answer(b"x", f"Content-Encoding: {coding}")).read()) == b"x"


def test_a_body_that_breaks_its_framing_is_given_up_to_there() -> None:
    one = fed(chunked(b"abc")[:-5] + b"zz\r\n")
    finished(one.head())
    assert finished(one.__anext__()) == b"abc"
    with pytest.raises(NetError) as raised:
        finished(one.__anext__())
    assert raised.value.phase == "protocol"


@pytest.mark.parametrize(
    "pieces",
    [
        [answer(b"", "X: " + "a" * 1000)],
        [b"HTTP/1.1 200 OK\r\nX: ", b"a" * 990, b"b" * 50],
        [b"HTTP/1.1 200 ", b"O" * 1024],
        [answer(b"", *["X: a"] * 300)],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"] * 100,
    ],
)
def test_a_head_is_bounded_however_it_grows(pieces: list[bytes]) -> None:
    assert failure(fed(*pieces, limits=Limits(head_bytes=1000))).phase == "too_large"


@pytest.mark.parametrize(("fields", "fits"), [(10, True), (11, False)])
def test_the_fields_of_a_head_are_counted(fields: int, *, fits: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"Content-Length: 0\r\n" + b"X: y\r\n" * (fields - 1)
    one = fed(head + b"\r\n", limits=Limits(head_fields=10))
    assert one._head_done == fits
    if not fits:
        assert failure(one).detail == "a head of more than 10 fields"


def test_interim_answers_are_few() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    assert finished(fed(interim * MOST_INTERIM + answer(b"x")).read()) == b"x"
    one = fed(interim * (MOST_INTERIM + 1) + answer(b"x"))
    assert failure(one).phase == "too_large"


@pytest.mark.parametrize(("again", "fits"), [("chunked", True), ("gzip", False)])
def test_of_two_codings_of_the_transfer_none_may_be_unknown(again: str, *, fits: bool) -> None:
    data = chunked(b"abc").replace(b"\r\n", f"\r\nTransfer-Encoding: {again}\r\n".encode(), 1)
    if fits:
        assert finished(fed(data).read()) == b"abc"
    else:
        assert failure(fed(data)).phase == "protocol"


async def test_a_whole_body_wakes_its_reader_once() -> None:
    one = fed(answer(b"abc")[:-3])
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    waiter = one._waiter
    one.feed(b"a")
    one.feed(b"b")
    assert one._waiter is waiter
    one.feed(b"c")
    assert one._waiter is None
    assert await reading == b"abc"


def test_trailers_are_bounded_too() -> None:
    one = fed(chunked(b"abc")[:-2], b"X: ", *[b"a" * 100] * 11, limits=Limits(head_bytes=1000))
    assert finished(one.__anext__()) == b"abc"
    with pytest.raises(NetError) as raised:
        finished(one.__anext__())
    assert raised.value.phase == "too_large"


def test_the_framing_of_a_long_stream_is_not_mistaken_for_a_long_head() -> None:
    one = fed(chunked()[:-5], *[b"1\r\n", b"a", b"\r\n"] * 500, limits=Limits(head_bytes=1000))
    one.feed(b"0\r\n\r\n")
    assert len(finished(one.read())) == 500


@pytest.mark.parametrize(("limit", "fits"), [(3, True), (2, False)])
def test_a_whole_body_is_bounded(limit: int, *, fits: bool) -> None:
    carrier = FakeCarrier()
    one = exchange(carrier, limits=Limits(body_bytes=limit))
    one.feed(answer(b"abc"))
    if fits:
        assert finished(one.read()) == b"abc"
    else:
        with pytest.raises(NetError) as raised:
            finished(one.read())
        assert raised.value.phase == "too_large"
    one.close()
    assert carrier.done == (["finish"] if fits else ["cut", "finish"])


def test_what_has_arrived_is_one_chunk() -> None:
    one = fed(*cut(chunked(b"ab", b"cd", b"ef"), range(0, 100, 3)))
    assert finished(one.__anext__()) == b"abcdef"


def test_a_reader_who_lags_makes_the_peer_wait_and_lets_it_go_on() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(answer(b"x" * (HIGH_WATER + 9))[:-8])
    assert carrier.done == ["pause"]
    one.feed(b"x" * 4)
    assert carrier.done == ["pause"]
    assert len(finished(one.__anext__())) == HIGH_WATER + 5
    assert carrier.done == ["pause", "resume"]
    one.feed(b"x" * 4)
    one.close()
    assert carrier.done == ["pause", "resume", "finish"]


async def test_who_waits_reads_next_and_the_peer_need_not_stop() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    reading = asyncio.create_task(one.__anext__())
    await asyncio.sleep(0)
    head, _, body = answer(b"x" * (HIGH_WATER + 9)).partition(b"\r\n\r\n")
    one.feed(head + b"\r\n\r\n")
    await asyncio.sleep(0)
    one.feed(body[:-8])
    assert carrier.done == []
    one.feed(b"x" * 4)
    assert carrier.done == ["pause"], "nobody has read it by the next time"
    assert len(await reading) == HIGH_WATER + 5
    assert carrier.done == ["pause", "resume"]
    one.close()


def test_a_paused_connection_goes_on_before_it_is_kept() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(answer(b"x" * (HIGH_WATER + 2))[:-1])
    one.feed(b"x")
    one.close()
    assert carrier.done == ["pause", "resume", "finish"]


class Bowl:
    """Takes what is poured, until it has had so many pieces. Each is then taken in turn."""

    def __init__(self, most: int = 1000) -> None:
        self.pieces: list[bytes] = []
        self.most = most

    def take(self, data: bytes) -> bool:
        self.pieces.append(data)
        return len(self.pieces) < self.most


@given(st.lists(st.integers(0, 2**16)), st.integers(1, 5))
def test_what_is_poured_is_the_whole_body_whoever_pauses(cuts: list[int], most: int) -> None:
    async def poured() -> None:
        carrier = FakeCarrier()
        one = exchange(carrier)
        bowls = []

        async def drink() -> None:
            ended = False
            while not ended:
                bowls.append(Bowl(most))
                ended = await one.pour(bowls[-1].take)

        drinking = asyncio.create_task(drink())
        for piece in cut(ANSWERS["chunks"], cuts):
            one.feed(piece)
            await asyncio.sleep(0)
        await asyncio.wait_for(drinking, 5)
        assert b"".join(piece for bowl in bowls for piece in bowl.pieces) == BODY
        one.close()
        assert carrier.done == ["finish"]

    asyncio.run(poured())


async def test_who_pours_sleeps_while_pieces_come() -> None:
    one, bowl = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab"), Bowl()
    pouring = asyncio.create_task(one.pour(bowl.take))
    await asyncio.sleep(0)
    one.feed(b"cd")
    assert bowl.pieces == [b"ab", b"cd"], "taken before any task ran"
    one.feed(b"ef")
    assert await pouring


async def test_a_pause_in_pouring_makes_the_peer_wait() -> None:
    carrier = FakeCarrier()
    one, bowl = exchange(carrier), Bowl(most=1)
    one.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\na" % (2 * HIGH_WATER))
    assert not await one.pour(bowl.take)
    one.feed(b"b" * (HIGH_WATER + 1))
    assert carrier.done == ["pause"]
    assert not await one.pour(bowl.take)
    assert carrier.done == ["pause", "resume"]
    assert list(map(len, bowl.pieces)) == [1, HIGH_WATER + 1]


async def test_pouring_ends_with_the_fault_after_what_came_before_it() -> None:
    one, bowl = exchange(), Bowl()
    pouring = asyncio.create_task(one.pour(bowl.take))
    await asyncio.sleep(0)
    one.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    one.lost("reset", "gone")
    with pytest.raises(NetError, match="gone"):
        await pouring
    assert bowl.pieces == [b"ab"]


async def test_pouring_that_is_cancelled_closes() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    pouring = asyncio.create_task(one.pour(Bowl().take))
    await asyncio.sleep(0)
    pouring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert (carrier.done[0], carrier.done[-1]) == ("cut", "finish")


async def test_silence_while_pouring_is_a_fault_and_a_pause_is_not() -> None:
    one, bowl = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"), Bowl(most=1)
    assert not await one.pour(bowl.take)
    one.sweep(0.0)
    one.sweep(1000.0)
    bowl.most = 100
    pouring = asyncio.create_task(one.pour(bowl.take))
    await asyncio.sleep(0)
    one.sweep(1001.0)
    one.feed(b"b")
    one.sweep(1060.0)
    assert not pouring.done()
    one.sweep(1121.0)
    with pytest.raises(NetError, match="no bytes"):
        await pouring
    assert bowl.pieces == [b"a", b"b"]
