"""Which calls share a connection, how long it is kept, and who waits for one."""

import asyncio
import select
import ssl

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.connection import Connection
from dragoman.net.pool import MISTRUSTED_SWEEPS, Counts
from dragoman.net.types import Limits, NetError
from tests.net.calls import echo, fetch, post, stall, until
from tests.net.conftest import Serve, nothing_left
from tests.net.upstream import Peer, answer, chunked

LONG_AFTER = 1e12


async def test_calls_one_after_another_share_a_connection(serve: Serve, client: HttpClient) -> None:
    upstream = await serve(echo)
    for number in range(5):
        assert await fetch(client, upstream, b"%d" % number) == b"%d" % number
    assert upstream.accepted == 1
    assert client.counts == Counts(kept=1, open=1)


async def test_calls_at_once_have_a_connection_each_and_origins_do_not_share(
    serve: Serve, client: HttpClient
) -> None:
    one, other = await serve(echo), await serve(echo)
    await asyncio.gather(*(fetch(client, at) for at in (one, one, other)))
    assert (one.accepted, other.accepted) == (2, 1)
    assert client.counts == Counts(kept=3, open=3)


async def test_an_answer_whose_end_comes_late_does_not_cost_the_connection(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    go = asyncio.Event()

    async def late(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(chunked(b"all")[:-5])
            await go.wait()
            await peer.send(b"0\r\n\r\n")

    upstream = await serve(late, channel)
    for _ in range(3):
        response = await client.send(post(upstream), Limits())
        assert await anext(response.chunks()) == b"all"
        response.release()
        assert client.counts == Counts(busy=1, open=1)
        go.set()
        await until(lambda: client.counts == Counts(kept=1, open=1))
        go.clear()
    assert upstream.accepted == 1


async def test_tls_connections_are_shared_too(
    serve: Serve, client: HttpClient, tls: ssl.SSLContext
) -> None:
    upstream = await serve(echo, tls)
    for size in (1, 500_000, 1):
        assert await fetch(client, upstream, bytes(size)) == bytes(size)
    assert upstream.accepted == 1


async def test_a_connection_the_upstream_closed_meanwhile_is_not_used(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))

    upstream = await serve(once, channel)
    assert await fetch(client, upstream) == b"ok"
    await until(lambda: client.counts == Counts())
    assert await fetch(client, upstream) == b"ok"
    assert upstream.accepted == 2


async def test_a_connection_that_says_more_than_it_was_asked_is_not_used(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    speak = asyncio.Event()

    async def talkative(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"ok"))
        await speak.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    upstream = await serve(talkative, channel)
    await fetch(client, upstream)
    speak.set()
    await upstream.all_gone.wait()
    await until(lambda: client.counts == Counts())


@pytest.mark.parametrize(
    ("unasked", "kept"), [("200 OK", 0), ("408 Request Timeout", 1)], ids=["answer", "goodbye"]
)
async def test_no_connection_is_kept_for_a_while_to_who_answered_unasked(
    serve: Serve, client: HttpClient, unasked: str, kept: int
) -> None:
    """Its next answer might be on its way when somebody else asks, and then nobody can tell."""
    speak = asyncio.Event()

    async def doubled(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b"yours"))
            if not speak.is_set():
                await speak.wait()
                await peer.send(answer(b"not yours", status=unasked))

    upstream = await serve(doubled)
    await fetch(client, upstream)
    speak.set()
    await until(lambda: client.counts == Counts())
    for sweep in range(MISTRUSTED_SWEEPS):
        assert await fetch(client, upstream) == b"yours"
        assert client.counts.kept == kept
        client.sweep(float(sweep))
    assert await fetch(client, upstream) == b"yours"
    assert client.counts.kept == 1


@pytest.mark.parametrize(("answered", "again"), [(0, False), (1, True)])
async def test_a_kept_connection_that_dies_at_the_next_request_is_safe_to_repeat(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None, answered: int, *, again: bool
) -> None:
    async def mortal(peer: Peer) -> None:
        for _ in range(answered):
            await peer.request()
            await peer.send(answer(b"ok"))
        await peer.request()

    upstream = await serve(mortal, channel)
    for _ in range(answered):
        await fetch(client, upstream)
    with pytest.raises(NetError) as raised:
        await fetch(client, upstream)
    assert (raised.value.phase, raised.value.reused) == ("eof", again)


