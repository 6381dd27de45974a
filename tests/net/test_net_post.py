"""The post to addresses that users give: one answer, whatever it is, and no inner network."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.net import fetch as module
from dragoman.net.fetch import FetchRefused, SafeFetch
from dragoman.net.options import FetchOptions
from dragoman.net.pool import Counts
from dragoman.net.resolver import Resolver
from tests.net.conftest import Serve
from tests.net.upstream import Peer, Script, answer

HEADERS = (("content-type", "application/json"), ("webhook-id", "evt_1"))
BODY = b'{"a":1}'

Posting = Callable[..., Awaitable[SafeFetch]]


@pytest.fixture
async def posting(certificate: Path) -> AsyncIterator[Posting]:
    """Return what makes a fetch with these options; it must leave nothing."""
    async with AsyncExitStack() as made:

        async def make(resolve: Resolver | None = None, **options: object) -> SafeFetch:
            chosen = {"allow_http": True, "redirects": 0, "timeout_s": 5.0} | options
            fetch = SafeFetch(
                Clock(),
                FetchOptions(**chosen),  # type: ignore[arg-type]
                ca_file=str(certificate),
                resolve=resolve,
            )
            made.push_async_callback(closed, fetch)
            return fetch

        yield make


async def closed(fetch: SafeFetch) -> None:
    await fetch.aclose()
    assert fetch._client.counts == Counts()


def says(*answers: bytes) -> Script:
    async def script(peer: Peer) -> None:
        for each in answers:
            await peer.request()
            await peer.send(each)
        await peer.gone()

    return script


async def test_a_post_carries_headers_and_body_and_brings_the_status(
    serve: Serve, posting: Posting, channel: ssl.SSLContext | None
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(answer(b"thanks", status="202 Accepted"))
        await peer.gone()

    upstream = await serve(script, channel)
    fetch = await posting(allow=("127.0.0.1",), ports=(upstream.port,))
    assert await fetch.post(upstream.url, HEADERS, BODY) == 202
    (request,) = seen
    assert request.startswith(b"POST /v1/chat HTTP/1.1\r\n")
    assert b"content-type: application/json\r\n" in request
    assert b"webhook-id: evt_1\r\n" in request
    assert request.endswith(b"Content-Length: 7\r\n\r\n" + BODY)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(serve: Serve, posting: Posting, status: str) -> None:
    inner = await serve(says(answer()))
    upstream = await serve(says(answer(b"", f"Location: {inner.url}", status=status)))
    fetch = await posting(allow=("127.0.0.0/8",), ports=(upstream.port, inner.port))
    assert await fetch.post(upstream.url, HEADERS, BODY) == int(status[:3])
    assert inner.accepted == 0


@pytest.mark.parametrize(
    "body",
    [answer(b"x" * 100_000), b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nsome"],
    ids=["too long", "that never ends"],
)
async def test_of_the_answer_the_status_alone_counts(
    serve: Serve, posting: Posting, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BODY_S", 0.05)
    upstream = await serve(says(body))
    fetch = await posting(allow=("127.0.0.1",), ports=(upstream.port,), max_bytes=1000)
    assert await fetch.post(upstream.url, HEADERS, BODY) == 200


async def test_a_receiver_that_does_not_answer_is_given_up(serve: Serve, posting: Posting) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    upstream = await serve(silent)
    fetch = await posting(allow=("127.0.0.1",), ports=(upstream.port,), timeout_s=0.1)
    with pytest.raises(FetchRefused) as raised:
        await fetch.post(upstream.url, HEADERS, BODY)
    assert raised.value.reason == "time"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://127.0.0.1/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::ffff:10.0.0.1]/", "address"),
        ("https://10.1.2.3/", "address"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://2130706433/", "url"),
        ("https://0x7f.1/", "url"),
        ("https://hooks.example.com:22/", "url"),
        ("https://user:secret@hooks.example.com/", "url"),
        ("ftp://hooks.example.com/", "url"),
        ("https://hooks.example.com\\@10.0.0.1/", "url"),
    ],
)
async def test_where_nobody_may_post(posting: Posting, url: str, reason: str) -> None:
    fetch = await posting()
    with pytest.raises(FetchRefused) as checked:
        fetch.check(url)
    with pytest.raises(FetchRefused) as posted:
        await fetch.post(url, HEADERS, BODY)
    assert checked.value.reason == posted.value.reason == reason


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.1", "fd00:ec2::254", "64:ff9b::a00:1"])
async def test_a_name_that_leads_within_is_not_posted_to(posting: Posting, inner: str) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.215.14", inner]

    fetch = await posting(resolve)
    fetch.check("https://hooks.example.com/")
    with pytest.raises(FetchRefused) as raised:
        await fetch.post("https://hooks.example.com/", HEADERS, BODY)
    assert raised.value.reason == "address"


async def test_plain_http_is_for_operators_who_allow_it(posting: Posting) -> None:
    fetch = await posting(allow_http=False)
    with pytest.raises(FetchRefused, match="only https"):
        fetch.check("http://hooks.example.com/")


async def test_a_post_that_is_cancelled_leaves_nothing(serve: Serve, posting: Posting) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    upstream = await serve(silent)
    fetch = await posting(allow=("127.0.0.1",), ports=(upstream.port,))
    task = asyncio.create_task(fetch.post(upstream.url, HEADERS, BODY))
    await upstream.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
