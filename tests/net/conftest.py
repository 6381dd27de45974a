"""Fixtures of the HTTP client's tests: both event loops, upstreams, certificates, a client.

Every test that uses `client` also shows that no turn and no connection is left over.
"""

import asyncio
import functools
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from dragoman.core.clock import Clock
from dragoman.net import client as client_module
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.pool import Counts
from dragoman.net.tls import ClientContext, secure_context
from tests.conftest import Needs
from tests.net.upstream import Script, Upstream

Serve = Callable[..., Awaitable[Upstream]]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on the loop of the standard library and on the one used in production."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def roots_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share the contexts between tests: reading the roots takes a tenth of a second."""

    def without_sessions(ca_file: str | None = None) -> ClientContext:
        context = _context(ca_file)
        context._kept.clear()
        return context

    monkeypatch.setattr(client_module, "secure_context", without_sessions)


@functools.cache
def _context(ca_file: str | None = None) -> ClientContext:
    return secure_context(ca_file)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return what starts an upstream: awaited with a script, and a TLS context if any."""
    async with AsyncExitStack() as upstreams:

        async def start(script: Script, tls: ssl.SSLContext | None = None) -> Upstream:
            upstream = Upstream(script, tls)
            await upstream.listen()
            upstreams.push_async_callback(upstream.close)
            return upstream

        yield start


@pytest.fixture
async def client(certificate: Path) -> AsyncIterator[HttpClient]:
    """Return a client that trusts the tests' certificate, and whose sweeps the test does itself."""
    client = HttpClient(Clock(), ca_file=str(certificate), pool=PoolOptions(per_host=2))
    yield client
    await nothing_left(client)


async def nothing_left(client: HttpClient) -> None:
    """Close the client, and show that every turn came back and every connection is gone."""
    await client.aclose()
    assert client.counts == Counts()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, needs: Needs) -> Path:
    """Return a file with a self-signed certificate for 127.0.0.1 and upstream.test, and its key."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    key = path.with_name("key.pem")
    subprocess.run(
        [
            needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=upstream",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:upstream.test", "-keyout", str(key),
            "-out", str(path),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with path.open("a") as both:
        both.write(key.read_text())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """Return what an upstream needs to speak TLS with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture(params=["tcp", "tls"])
def channel(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> ssl.SSLContext | None:
    """Return what an upstream speaks through: nothing more than TCP, or TLS."""
    return tls if request.param == "tls" else None
