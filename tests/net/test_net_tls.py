"""Sessions that are taken up again, and whom we believe."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from dragoman.core.clock import Clock
from dragoman.net import tls as tls_module
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.tls import ClientContext, secure_context
from dragoman.net.types import Limits, NetError, Request
from tests.net.calls import fetch, post
from tests.net.conftest import Serve, nothing_left
from tests.net.upstream import Peer, answer


async def once(peer: Peer) -> None:
    """Answer whether the handshake resumed a session, and leave."""
    await peer.request()
    channel: ssl.SSLObject = peer._writer.get_extra_info("ssl_object")
    await peer.send(answer(b"resumed" if channel.session_reused else b"anew"))


async def stay(peer: Peer) -> None:
    await once(peer)
    await peer.gone()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_next_connection_resumes_the_session_of_the_last(
    serve: Serve, certificate: Path, tls: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    tls.minimum_version = tls.maximum_version = version
    upstream = await serve(stay, tls)
    client = HttpClient(Clock(), ca_file=str(certificate), pool=PoolOptions(keepalive_s=0))
    found = []
    for at in (1, 2, 3):
        found.append(await fetch(client, upstream))
        client.sweep(at)
        client.sweep(at)  # the first sweep starts the time that a connection is kept
    assert found == [b"anew", b"resumed", b"resumed"]
    assert upstream.accepted == 3
    await nothing_left(client)


async def test_a_session_is_offered_to_the_name_it_was_checked_for_alone(
    serve: Serve, certificate: Path, tls: ssl.SSLContext
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def named(host: str) -> bytes:
        request = Request(method="GET", url=f"https://{host}:{upstream.port}/")
        response = await client.send(request, Limits())
        try:
            return await response.read()
        finally:
            response.close()
            client.sweep(1)
            client.sweep(2)

    upstream = await serve(stay, tls)
    client = HttpClient(Clock(), resolve=resolve, pool=PoolOptions(keepalive_s=0))
    context = secure_context(str(certificate))
    client._dialer._make_context = lambda: context
    hosts = ["127.0.0.1", "upstream.test", "127.0.0.1", "upstream.test"]
    assert [await named(host) for host in hosts] == [b"anew"] * 2 + [b"resumed"] * 2
    await nothing_left(client)


async def test_a_session_that_the_host_has_forgotten_costs_nothing(
    serve: Serve, certificate: Path, tls: ssl.SSLContext
) -> None:
    first = await serve(stay, tls)
    client = HttpClient(Clock(), ca_file=str(certificate))
    assert await fetch(client, first) == b"anew"
    fresh = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    fresh.load_cert_chain(certificate)
    second = await serve(stay, fresh)
    assert await fetch(client, second) == b"anew"
    await nothing_left(client)


class Channel:
    """A TLS object after its handshake, which counts how often its session is read."""

    def __init__(self, name: str, session: object = "session", *, resumed: bool = False) -> None:
        self.server_hostname = name
        self.session_reused = resumed
        self.reads = 0
        self._session = session

    @property
    def session(self) -> object:
        self.reads += 1
        return self._session


def test_sessions_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_module, "MOST_SESSIONS", 2)
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    for channel in (
        Channel("a"),
        Channel("b"),
        Channel("a"),
        Channel("c"),
        Channel("d", None),
        None,
    ):
        context.remember(channel, 1.0)  # type: ignore[arg-type]
    assert list(context._kept) == ["a", "c"]


def test_sessions_are_read_as_rarely_as_can_be_since_what_is_read_leaks() -> None:
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    after = tls_module.ANEW_S

    def reads(now: float, session: str, *, resumed: bool) -> int:
        channel = Channel("a", session, resumed=resumed)
        context.remember(channel, now)  # type: ignore[arg-type]
        return channel.reads

    assert reads(0.0, "first", resumed=False) == 1
    assert [reads(now, "second", resumed=True) for now in (1.0, after, after * 9)] == [0, 0, 0]
    assert reads(after - 1, "third", resumed=False) == 0
    assert str(context._kept["a"][0]) == "first"
    assert reads(after, "fourth", resumed=False) == 1
    assert reads(after + 1, "fifth", resumed=False) == 0
    assert str(context._kept["a"][0]) == "fourth"


async def test_connections_that_resume_read_no_session(
    serve: Serve, certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[ssl.SSLObject] = []
    own: Any = ssl.SSLObject.session

    def session(channel: ssl.SSLObject) -> object:
        read.append(channel)
        return own.fget(channel)

    monkeypatch.setattr(ssl.SSLObject, "session", property(session, own.fset))
    upstream = await serve(stay, tls)
    client = HttpClient(Clock(), ca_file=str(certificate), pool=PoolOptions(keepalive_s=0))
    for at in range(1, 6):
        assert await fetch(client, upstream) == (b"anew" if at == 1 else b"resumed")
        client.sweep(at)
        client.sweep(at)
    assert (upstream.accepted, len(read)) == (5, 1)
    await nothing_left(client)


def test_a_context_checks_certificates_and_names() -> None:
    context = secure_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_roots_of_the_environment_are_believed(
    serve: Serve, certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = await serve(stay, tls)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = secure_context()
    client = HttpClient(Clock())
    client._dialer._make_context = lambda: context
    assert await fetch(client, upstream) == b"anew"
    await nothing_left(client)


async def test_a_crowd_that_comes_first_shares_one_context(
    serve: Serve, certificate: Path, tls: ssl.SSLContext
) -> None:
    made = []

    def make() -> ClientContext:
        made.append(secure_context(str(certificate)))
        return made[-1]

    upstream = await serve(stay, tls)
    client = HttpClient(Clock())
    client._dialer._make_context = make
    answers = await asyncio.gather(*(fetch(client, upstream) for _ in range(10)))
    assert (len(answers), len(made)) == (10, 1)
    await nothing_left(client)


async def test_a_file_of_roots_that_is_missing_is_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        HttpClient(Clock(), ca_file=str(tmp_path / "absent.pem"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_body_ends_with_its_connection_where_tls_says_so_alone(
    serve: Serve, client: HttpClient, tls: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    async def halved(peer: Peer) -> None:
        cut_off = b"cut" in await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of the te")
        if cut_off:
            peer.cut_off()
            await peer.gone()
        else:
            await peer.end()

    tls.minimum_version = tls.maximum_version = version
    upstream = await serve(halved, tls)
    assert await fetch(client, upstream, b"end") == b"half of the te"
    response = await client.send(post(upstream, b"cut"), Limits())
    with pytest.raises(NetError, match="end of TLS") as broken:
        await response.read()
    assert broken.value.phase == "reset"
    response.close()
