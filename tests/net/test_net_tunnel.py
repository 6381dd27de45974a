"""Whole calls by a proxy: through tunnels, in absolute form, with and without its consent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.options import NetOptions
from dragoman.net.pool import Counts
from dragoman.net.proxy import proxies
from dragoman.net.types import Limits, NetError, Request
from tests.net.calls import echo, until
from tests.net.conftest import Serve, nothing_left
from tests.net.forwarder import Forwarder

BRIEF = Limits(connect_s=0.05)

Forward = Callable[..., Awaitable[Forwarder]]


async def here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.fixture
async def forward() -> AsyncIterator[Forward]:
    """Return what starts a proxy before an upstream's port."""
    async with AsyncExitStack() as running:

        async def start(
            port: int, authorization: str = "", tls: ssl.SSLContext | None = None
        ) -> Forwarder:
            forwarder = Forwarder(port, authorization)
            await forwarder.listen(tls)
            running.push_async_callback(forwarder.close)
            return forwarder

        yield start


def by(
    forwarder: Forwarder, certificate: Path, login: str = "", scheme: str = "http"
) -> HttpClient:
    host = "upstream.test" if scheme == "https" else "proxy.test"
    options = NetOptions(proxy=f"{scheme}://{login}{host}:{forwarder.port}")
    ways = proxies(options, {})
    return HttpClient(Clock(), ca_file=str(certificate), proxies=ways, resolve=here)


def named(port: int, scheme: str = "http") -> Request:
    return Request(method="POST", url=f"{scheme}://upstream.test:{port}/v1/chat?x", body=b"hello")


async def call(client: HttpClient, request: Request, limits: Limits | None = None) -> bytes:
    response = await client.send(request, limits or Limits())
    try:
        return await response.read()
    finally:
        response.close()


async def test_http_goes_to_the_proxy_in_absolute_form(
    serve: Serve, forward: Forward, certificate: Path
) -> None:
    upstream = await serve(echo)
    forwarder = await forward(upstream.port)
    client = by(forwarder, certificate)
    assert [await call(client, named(upstream.port)) for _ in range(2)] == [b"hello"] * 2
    head = f"POST http://upstream.test:{upstream.port}/v1/chat?x HTTP/1.1\r\nHost: upstream.test:"
    assert [each.startswith(head) for each in forwarder.asked] == [True]
    await nothing_left(client)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_https_goes_through_a_tunnel_that_is_kept(
    serve: Serve, forward: Forward, certificate: Path, tls: ssl.SSLContext, scheme: str
) -> None:
    upstream = await serve(echo, tls)
    forwarder = await forward(upstream.port, tls=tls if scheme == "https" else None)
    client = by(forwarder, certificate, scheme=scheme)
    request = named(upstream.port, "https")
    assert [await call(client, request) for _ in range(2)] == [b"hello"] * 2
    authority = f"upstream.test:{upstream.port}"
    assert forwarder.asked == [f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"]
    assert client.counts == Counts(kept=1, open=1)
    await nothing_left(client)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_told_who_we_are(
    serve: Serve, forward: Forward, certificate: Path, tls: ssl.SSLContext, scheme: str
) -> None:
    upstream = await serve(echo, tls if scheme == "https" else None)
    forwarder = await forward(upstream.port, "Basic dTpw")
    client = by(forwarder, certificate, "u:p@")
    assert await call(client, named(upstream.port, scheme)) == b"hello"
    await nothing_left(client)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_another_credential_says_so(
    serve: Serve, forward: Forward, certificate: Path, tls: ssl.SSLContext, scheme: str
) -> None:
    upstream = await serve(echo, tls if scheme == "https" else None)
    forwarder = await forward(upstream.port, "Basic dTpw")
    client = by(forwarder, certificate, "u:wrong@")
    with pytest.raises(NetError, match="407 Proxy Authentication Required") as raised:
        await call(client, named(upstream.port, scheme))
    assert (raised.value.phase, raised.value.timed_out) == ("proxy", False)
    assert f"proxy.test:{forwarder.port}" in raised.value.detail
    assert "wrong" not in str(raised.value)
    assert upstream.accepted == 0
    await nothing_left(client)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"HTTP/1.0 502\r\n\r\n", "502"),
        (b"nonsense\r\n\r\n", "speaks no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n\r\nand more", "spoke before TLS did"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "over 16384 bytes"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named(
    forward: Forward, certificate: Path, says: bytes, why: str
) -> None:
    forwarder = await forward(1)
    forwarder.says = says
    client = by(forwarder, certificate)
    with pytest.raises(NetError, match=r"opened no tunnel to upstream\.test:9") as raised:
        await call(client, named(9, "https"))
    assert raised.value.phase == "proxy"
    assert why in raised.value.detail
    await nothing_left(client)


async def test_a_proxy_that_leaves_is_named(forward: Forward, certificate: Path) -> None:
    forwarder = await forward(1)  # where nobody listens
    client = by(forwarder, certificate)
    with pytest.raises(NetError) as raised:
        await call(client, named(9, "https"))
    assert raised.value.phase == "proxy"
    await nothing_left(client)


async def test_a_proxy_that_says_nothing_runs_into_the_connect_limit(
    forward: Forward, certificate: Path
) -> None:
    forwarder = await forward(1)
    forwarder.says = b""
    client = by(forwarder, certificate)
    with pytest.raises(NetError, match="no tunnel within") as raised:
        await call(client, named(9, "https"), BRIEF)
    assert (raised.value.phase, raised.value.timed_out) == ("connect", True)
    await nothing_left(client)


async def test_a_proxy_that_does_not_listen_is_named(certificate: Path) -> None:
    forwarder = Forwarder(1)
    forwarder.port = 1  # where nobody listens
    client = by(forwarder, certificate)
    with pytest.raises(NetError, match=r"the proxy proxy\.test:1") as raised:
        await call(client, named(9, "https"))
    assert raised.value.phase == "refused"
    await nothing_left(client)


async def test_cancelling_while_a_tunnel_opens_leaves_nothing(
    forward: Forward, certificate: Path
) -> None:
    forwarder = await forward(1)
    forwarder.says = b""
    client = by(forwarder, certificate)
    waiting = asyncio.create_task(call(client, named(9, "https")))
    await until(lambda: bool(forwarder.asked))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await nothing_left(client)