async def test_a_connection_kept_too_long_is_closed(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(echo, channel)
    await fetch(client, upstream)
    client.sweep(1000.0)
    client.sweep(1054.9)
    assert client.counts.kept == 1
    client.sweep(1055.0)
    await upstream.all_gone.wait()
    client.sweep(1056.0)
    assert client.counts == Counts()
    assert not client._lanes, "an origin nobody talks to is remembered"


async def test_use_starts_the_time_a_connection_is_kept_anew(
    serve: Serve, client: HttpClient
) -> None:
    upstream = await serve(echo)
    await fetch(client, upstream)
    client.sweep(1000.0)
    await fetch(client, upstream)
    client.sweep(1055.0)
    await fetch(client, upstream)
    assert upstream.accepted == 1


async def test_beyond_the_limit_a_call_waits_for_its_turn(serve: Serve, client: HttpClient) -> None:
    upstream = await serve(echo)
    held = [await client.send(post(upstream), Limits()) for _ in range(2)]
    waiting = asyncio.create_task(fetch(client, upstream, b"third"))
    await until(lambda: client.counts.waiting == 1)
    assert client.counts == Counts(busy=2, open=2, waiting=1)
    held[0].close()
    assert await waiting == b"third"
    held[1].close()
    assert upstream.accepted == 2


async def test_a_call_whose_turn_does_not_come_fails(serve: Serve, client: HttpClient) -> None:
    upstream = await serve(echo)
    held = [await client.send(post(upstream), Limits()) for _ in range(2)]
    waiting = asyncio.create_task(fetch(client, upstream))
    await until(lambda: client.counts.waiting == 1)
    client.sweep(LONG_AFTER)
    with pytest.raises(NetError) as raised:
        await waiting
    assert raised.value.phase == "pool"
    for response in held:
        response.close()


async def test_cancelling_a_call_that_waits_for_its_turn_leaves_the_others_alone(
    serve: Serve, client: HttpClient
) -> None:
    upstream = await serve(echo)
    held = [await client.send(post(upstream), Limits()) for _ in range(2)]
    waiting = asyncio.create_task(fetch(client, upstream))
    await until(lambda: client.counts.waiting == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for response in held:
        assert await response.read() == b"hello"
        response.close()
    assert client.counts == Counts(kept=2, open=2)


async def test_an_answer_closed_unread_costs_the_connection_but_not_the_turn(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(stall, channel)
    for _ in range(5):
        response = await client.send(post(upstream), Limits())
        response.close()
        response.close()
    await upstream.all_gone.wait()
    assert client.counts.busy == 0


async def test_where_one_kept_connection_has_died_the_others_are_not_tried(
    serve: Serve, client: HttpClient
) -> None:
    gone = asyncio.Event()

    async def mortal(peer: Peer) -> None:
        await peer.request()
        await gone.wait()
        await peer.send(answer(b"ok"))
        if upstream.accepted <= 2:
            await peer.request()
        else:
            await peer.gone()

    upstream = await serve(mortal)
    first = [asyncio.create_task(fetch(client, upstream)) for _ in range(2)]
    await until(lambda: upstream.accepted == 2)
    gone.set()
    assert await asyncio.gather(*first) == [b"ok", b"ok"]
    with pytest.raises(NetError) as raised:
        await fetch(client, upstream)
    assert raised.value.reused
    assert client.counts.kept == 0
    assert await fetch(client, upstream) == b"ok"
    assert upstream.accepted == 3


async def test_connections_in_all_are_bounded_and_the_kept_ones_give_way(serve: Serve) -> None:
    upstreams = [await serve(echo) for _ in range(3)]
    client = HttpClient(Clock(), pool=PoolOptions(total=2))
    for upstream in upstreams:
        assert await fetch(client, upstream) == b"hello"
    await until(lambda: client.counts == Counts(kept=2, open=2))
    held = [await client.send(post(upstream), Limits()) for upstream in upstreams[1:]]
    with pytest.raises(NetError, match="all 2 connections are in use") as raised:
        await fetch(client, upstreams[0])
    assert raised.value.phase == "pool"
    for response in held:
        response.close()
    await nothing_left(client)


@pytest.mark.parametrize("stray", [answer(b"not yours"), b"\0", b""], ids=["answer", "byte", "end"])
async def test_what_came_before_a_request_left_is_not_its_answer(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None, stray: bytes
) -> None:
    """A loop that is busy has not read it yet when the connection is taken again."""
    peers: list[Peer] = []
    asked = 0

    async def doubled(peer: Peer) -> None:
        nonlocal asked
        peers.append(peer)
        while True:
            await peer.request()
            asked += 1
            await peer.send(answer(b"yours"))

    upstream = await serve(doubled, channel)
    assert await fetch(client, upstream) == b"yours"
    (lane,) = client._lanes.values()
    (kept,) = lane._kept
    kept._tcp.pause_reading()
    await (peers[0].send(stray) if stray else peers[0].end())
    await until(lambda: readable(kept))
    kept._tcp.resume_reading()
    with pytest.raises(NetError) as raised:
        await fetch(client, upstream)
    assert raised.value.reused
    assert await fetch(client, upstream) == b"yours"
    assert asked == 2, "the request left although there was something to read"


def readable(connection: Connection) -> bool:
    """Whether the system holds bytes, or an end, that the connection has not read."""
    return bool(select.select([connection._tcp.get_extra_info("socket").fileno()], [], [], 0)[0])
