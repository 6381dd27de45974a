"""The fetch of addresses that users give: what it brings, and what it never asks for.

The tests' upstreams are on loopback, which a fetch does not reach: so those tests name
it as the operator's own network, and the others show that it takes that.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.net.fetch import FetchRefused, Permit, SafeFetch
from dragoman.net.options import FetchOptions
from dragoman.net.pool import Counts
from dragoman.net.resolver import Resolver
from tests.net.conftest import Serve
from tests.net.upstream import Peer, Script, Upstream, answer, chunked

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
IMAGES = ("image/",)
PUBLIC = ["93.184.215.14"]

Host = Callable[[Script], Awaitable[Upstream]]
Fetching = Callable[..., Awaitable[SafeFetch]]


def knows(*answers: Sequence[str]) -> tuple[Resolver, list[str]]:
    """Return a resolver that gives one answer after the other, and the names it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


def says(*answers: bytes) -> Script:
    async def script(peer: Peer) -> None:
        for each in answers:
            await peer.request()
            await peer.send(each)
        await peer.gone()

    return script


def image(body: bytes = PNG, said: str = "image/png") -> bytes:
    return answer(body, f"Content-Type: {said}")


def redirect(location: str, status: str = "302 Found") -> bytes:
    return answer(b"", f"Location: {location}", status=status)


@pytest.fixture
def host(serve: Serve, tls: ssl.SSLContext) -> Host:
    """Return what starts an upstream that speaks TLS."""
    return partial(serve, tls=tls)


@pytest.fixture
async def fetching(certificate: Path) -> AsyncIterator[Fetching]:
    """Return what makes a fetch that may reach the tests' upstreams; it must leave nothing."""
    async with AsyncExitStack() as made:

        async def make(
            port: int = 443, resolve: Resolver | None = None, **options: object
        ) -> SafeFetch:
            chosen = {"allow": ("127.0.0.0/8",), "ports": (443, port)} | options
            fetch = SafeFetch(
                Clock(),
                FetchOptions(**chosen),  # type: ignore[arg-type]
                ca_file=str(certificate),
                resolve=resolve,
            )
            made.push_async_callback(_closed, fetch)
            return fetch

        yield make


async def _closed(fetch: SafeFetch) -> None:
    await fetch.aclose()
    assert fetch._client.counts == Counts()


async def refused(fetch: SafeFetch, url: str, kinds: tuple[str, ...] = IMAGES) -> FetchRefused:
    with pytest.raises(FetchRefused) as raised:
        await fetch.fetch(url, kinds)
    return raised.value


async def test_an_image_is_fetched_and_nothing_told_of_us(
    serve: Serve, fetching: Fetching, tls: ssl.SSLContext
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(image(said="IMAGE/PNG; a=b"))
        await peer.gone()

    upstream = await serve(script, tls)
    fetch = await fetching(upstream.port)
    found = await fetch.fetch(upstream.url, IMAGES)
    assert (found.body, found.media_type, found.url) == (PNG, "image/png", upstream.url)
    assert seen == [
        b"GET /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: identity\r\n"
        b"Connection: keep-alive\r\nAccept: image/*\r\n\r\n" % upstream.port
    ]


@pytest.mark.parametrize(
    "url",
    [
        "", "image.png", "ftp://a.test/", "file:///etc/passwd", "gopher://a.test/", "data:,x",
        "http://a.test/", "https://a.test:22/", "https://a.test:80/", "https://u@a.test/",
        "https://u:p@a.test/", "https://a.test@127.0.0.1/", "https://a.test\\@b.test/",
        "https://a.test/\\b", "https://ä.test/", "https://a。test/", "https://ⓐ.test/",
        "https://a%2etest/", "https://a.test/ x", "https://a.test/\r\nHost: b", "https://a.test#@b/",
        "https://a.test./", "https://a..test/", "https://.a.test/", "https://./",
        "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/",
        "https://017700000001/", "https://127.0.0.1./", "https://[::1%25lo]/", "https:///a.test",
        "https:a.test", "//a.test/", "HTTPS//a.test", " https://a.test/",
    ],
)  # fmt: skip
async def test_a_url_that_is_not_plain_https_is_not_even_resolved(
    fetching: Fetching, url: str
) -> None:
    resolve, asked = knows(PUBLIC)
    found = await refused(await fetching(resolve=resolve), url)
    assert (found.reason, asked) == ("url", [])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "0.0.0.0"],
)  # fmt: skip
async def test_an_inner_address_is_not_connected_to(fetching: Fetching, host: str) -> None:
    resolve, asked = knows(PUBLIC)
    fetch = await fetching(resolve=resolve, allow=())
    assert (await refused(fetch, f"https://{host}/")).reason == "address"
    assert asked == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], [*PUBLIC, "10.0.0.1"], ["::ffff:10.0.0.1"],
     ["fe80::1%eth0"], ["nonsense"]],
)  # fmt: skip
async def test_a_name_of_which_any_address_is_inner_is_not_connected_to(
    fetching: Fetching, addresses: list[str]
) -> None:
    resolve, _ = knows(addresses)
    found = await refused(await fetching(resolve=resolve, allow=()), "https://a.test/")
    assert found.reason == "address"
    assert "a.test" in found.detail


