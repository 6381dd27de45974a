"""Hosts whose names cannot be looked up for a while are called where they were."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.fetch import FetchRefused
from dragoman.net.remembered import AGE_S, MOST, PAUSE_S, Remembered
from dragoman.net.types import Limits
from tests.net.conftest import Serve, nothing_left
from tests.net.test_net_dial import failure, fetch
from tests.net.upstream import Peer, answer

DOWN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
GONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
HERE = ("192.0.2.1",)


async def once(peer: Peer) -> None:
    await peer.request()
    await peer.send(answer(b"hello", "Connection: close"))
    await peer.end()


class Names:
    """A name server that answers as it is told: with an address, an error, or not at all."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.silent = False
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        return ["127.0.0.1"]


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "down"])
async def test_a_host_is_called_where_it_was_and_nobody_waits_twice(
    serve: Serve, *, silent: bool
) -> None:
    upstream, names = await serve(once), Names()
    client = HttpClient(Clock(), resolve=names.resolve)
    url, limits = f"http://host:{upstream.port}/", Limits(dns_s=0.05)
    assert await fetch(client, url, limits) == b"hello"
    names.silent, names.trouble = silent, DOWN
    for _ in range(3):
        assert await fetch(client, url, limits) == b"hello"
    assert names.asked == 2
    await nothing_left(client)


async def test_a_name_that_is_no_more_is_not_called(serve: Serve) -> None:
    upstream, names = await serve(once), Names()
    client = HttpClient(Clock(), resolve=names.resolve)
    url = f"http://host:{upstream.port}/"
    assert await fetch(client, url) == b"hello"
    names.trouble = GONE
    assert (await failure(client, url)).phase == "dns"


async def test_a_host_whose_addresses_are_refused_is_not_called_where_it_was(serve: Serve) -> None:
    upstream, names = await serve(once), Names()
    client = HttpClient(Clock(), resolve=names.resolve)
    url = f"http://host:{upstream.port}/"
    assert await fetch(client, url) == b"hello"
    names.trouble = FetchRefused("address", "host is at 10.0.0.1, which is not public")
    with pytest.raises(FetchRefused):
        await fetch(client, url)
    await nothing_left(client)


def test_what_is_remembered_is_good_for_five_minutes() -> None:
    known = Remembered()
    known.found("host", HERE, 100.0)
    assert known.failed("host", DOWN, 100.0 + AGE_S) == HERE
    assert known.instead("host", 100.0 + AGE_S + 0.1) == ()
    assert known.failed("host", DOWN, 100.0 + AGE_S + 0.1) == ()


def test_after_a_failure_it_is_used_for_a_while_without_a_lookup_and_then_asked_again() -> None:
    known = Remembered()
    known.found("host", HERE, 100.0)
    assert known.instead("host", 100.0) == ()
    assert known.failed("host", None, 110.0) == HERE
    assert known.instead("host", 110.0 + PAUSE_S - 0.1) == HERE
    assert known.instead("host", 110.0 + PAUSE_S) == ()
    known.found("host", HERE, 120.0)
    assert known.instead("host", 120.0) == ()


@pytest.mark.parametrize("error", [GONE, UnicodeError("label too long")])
def test_what_says_that_there_is_no_such_host_is_believed(error: Exception) -> None:
    known = Remembered()
    known.found("host", HERE, 100.0)
    assert known.failed("host", error, 101.0) == ()
    assert known.failed("host", DOWN, 102.0) == ()


def test_it_is_bounded_and_forgets_what_was_found_first() -> None:
    known = Remembered()
    for number in range(MOST + 1):
        known.found(f"host-{number}", HERE, 100.0)
    assert known.failed("host-0", DOWN, 101.0) == ()
    assert known.failed(f"host-{MOST}", DOWN, 101.0) == HERE
