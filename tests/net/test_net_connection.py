"""What a connection makes of what its transport tells it, with a value for a transport."""

import asyncio
import ssl
from typing import Any

import pytest

from dragoman.net.connection import Connection
from dragoman.net.exchange import Exchange
from dragoman.net.pool import Counts, Lane
from dragoman.net.types import Limits, NetError
from tests.net.upstream import answer


class FakeTransport(asyncio.Transport):
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.unsent = 0
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def writelines(self, list_of_data: Any) -> None:
        self.done.append(f"write {b''.join(list_of_data)!r}")

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def abort(self) -> None:
        self.closing = True
        self.done.append("abort")


class Call:
    """A connection of a lane, with a request sent over it."""

    def __init__(self) -> None:
        self.lane = Lane[Connection](1)
        self.transport = FakeTransport()
        self.connection = Connection(self.lane)
        self.connection.connection_made(self.transport)
        self.lane.opened(self.connection)
        self.again()

    def again(self) -> None:
        assert self.lane.enter()
        self.exchange = Exchange(self.connection, "POST", Limits(), 1.0)
        self.connection.start(self.exchange, b"head", b"body")


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
    call.connection.secured(tls)
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
