"""Opening connections: each way it can fail has its own name, and none leaves a socket behind."""

import asyncio
import errno
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.resolver import Resolver
from dragoman.net.types import Limits, NetError, Request
from tests.net.conftest import Serve, nothing_left
from tests.net.upstream import Peer, answer

USUAL = Limits()
BRIEF = Limits(dns_s=0.05, connect_s=0.05, tls_s=0.05)


async def hello(peer: Peer) -> None:
    await peer.request()
    await peer.send(answer(b"hello"))
    await peer.gone()


async def silence(peer: Peer) -> None:
    await peer.gone()


def resolving(*addresses: str) -> Resolver:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def fetch(client: HttpClient, url: str, limits: Limits = USUAL) -> bytes:
    response = await client.send(Request(method="GET", url=url), limits)
    body = await response.read()
    response.close()
    return body


async def failure(client: HttpClient, url: str, limits: Limits = USUAL) -> NetError:
    with pytest.raises(NetError) as raised:
        await fetch(client, url, limits)
    await nothing_left(client)
    return raised.value


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def deaf(address: str, port: int = 0) -> Iterator[int]:
    """Give a port whose queue of connections is full: the kernel drops what knocks."""
    with socket.socket() as listener:
        listener.bind((address, port))
        listener.listen(0)
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.settimeout(0)
            knock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for knock in knocks:
            knock.close()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    with deaf("127.0.0.1") as port:
        yield port


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError("resolver is down"),
        UnicodeError("label too long"),
    ],
)
async def test_a_name_that_does_not_resolve_is_a_dns_failure(error: Exception) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise error

    found = await failure(HttpClient(Clock(), resolve=resolve), "http://host/")
    assert found.phase == "dns"
    assert str(error) in found.detail


async def test_a_name_without_addresses_is_a_dns_failure() -> None:
    found = await failure(HttpClient(Clock(), resolve=resolving()), "http://host/")
    assert found.phase == "dns"


async def test_a_resolver_that_hangs_is_a_dns_failure() -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return [host]

    client = HttpClient(Clock(), resolve=resolve)
    found = await failure(client, "http://host/", BRIEF)
    assert (found.phase, found.timed_out) == ("dns", False)


async def test_a_crowd_asks_once_for_a_name_and_who_leaves_does_not_stop_it() -> None:
    asked: list[str] = []
    known, both = asyncio.Event(), asyncio.Event()

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        if len(asked) == 2:
            both.set()
        await known.wait()
        return ()

    client = HttpClient(Clock(), resolve=resolve)
    crowd = [asyncio.create_task(fetch(client, "http://host/")) for _ in range(20)]
    other = asyncio.create_task(fetch(client, "http://other/"))
    await both.wait()
    crowd[0].cancel()
    await asyncio.wait(crowd[:1])
    known.set()
    found = await asyncio.gather(other, *crowd[1:], return_exceptions=True)
    assert {*map(str, found)} == {"dns: host has no address", "dns: other has no address"}
    assert asked == ["host", "other"]
    await failure(client, "http://host/")
    assert asked == ["host", "other", "host"], "what is known is asked again next time"


async def test_a_lookup_that_nobody_waits_for_ends() -> None:
    ended = asyncio.Event()

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ()

    client = HttpClient(Clock(), resolve=resolve)
    assert (await failure(client, "http://host/", BRIEF)).phase == "dns"
    await ended.wait()


async def test_a_port_nobody_listens_on_is_refused(client: HttpClient, free_port: int) -> None:
    found = await failure(client, f"http://127.0.0.1:{free_port}/")
    assert (found.phase, found.timed_out, found.reused) == ("refused", False, False)


async def test_a_host_that_does_not_answer_runs_into_the_connect_limit(
    client: HttpClient, deaf_port: int
) -> None:
    found = await failure(client, f"http://127.0.0.1:{deaf_port}/", BRIEF)
    assert (found.phase, found.timed_out) == ("connect", True)


async def test_the_next_address_is_tried_when_one_refuses(serve: Serve) -> None:
    upstream = await serve(hello)
    client = HttpClient(Clock(), resolve=resolving("127.0.0.2", "127.0.0.1"))
    assert await fetch(client, f"http://host:{upstream.port}/") == b"hello"
    await nothing_left(client)


async def test_an_address_that_hangs_leaves_time_for_the_next(serve: Serve) -> None:
    upstream = await serve(hello)
    client = HttpClient(Clock(), resolve=resolving("127.0.0.2", "127.0.0.1"))
    with deaf("127.0.0.2", upstream.port):
        url, limits = f"http://host:{upstream.port}/", Limits(connect_s=0.2)
        assert await fetch(client, url, limits) == b"hello"
    await nothing_left(client)


