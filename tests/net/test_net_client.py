"""Whole calls over real sockets, and what becomes of them when the client is closed."""

import asyncio
import ssl

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.pool import Counts
from dragoman.net.types import Limits, NetError, Request, Response, Transport
from tests.net.calls import echo, fetch, post, silence, stall
from tests.net.conftest import Serve, nothing_left
from tests.net.upstream import Peer, answer, chunked

LONG_AFTER = 1e12


async def test_a_request_goes_out_whole_and_the_answer_comes_back(
    serve: Serve, client: HttpClient
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(answer(b"welcome", "X-Request-Id: 7", status="201 Created"))
        await peer.gone()

    upstream = await serve(script)
    request = Request(method="POST", url=upstream.url, headers=(("X-Key", "k"),), body=b"hello")
    transport: Transport = client
    response: Response = await transport.send(request, Limits())
    assert (response.status, response.headers["x-request-id"]) == (201, "7")
    assert await response.read() == b"welcome"
    response.close()
    assert seen[0].startswith(b"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:")
    assert seen[0].endswith(b"\r\nX-Key: k\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
async def test_bodies_of_any_size_go_both_ways(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None, size: int
) -> None:
    body = bytes(size)
    assert await fetch(client, await serve(echo, channel), body) == body


async def test_a_stream_arrives_as_it_is_sent(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(chunked(b"one")[:-5])
        await heard.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await peer.gone()

    upstream = await serve(script, channel)
    response = await client.send(post(upstream), Limits())
    chunks = []
    async for chunk in response.chunks():
        chunks.append(chunk)
        heard.set()
    response.close()
    assert chunks == [b"one", b"two"]
    assert client.counts.kept == 1


async def test_a_body_that_ends_with_the_connection_is_whole(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    assert await fetch(client, await serve(script, channel)) == b"hello"


async def test_a_reader_who_lags_holds_the_upstream_back(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    total = 64 * 1024 * 1024
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            await peer.send(bytes(65536))
            sent += 65536
        await peer.gone()

    upstream = await serve(flood, channel)
    response = await client.send(post(upstream), Limits())
    await asyncio.sleep(0.1)
    assert sent < total / 2
    assert len(await response.read()) == total
    response.close()
    assert client.counts.kept == 1


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="GET", url="ftp://host/"),
        Request(method="GET", url="http://host/", headers=(("x", "a\r\nb"),)),
    ],
)
async def test_what_cannot_be_written_is_refused_before_anything_is_opened(
    client: HttpClient, request_: Request
) -> None:
    with pytest.raises(ValueError, match=r"URL|CR, LF"):
        await client.send(request_, Limits())
    assert client.counts == Counts()


async def test_closing_the_client_fails_the_calls_under_way(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(stall, channel)
    call = asyncio.create_task(fetch(client, upstream))
    await upstream.asked.wait()
    await client.aclose()
    with pytest.raises(NetError):
        await call
    with pytest.raises(NetError, match="closed"):
        await client.send(post(upstream), Limits())
    await upstream.all_gone.wait()


async def test_a_connection_that_opens_after_the_client_closed_is_cut(serve: Serve) -> None:
    upstream = await serve(silence)
    resolving, go = asyncio.Event(), asyncio.Event()

    async def resolve(host: str, _port: int) -> list[str]:
        resolving.set()
        await go.wait()
        return [host]

    client = HttpClient(Clock(), resolve=resolve)
    call = asyncio.create_task(fetch(client, upstream))
    await resolving.wait()
    await client.aclose()
    go.set()
    with pytest.raises(NetError, match="closed"):
        await call
    await upstream.all_gone.wait()
    await nothing_left(client)
