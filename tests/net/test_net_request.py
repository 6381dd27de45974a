"""The head of a request: its exact bytes, and what never becomes one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.secret import Secret
from dragoman.net.proxy import Proxy
from dragoman.net.request import encode_head, with_length
from dragoman.net.types import Request
from dragoman.net.url import locate

URL = "https://api.example.com:8443/v1/chat?x=1"


def head(**changes: object) -> bytes:
    request = Request(**({"method": "POST", "url": URL} | changes))  # type: ignore[arg-type]
    written = encode_head(request.method, locate(URL), request.headers)
    return with_length(written, request.method, len(request.body))


def test_host_and_length_are_added_and_headers_go_out_as_they_stand() -> None:
    assert head(body=b"{}", headers=(("Authorization", "Bearer x"), ("x-a", ""))) == (
        b"POST /v1/chat?x=1 HTTP/1.1\r\n"
        b"Host: api.example.com:8443\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Connection: keep-alive\r\n"
        b"Authorization: Bearer x\r\n"
        b"x-a: \r\n"
        b"Content-Length: 2\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("secret", [None, "Basic eDp5"])
def test_a_proxy_that_passes_requests_on_is_told_where_to_and_who_asks(secret: str | None) -> None:
    proxy = Proxy("http", "proxy.test", 3128, None if secret is None else Secret(secret))
    written = encode_head("GET", locate("http://api.test/v1?x=1"), (), proxy)
    line = b"" if secret is None else f"Proxy-Authorization: {secret}\r\n".encode()
    assert written == (
        b"GET http://api.test/v1?x=1 HTTP/1.1\r\nHost: api.test\r\n"
        b"Accept-Encoding: identity\r\nConnection: keep-alive\r\n" + line
    )


@pytest.mark.parametrize(
    ("method", "body", "announced"),
    [
        ("GET", b"", False),
        ("HEAD", b"", False),
        ("DELETE", b"", False),
        ("DELETE", b"x", True),
        ("POST", b"", True),
        ("PUT", b"", True),
        ("PATCH", b"", True),
    ],
)
def test_an_empty_body_is_announced_where_a_body_is_usual(
    method: str, body: bytes, *, announced: bool
) -> None:
    assert (b"Content-Length" in head(method=method, body=body)) is announced


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "GÉT", "GET1"])
def test_a_method_is_made_of_letters(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        head(method=method)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "Accept-Encoding",
        "Upgrade",
        "",
        "Expect",
        "Keep-Alive",
        "Proxy-Authorization",
        "TE",
        "trailer",
    ],
)
def test_headers_that_frame_the_request_are_the_clients_own(name: str) -> None:
    with pytest.raises(ValueError, match="written by the client"):
        head(headers=((name, "x"),))


@pytest.mark.parametrize("bad", ["a\r\nb: c", "a\rb", "a\nb", "a\0b", "\n", "a\r\n"])
@pytest.mark.parametrize("place", ["name", "value"])
def test_a_line_break_or_nul_is_refused_and_not_repeated(bad: str, place: str) -> None:
    field = (f"x-{bad}", "y") if place == "name" else ("x", f"secret{bad}")
    with pytest.raises(ValueError, match="CR, LF or NUL") as refusal:
        head(headers=(field,))
    assert "secret" not in str(refusal.value)


def test_latin_1_goes_out_and_what_lies_beyond_is_refused() -> None:
    assert b"x: \xe9\r\n" in head(headers=(("x", "é"),))
    with pytest.raises(ValueError, match="Latin-1"):
        head(headers=(("x", "…"),))


@given(st.text(), st.text())
def test_whatever_a_header_holds_it_stays_one_line(name: str, value: str) -> None:
    try:
        written = head(headers=((name, value),))
    except ValueError:
        return
    assert written.count(b"\r\n") == head().count(b"\r\n") + 1
    assert written.endswith(b"\r\n\r\n")
    assert b"\r" not in written.replace(b"\r\n", b"")
    assert b"\n" not in written.replace(b"\r\n", b"")
