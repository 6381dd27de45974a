"""Hundreds of faults of each kind leave no socket, no task and no object behind."""

import asyncio
import gc
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.connection import Connection
from dragoman.net.exchange import Exchange
from dragoman.net.pool import Counts
from dragoman.net.types import Limits, NetError, Request
from tests.conftest import IS_LONG
from tests.net.calls import post, stall, until
from tests.net.conftest import Serve
from tests.net.upstream import Peer, Script, Upstream, answer, chunked

FAULTS = 1000 if IS_LONG else 200
AT_ONCE = 20
SETTLING = 50
KEPT_BY_LOOP = 5
"""uvloop holds on to the futures of what it did last: a few, after 200 faults or 2,000."""
HANDSHAKES = 200
"""Handshakes are dear; what they could leave behind shows in fewer."""

Call = Callable[[HttpClient, Upstream], Awaitable[None]]


def sends(*pieces: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)

    return script


async def resets(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def leaves(peer: Peer) -> None:
    """Close without reading."""


async def speaks_no_tls(peer: Peer) -> None:
    await peer._reader.read(1)
    await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def floods(peer: Peer) -> None:
    await peer.request()
    await peer.send(chunked(bytes(600_000))[:-5])
    await peer.gone()


async def whole(client: HttpClient, upstream: Upstream) -> None:
    """Read an answer to its end, if it has one."""
    response = await client.send(post(upstream), Limits(body_bytes=100_000))
    try:
        await response.read()
    finally:
        response.close()


async def unread(client: HttpClient, upstream: Upstream) -> None:
    """Let go of an answer before its end."""
    (await client.send(post(upstream), Limits())).close()


async def released(client: HttpClient, upstream: Upstream) -> None:
    """Let go of a stream as if it had said that it is done."""
    response = await client.send(post(upstream), Limits())
    await anext(response)
    response.release()
    client.sweep(1.0)
    client.sweep(3.0)


class Cancelled:
    """Leave while an answer is awaited, each time a few turns of the loop later."""

    def __init__(self) -> None:
        self._turns = 0

    async def __call__(self, client: HttpClient, upstream: Upstream) -> None:
        call = asyncio.create_task(whole(client, upstream))
        self._turns = (self._turns + 1) % 25
        for _ in range(self._turns):
            await asyncio.sleep(0)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call


async def large(client: HttpClient, upstream: Upstream) -> None:
    """Send more than anybody reads."""
    request = Request(method="POST", url=upstream.url, body=bytes(1_000_000))
    (await client.send(request, Limits())).close()


def alive() -> Counter[str]:
    """Count what a fault could leave behind."""
    gc.collect()
    found = Counter(type(each).__name__ for each in gc.get_objects())
    kinds = (Exchange, Connection, asyncio.Task, asyncio.Future, ssl.SSLObject)
    counted = Counter({kind.__name__: found[kind.__name__] for kind in kinds})
    counted["sockets"] = len(tuple(Path("/proc/self/fd").iterdir()))
    return counted


async def suffer(client: HttpClient, upstream: Upstream, call: Call, times: int) -> None:
    async def again() -> None:
        for _ in range(times // AT_ONCE):
            with suppress(NetError):
                await call(client, upstream)

    await asyncio.gather(*(again() for _ in range(AT_ONCE)))
    client.sweep(1e9)
    client.sweep(2e9)
    await until(lambda: client.counts == Counts())
    await until(lambda: not upstream._running)


KINDS: dict[str, tuple[Script, Call]] = {
    "closed without a word": (leaves, whole),
    "closed after the request": (sends(), whole),
    "reset": (resets, whole),
    "cut in the head": (sends(b"HTTP/1.1 200 OK\r\nX: "), whole),
    "cut in the body": (sends(answer(b"hello")[:-1]), whole),
    "cut in a chunk": (sends(chunked(b"hello")[:-7]), whole),
    "nonsense": (sends(b"nonsense\r\n\r\n"), whole),
    "nonsense after a chunk": (sends(chunked(b"hello")[:-5], b"zz\r\n"), whole),
    "a head too large": (sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000), whole),
    "a body too large": (floods, whole),
    "a second answer": (sends(answer(b"a") + answer(b"b")), whole),
    "a body unread": (floods, unread),
    "a stream released": (stall, released),
    "a body too large to be sent": (stall, large),
    "cancelled": (stall, Cancelled()),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_faults_leave_nothing(serve: Serve, certificate: Path, kind: str) -> None:
    script, call = KINDS[kind]
    await leave_nothing(await serve(script), certificate, call, FAULTS)


@pytest.mark.parametrize("kind", KINDS)
async def test_faults_below_tls_leave_nothing(
    serve: Serve, certificate: Path, tls: ssl.SSLContext, kind: str
) -> None:
    script, call = KINDS[kind]
    await leave_nothing(await serve(script, tls), certificate, call, HANDSHAKES)


@pytest.mark.parametrize("call", [whole, Cancelled()], ids=["failed", "cancelled"])
async def test_handshakes_that_fail_leave_nothing(
    serve: Serve, certificate: Path, call: Call
) -> None:
    upstream = await serve(speaks_no_tls)
    upstream._scheme = "https"  # what it is not
    await leave_nothing(upstream, certificate, call, HANDSHAKES)


async def leave_nothing(upstream: Upstream, certificate: Path, call: Call, times: int) -> None:
    pool = PoolOptions(per_host=AT_ONCE)
    client = HttpClient(Clock(), ca_file=str(certificate), pool=pool)
    await suffer(client, upstream, call, AT_ONCE)
    before = alive()
    await suffer(client, upstream, call, times)
    for _ in range(SETTLING):  # loops drop a lost connection some turns after they say so
        left = {kind: count for kind, count in (alive() - before).items() if count > KEPT_BY_LOOP}
        if not left:
            break
        await asyncio.sleep(0.01)
    assert not left
    await client.aclose()