@pytest.mark.parametrize("host", ["localhost", "localhost.localdomain", "metadata.google.internal"])
async def test_names_of_inner_hosts_have_no_way_around_their_addresses(
    fetching: Fetching, host: str
) -> None:
    resolve, asked = knows(["127.0.0.1"])
    assert (await refused(await fetching(resolve=resolve, allow=()), f"https://{host}/")).reason
    assert asked == [host]


async def test_a_name_that_is_rebound_is_asked_once_and_connected_to_as_checked(
    serve: Serve, fetching: Fetching, tls: ssl.SSLContext
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(image())
        await peer.gone()

    upstream = await serve(script, tls)
    resolve, asked = knows(["127.0.0.1"], ["169.254.169.254"])
    fetch = await fetching(upstream.port, resolve)
    url = f"https://upstream.test:{upstream.port}/"
    assert (await fetch.fetch(url, IMAGES)).body == PNG
    assert asked == ["upstream.test"]
    assert f"Host: upstream.test:{upstream.port}".encode() in seen[0]
    await fetch._client.aclose()
    again = await fetching(upstream.port, resolve)
    assert (await refused(again, url)).reason == "address"


async def test_redirects_are_followed_and_checked_like_any_other(
    serve: Serve, fetching: Fetching, tls: ssl.SSLContext
) -> None:
    upstream = await serve(says(redirect("/b?c#d"), redirect("//upstream.test:1/"), image()), tls)
    resolve, asked = knows(["127.0.0.1"], ["10.0.0.1"])
    fetch = await fetching(upstream.port, resolve, ports=(upstream.port, 1))
    found = await refused(fetch, upstream.url)
    assert (found.reason, asked) == ("address", ["127.0.0.1", "upstream.test"])


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://upstream.test/", "url"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://u:p@upstream.test/", "url"),
        ("file:///etc/passwd", "url"),
        ("https://upstream.test:22/", "url"),
        ("https://[/", "redirect"),
        ("", "redirect"),
    ],
)
async def test_a_redirect_leads_nowhere_else(
    serve: Serve, fetching: Fetching, tls: ssl.SSLContext, location: str, reason: str
) -> None:
    upstream = await serve(says(redirect(location)), tls)
    fetch = await fetching(upstream.port)
    assert (await refused(fetch, upstream.url)).reason == reason


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
@pytest.mark.parametrize(("redirects", "arrives"), [(3, True), (2, False)])
async def test_redirects_are_few(
    serve: Serve,
    fetching: Fetching,
    tls: ssl.SSLContext,
    status: str,
    redirects: int,
    *,
    arrives: bool,
) -> None:
    steps = [redirect(f"/{step}", status) for step in range(3)]
    upstream = await serve(says(*steps, image()), tls)
    fetch = await fetching(upstream.port, redirects=redirects)
    if arrives:
        assert (await fetch.fetch(upstream.url, IMAGES)).url.endswith("/2")
    else:
        assert (await refused(fetch, upstream.url)).reason == "redirect"


