"""Calls that the client's tests make, and scripts for the upstreams that they call."""

import asyncio
from collections.abc import Callable

from dragoman.net.client import HttpClient
from dragoman.net.types import Limits, Request
from tests.net.upstream import Peer, Upstream, answer, chunked

STEP_S = 0.002
STEPS = 5000


async def echo(peer: Peer) -> None:
    """Answer each request with its body until the client leaves."""
    while True:
        request = await peer.request()
        await peer.send(answer(request.partition(b"\r\n\r\n")[2]))


async def silence(peer: Peer) -> None:
    """Never answer."""
    await peer.request()
    await peer.gone()


async def stall(peer: Peer) -> None:
    """Begin an answer and never go on."""
    await peer.request()
    await peer.send(chunked(b"begun")[:-5])
    await peer.gone()


def post(upstream: Upstream, body: bytes = b"hello") -> Request:
    return Request(method="POST", url=upstream.url, body=body)


async def fetch(client: HttpClient, upstream: Upstream, body: bytes = b"hello") -> bytes:
    """Return the answer's body, the connection given back."""
    response = await client.send(post(upstream, body), Limits())
    try:
        return await response.read()
    finally:
        response.close()


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as `condition` holds."""
    for _ in range(STEPS):
        if condition():
            return
        await asyncio.sleep(STEP_S)
    raise AssertionError("what was waited for did not come to be")
