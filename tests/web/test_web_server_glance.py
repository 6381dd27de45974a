"""The glance: which requests may be refused without being read, and never one too many."""

import pytest

from dragoman.web.lanes import Lane, Tier
from dragoman.web.server.glance import Glance
from dragoman.web.server.head import MOST_KEPT

HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-x\r\n"
    b"%bContent-Length: 2\r\nAccept: */*\r\n\r\n"
)
PLAIN = HEAD % b"" + b"{}"


@pytest.fixture
def glance() -> Glance:
    def lane(path: str) -> Lane:
        return Lane(Tier.INFERENCE if path.startswith("/v1/") else Tier.HEALTH, 100)

    return Glance(lane)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        HEAD % b"Connection: keep-alive\r\n" + b"{}",
        PLAIN.replace(b"Content-Length", b"content-length"),
        PLAIN.replace(b"Accept: */*\r\n", b""),
        PLAIN.replace(b": 2", b": 0")[:-2],
    ],
    ids=["as clients send it", "kept", "small letters", "length last", "no body"],
)
def test_what_nobody_can_misread_is_plain(glance: Glance, data: bytes) -> None:
    assert glance.plain(data)
    assert glance.plain(data), "what was learned of its first line is the same"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"x",
        PLAIN[:60],
        PLAIN.replace(b"POST", b"GET"),
        PLAIN.replace(b"POST", b"HEAD"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"1.1", b"2.0"),
        PLAIN.replace(b"/v1/chat/completions", b"/healthz"),
        PLAIN.replace(b"/v1/chat", b"/v1/../chat"),
        PLAIN.replace(b"Content-Length: 2\r\n", b""),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length : 2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: +2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2,2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2\r\n 2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2\n"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: " + b"0" * 18 + b"2"),
        PLAIN.replace(b"Accept: */*", b"Content-Length: 2"),
        PLAIN.replace(b"Accept: */*", b"A: b\nContent-Length: 3"),
        PLAIN.replace(b"Accept: */*", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"Accept: */*", b"A: b\nTransfer-Encoding: chunked"),
        PLAIN.replace(b"Accept: */*", b"A: b\rTransfer-Encoding: chunked"),
        PLAIN.replace(b"Accept: */*", b"Connection: close"),
        PLAIN.replace(b"Accept: */*", b"Connection: keep-alive, close"),
        PLAIN.replace(b"Accept: */*", b"Expect: 100-continue"),
        PLAIN.replace(b"Accept: */*", b"Upgrade: websocket"),
        b"POST /v1/chat/completions HTTP/1.1\r\n\r\n",
        b"\r\n" + PLAIN,
    ],
)
def test_whatever_leaves_a_doubt_is_read(glance: Glance, data: bytes) -> None:
    assert not glance.plain(data)
    assert not glance.plain(data)


def test_first_lines_are_kept_but_not_without_end(glance: Glance) -> None:
    for number in range(2 * MOST_KEPT):
        assert glance.plain(PLAIN.replace(b"/v1/", b"/v1/%d/" % number))
    assert not glance.plain(PLAIN.replace(b"/v1/", b"/" + b"a" * 9000 + b"/"))