async def test_the_last_address_names_the_failure(free_port: int) -> None:
    client = HttpClient(Clock(), resolve=resolving("127.0.0.1", "127.0.0.2"))
    found = await failure(client, f"http://host:{free_port}/")
    assert found.phase == "refused"
    assert "127.0.0.2" in found.detail


def test_running_out_of_sockets_is_not_blamed_on_the_peer(free_port: int) -> None:
    command = [sys.executable, "-m", "tests.net.starved", str(free_port)]
    starved = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    by_address, by_name = starved.stdout.splitlines()
    assert by_address.startswith("pool: ")
    assert by_name.startswith("pool: ")
    assert "file" in by_address or errno.errorcode[errno.EMFILE] in by_address


async def test_a_trusted_certificate_is_spoken_to_in_http_1(
    serve: Serve, client: HttpClient, tls: ssl.SSLContext
) -> None:
    async def chosen(peer: Peer) -> None:
        await peer.request()
        channel: ssl.SSLObject = peer._writer.get_extra_info("ssl_object")
        await peer.send(answer(str(channel.selected_alpn_protocol()).encode()))
        await peer.gone()

    upstream = await serve(chosen, tls)
    assert await fetch(client, upstream.url) == b"http/1.1"
    assert client.counts.kept == 1


async def test_a_certificate_nobody_vouches_for_is_a_tls_failure(
    serve: Serve, tls: ssl.SSLContext
) -> None:
    upstream = await serve(hello, tls)
    found = await failure(HttpClient(Clock()), upstream.url)
    assert found.phase == "tls"
    assert "self-signed" in found.detail or "self signed" in found.detail


async def test_a_certificate_for_another_name_is_a_tls_failure(
    serve: Serve, certificate: Path, tls: ssl.SSLContext
) -> None:
    upstream = await serve(hello, tls)
    client = HttpClient(Clock(), ca_file=str(certificate), resolve=resolving("127.0.0.1"))
    found = await failure(client, f"https://elsewhere.test:{upstream.port}/")
    assert found.phase == "tls"
    assert "elsewhere.test" in found.detail


async def test_a_peer_that_speaks_no_tls_is_a_tls_failure(serve: Serve, client: HttpClient) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    upstream = await serve(plain)
    found = await failure(client, upstream.url.replace("http:", "https:"))
    assert found.phase == "tls"
    await upstream.all_gone.wait()


@pytest.mark.parametrize("manner", ["close", "reset"])
async def test_a_peer_that_leaves_during_the_handshake_is_a_tls_failure(
    serve: Serve, client: HttpClient, manner: str
) -> None:
    async def leave(peer: Peer) -> None:
        await peer._reader.read(1)
        if manner == "reset":
            peer.reset()

    upstream = await serve(leave)
    found = await failure(client, upstream.url.replace("http:", "https:"))
    assert found.phase == "tls"
    assert found.detail, "why is said, though the system does not"


async def test_a_handshake_that_hangs_runs_into_its_limit(serve: Serve, client: HttpClient) -> None:
    upstream = await serve(silence)
    found = await failure(
        client, upstream.url.replace("http:", "https:"), replace(USUAL, tls_s=0.05)
    )
    assert found.phase == "tls"
    await upstream.all_gone.wait()


async def test_a_peer_that_leaves_as_the_handshake_ends_is_a_tls_failure(
    serve: Serve, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_tls(*_: object, **__: object) -> None:
        """Return no transport, as a loop may when the connection has just been lost."""

    upstream = await serve(silence)
    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
    found = await failure(client, upstream.url.replace("http:", "https:"))
    assert found.phase == "tls"
    await upstream.all_gone.wait()


async def cancelled(client: HttpClient, url: str, begun: asyncio.Event) -> None:
    call = asyncio.create_task(fetch(client, url))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await nothing_left(client)


async def test_cancelling_during_resolution_gives_the_turn_back() -> None:
    begun = asyncio.Event()

    async def resolve(host: str, _port: int) -> Sequence[str]:
        begun.set()
        await asyncio.Event().wait()
        return [host]

    await cancelled(HttpClient(Clock(), resolve=resolve), "http://host/", begun)


async def test_cancelling_while_connecting_leaves_no_socket(deaf_port: int) -> None:
    begun = asyncio.Event()

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        asyncio.get_running_loop().call_later(0.02, begun.set)
        return ["127.0.0.1"]

    client = HttpClient(Clock(), resolve=resolve)
    await cancelled(client, f"http://host:{deaf_port}/", begun)


async def test_cancelling_during_the_handshake_closes_the_connection(
    serve: Serve, client: HttpClient
) -> None:
    begun = asyncio.Event()

    async def greeted(peer: Peer) -> None:
        await peer._reader.read(1)
        begun.set()
        await peer.gone()

    upstream = await serve(greeted)
    await cancelled(client, upstream.url.replace("http:", "https:"), begun)
    await upstream.all_gone.wait()
