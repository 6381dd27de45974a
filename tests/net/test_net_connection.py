"""What a connection makes of what its transport tells it, with a value for a transport."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from dragoman.net.connection import PIECE, Connection
from dragoman.net.exchange import Exchange
from dragoman.net.pool import Counts, Lane
from dragoman.net.tls import ClientContext
from dragoman.net.types import Limits, NetError
from tests.net.carrier import failure
from tests.net.upstream import answer


class FakeTransport(asyncio.Transport):
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.unsent = 0
        self.closing = False
        self.socket, self.peer = socket.socketpair()

    def __del__(self) -> None:
        self.socket.close()
        self.peer.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else default

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: Any) -> None:
        self.done.append(f"write {bytes(data)!r}")

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def abort(self) -> None:
        self.closing = True
        self.done.append("abort")


class AtOnce:
    """An event loop whose turn ends with each thing it is given to do."""

    def call_soon(self, work: Callable[..., object], *arguments: object) -> None:
        work(*arguments)


AT_ONCE: Any = AtOnce()


class Later(AtOnce):
    """An event loop that does what it is given when its turn ends."""

    def __init__(self) -> None:
        self.given: list[Callable[[], object]] = []

    def call_soon(self, work: Callable[..., object], *arguments: object) -> None:
        self.given.append(lambda: work(*arguments))

    def turn(self) -> None:
        given, self.given = self.given, []
        for work in given:
            work()


class Call:
    """A connection of a lane, with a request sent over it."""

    def __init__(self, loop: Any = AT_ONCE) -> None:
        self.loop = loop
        self.lane = Lane[Connection](1)
        self.transport = FakeTransport()
        self.connection = Connection(self.lane)
        self.connection.connection_made(self.transport)
        self.lane.opened(self.connection)
        self.again()

    def again(self) -> None:
        assert self.lane.enter()
        self.exchange = Exchange(self.connection, "POST", Limits(), 1.0)
        self.connection.start(self.exchange, b"head", b"body", self.loop)


def test_head_and_body_leave_in_one_write() -> None:
    assert Call().transport.done == ["write b'headbody'"]


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (None, "eof"),
        (ConnectionResetError("reset by peer"), "reset"),
        (ssl.SSLError("bad record mac"), "tls"),
    ],
)
async def test_how_a_connection_was_lost_is_told_apart(error: Exception | None, phase: str) -> None:
    call = Call()
    call.connection.connection_lost(error)
    with pytest.raises(NetError, match=str(error) if error else "closed the connection") as raised:
        await call.exchange.head()
    assert raised.value.phase == phase
    assert call.lane.counts == Counts()


async def test_a_connection_is_reused_from_its_second_request_on() -> None:
    call = Call()
    assert not call.connection.reused
    call.connection.data_received(answer(b"ok"))
    call.exchange.close()
    assert call.lane.counts == Counts(kept=1, open=1)
    assert call.lane.take() is call.connection
    call.again()
    assert call.connection.reused


def test_a_connection_whose_tcp_still_has_something_to_send_is_not_kept() -> None:
    call = Call()
    tls = FakeTransport()
    call.connection.secured(tls, ClientContext(ssl.PROTOCOL_TLS_CLIENT))
    call.connection.data_received(answer(b"no"))
    call.transport.unsent = 1
    call.exchange.close()
    assert tls.done == ["abort"]
    assert call.lane.counts == Counts(open=1)


def test_a_closing_connection_is_neither_paused_nor_resumed() -> None:
    call = Call()
    call.connection.pause()
    call.connection.resume()
    call.transport.closing = True
    call.connection.pause()
    call.connection.resume()
    assert call.transport.done[1:] == ["pause", "resume"]


def test_a_connection_lost_while_it_is_kept_is_forgotten() -> None:
    call = Call()
    call.connection.data_received(answer(b"ok"))
    call.exchange.close()
    call.connection.connection_lost(None)
    assert call.lane.take() is None
    assert call.lane.vacant


def large(call: Call, size: int) -> list[int]:
    """Send a body over a connection that says when it is full; return the sizes of the writes."""
    assert call.lane.enter()
    sizes: list[int] = []

    def write(data: Any) -> None:
        sizes.append(len(data))
        if len(data) == PIECE:
            call.connection.pause_writing()

    call.transport.write = write  # type: ignore[method-assign]
    call.exchange = Exchange(call.connection, "POST", Limits(), 1.0)
    call.connection.start(call.exchange, b"head", bytes(size), AT_ONCE)
    return sizes


def answered() -> Call:
    call = Call()
    call.connection.data_received(answer(b"ok"))
    call.exchange.close()
    assert call.lane.take() is call.connection
    return call


def test_a_large_body_leaves_as_the_peer_takes_it() -> None:
    call = answered()
    sizes = large(call, 2 * PIECE + 5)
    assert sizes == [4, PIECE]
    call.connection.resume_writing()
    assert sizes == [4, PIECE, PIECE]
    call.connection.resume_writing()
    call.connection.resume_writing()
    assert sizes == [4, PIECE, PIECE, 5]


def test_an_answer_before_the_request_is_sent_costs_the_connection() -> None:
    call = answered()
    sizes = large(call, 2 * PIECE + 5)
    call.connection.data_received(answer(b"no", status="413 Too Large"))
    call.exchange.close()
    call.connection.resume_writing()
    assert (sizes, call.lane.counts) == ([4, PIECE], Counts(open=1))
    assert call.transport.closing


@pytest.mark.parametrize("early", [answer(b"not yours"), b"x"])
def test_bytes_that_are_read_before_a_request_has_left_are_not_its_answer(early: bytes) -> None:
    loop = Later()
    call = Call(loop)
    loop.turn()
    call.connection.data_received(answer(b"ok"))
    call.exchange.close()
    assert call.lane.take() is call.connection
    call.again()
    call.connection.data_received(early)
    loop.turn()
    assert call.transport.done[:2] == ["write b'headbody'", "abort"]
    error = failure(call.exchange)
    assert (error.reused, error.detail) == (True, "the peer spoke or left before it was asked")


@pytest.mark.parametrize("stray", [b"x", b""], ids=["byte", "end"])
def test_a_request_does_not_leave_where_there_is_something_to_read(stray: bytes) -> None:
    call = answered()
    call.transport.peer.sendall(stray)
    if not stray:
        call.transport.peer.close()
    call.again()
    assert call.transport.done[:2] == ["write b'headbody'", "abort"]
    assert failure(call.exchange).reused
