"""The way in: bodies within their limits, headers as text."""

import pytest

from dragoman.core.errors import (
    GatewayError,
    InvalidRequest,
    PayloadTooLarge,
    UnsupportedEncoding,
)
from dragoman.web.intake import ClientLeft, body, headers_of, text
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Message
from tests.web.asgi import Client

LIMIT = 1024
OPTIONS = ServerOptions(body_bytes=LIMIT)


async def test_a_body_is_put_together_from_its_parts() -> None:
    assert await body({}, Client([b"ab", b"", b"cd"]).receive, OPTIONS) == b"abcd"
    assert await body({}, Client(b"whole").receive, OPTIONS) == b"whole"


async def test_a_message_without_a_body_is_an_empty_one() -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    assert await body({}, receive, OPTIONS) == b""


@pytest.mark.parametrize("parts", [[b"x" * LIMIT], [b"x" * 1000, b"x" * 24]])
async def test_a_body_may_be_as_long_as_the_limit(parts: list[bytes]) -> None:
    assert len(await body({}, Client(parts).receive, OPTIONS)) == LIMIT


@pytest.mark.parametrize("parts", [[b"x" * (LIMIT + 1)], [b"x"] * (LIMIT + 1)])
async def test_a_body_over_the_limit_is_refused_whatever_it_says_of_itself(
    parts: list[bytes],
) -> None:
    with pytest.raises(PayloadTooLarge, match=r"the limit is 0\.000976562 MiB"):
        await body({b"content-length": b"5"}, Client(parts).receive, OPTIONS)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (b"content-length", b"1025", PayloadTooLarge),
        (b"content-length", b"-1", InvalidRequest),
        (b"content-length", b"1e3", InvalidRequest),
        (b"content-length", b"", InvalidRequest),
        (b"content-length", b"9" * 5000, InvalidRequest),
        (b"content-encoding", b"gzip", UnsupportedEncoding),
        (b"content-encoding", b"BR", UnsupportedEncoding),
    ],
)
async def test_headers_that_forbid_reading_are_obeyed_before_it(
    name: bytes, value: bytes, error: type[GatewayError]
) -> None:
    client = Client(b"{}")
    with pytest.raises(error):
        await body({name: value}, client.receive, OPTIONS)
    assert await client.receive() == {"type": "http.request", "body": b"{}", "more_body": False}


@pytest.mark.parametrize("value", [b"identity", b"Identity", b""])
async def test_no_encoding_is_an_encoding(value: bytes) -> None:
    assert await body({b"content-encoding": value}, Client(b"{}").receive, OPTIONS) == b"{}"


async def test_a_client_that_leaves_before_the_end_of_its_body_is_gone() -> None:
    client = Client([])
    client.leave()
    with pytest.raises(ClientLeft):
        await body({}, client.receive, OPTIONS)


def test_headers_are_text_or_nothing() -> None:
    headers = headers_of([(b"a", b"1"), (b"a", b"2"), (b"b", b""), (b"c", b"\xe9")])
    assert [text(headers, name) for name in (b"a", b"b", b"c", b"d")] == ["2", None, "é", None]