@pytest.mark.parametrize(
    ("sent", "kinds", "reason"),
    [
        (answer(b"", status="404 No"), IMAGES, "status"),
        (answer(PNG, "Content-Type: image/png", status="206 Part"), IMAGES, "status"),
        (image(said="text/html"), IMAGES, "kind"),
        (image(b"<html>"), IMAGES, "kind"),
        (image(b"<svg/>", "image/svg+xml"), IMAGES, "kind"),
        (image(b"%PDF-1.7", "image/png"), IMAGES, "kind"),
        (image(PNG, "application/pdf"), ("application/pdf",), "kind"),
        (answer(b"<html>"), IMAGES, "kind"),
        (image(b""), IMAGES, "kind"),
        (image(PNG + bytes(100)), IMAGES, "size"),
        (chunked(PNG, bytes(100)).replace(b"\r\n", b"\r\nContent-Type: image/png\r\n", 1), IMAGES,
         "size"),
        (b"nonsense", IMAGES, "network"),
        (image()[:-1], IMAGES, "time"),
    ],
)  # fmt: skip
async def test_what_is_not_what_was_wanted_is_refused(
    serve: Serve,
    fetching: Fetching,
    tls: ssl.SSLContext,
    sent: bytes,
    kinds: tuple[str, ...],
    reason: str,
) -> None:
    upstream = await serve(says(sent), tls)
    fetch = await fetching(upstream.port, max_bytes=100, timeout_s=0.3)
    assert (await refused(fetch, upstream.url, kinds)).reason == reason


@pytest.mark.parametrize(
    ("said", "body", "kind", "media_type"),
    [
        ("application/octet-stream", PNG, "image/", "image/png"),
        ("", b"\xff\xd8\xff\xe0", "image/", "image/jpeg"),
        ("image/png", b"GIF89a", "image/", "image/gif"),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", "image/webp"),
        ("application/pdf", b"%PDF-1.7", "application/pdf", "application/pdf"),
        ("audio/x-wav", b"RIFF\0\0\0\0WAVEfmt ", "audio/", "audio/wav"),
        ("application/json", b"{}", "application/json", "application/json"),
    ],
)
async def test_the_first_bytes_say_what_it_is(
    fetching: Fetching, host: Host, said: str, body: bytes, kind: str, media_type: str
) -> None:
    upstream = await host(says(image(body, said)))
    fetch = await fetching(upstream.port)
    assert (await fetch.fetch(upstream.url, (kind,))).media_type == media_type


async def test_a_certificate_is_checked_for_the_name_in_the_url(
    serve: Serve, fetching: Fetching, tls: ssl.SSLContext
) -> None:
    upstream = await serve(says(image()), tls)
    resolve, _ = knows(["127.0.0.1"])
    fetch = await fetching(upstream.port, resolve)
    found = await refused(fetch, f"https://elsewhere.test:{upstream.port}/")
    assert found.reason == "network"
    assert "elsewhere.test" in found.detail


async def test_http_is_fetched_where_the_operator_says_so(serve: Serve, fetching: Fetching) -> None:
    upstream = await serve(says(image()))
    fetch = await fetching(upstream.port, allow_http=True)
    assert (await fetch.fetch(upstream.url, IMAGES)).body == PNG


@pytest.mark.parametrize(
    ("allow", "host", "addresses", "admitted"),
    [
        (("files.test",), "files.test", ["10.0.0.1"], True),
        (("Files.Test.",), "files.test", ["10.0.0.1"], True),
        (("files.test",), "a.files.test", ["10.0.0.1"], False),
        (("10.1.0.0/16",), "a.test", ["10.1.2.3"], True),
        (("10.1.0.0/16",), "a.test", ["10.1.2.3", "10.2.0.1"], False),
        (("10.1.2.3",), "a.test", ["10.1.2.3"], True),
        (("fd00::/8",), "a.test", ["fd00::1"], True),
        (("fd00::/8",), "a.test", ["10.0.0.1"], False),
    ],
)
def test_the_operators_own_hosts_may_be_named(
    allow: tuple[str, ...], host: str, addresses: list[str], *, admitted: bool
) -> None:
    permit = Permit(FetchOptions(allow=allow))
    if admitted:
        permit.check(host, addresses)
    else:
        with pytest.raises(FetchRefused):
            permit.check(host, addresses)


async def test_it_sweeps_while_it_runs(fetching: Fetching) -> None:
    running = asyncio.create_task((await fetching()).run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
