"""What a socket may send: bytes against the shipped command, the answer, the end, and nothing more.

Every case carries a second, perfectly good request where a lenient reader would see one.
It must not be served: the node's log says what was.
"""

import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Needs
from tests.e2e.gateway import Gateway
from tests.e2e.raw import Wire, parsed, statuses
from tests.web.framing import BODY, BROKEN, GOOD, HOST, HOSTS, chat, get

SETTINGS = {
    "DRAGOMAN__SERVER__HEADER_S": "1",
    "DRAGOMAN__SERVER__BODY_STALL_S": "1",
    "DRAGOMAN__SERVER__IDLE_S": "2",
    "DRAGOMAN__SERVER__HOSTS": json.dumps(HOSTS),
    "DRAGOMAN__SERVER__MANAGEMENT_BODY_BYTES": "2048",
    "DRAGOMAN__SERVER__BODY_BYTES": "100000",
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with nothing but the demo, whose log in the end holds what was asked openly."""
    home: Path = tmp_path_factory.mktemp("framing")
    running = Gateway(home / "data", None, SETTINGS)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log, running.log


@pytest.mark.parametrize(("data", "status"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_rules_is_answered_in_json_and_the_connection_ends(
    node: Gateway, data: bytes, status: int
) -> None:
    with Wire(node) as wire:
        try:
            wire.send(data + chat(node.key) * 2)
        except (BrokenPipeError, ConnectionResetError):
            pytest.fail("the gateway did not read on while its answer was on the way")
        answer = wire.rest()
    head, _, body = answer.partition(b"\r\n\r\n")
    got, headers = parsed(head)
    assert (got, statuses(answer)) == (status, [status])
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    error = json.loads(body)["error"]
    assert (error["code"], bool(error["message"])) == (status, True)
    assert error["metadata"]["error_type"]


@pytest.mark.parametrize(("data", "status"), GOOD.values(), ids=GOOD.keys())
def test_what_keeps_the_rules_is_served_and_the_connection_kept(
    node: Gateway, data: bytes, status: int
) -> None:
    with Wire(node) as wire:
        wire.send(data)
        assert wire.one()[0] == status
        wire.send(get())
        assert wire.one()[0] == 200


@pytest.mark.parametrize("name", ["two lengths", "a length and chunks", "a folded line", "gzip"])
def test_the_answer_is_the_same_however_the_bytes_are_cut(node: Gateway, name: str) -> None:
    data, status = BROKEN[name]
    for step in (1, 7):
        with Wire(node) as wire:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(data), step):
                wire.send(data[at : at + step])
            assert statuses(wire.rest()) == [status]


def test_requests_that_come_at_once_are_answered_in_their_order(node: Gateway) -> None:
    with Wire(node) as wire:
        last = get(b"/healthz", b"Connection: close")
        wire.send(get(b"/healthz") + get(b"/api/v1/nothing") + get(b"/readyz") * 2000 + last)
        assert statuses(wire.rest()) == [200, 404, *[200] * 2001]


def test_a_body_in_chunks_is_put_together_and_extensions_and_trailers_are_read_past(
    node: Gateway,
) -> None:
    body = BODY.replace(b"smuggled", b"in chunks")
    head = chat(node.key, b"Transfer-Encoding: chunked", body=b"", length=False)
    pieces = b"5;a=b\r\n%b\r\n%X\r\n%b\r\n0\r\nTrailer: x\r\n\r\n"
    with Wire(node) as wire:
        last = get(b"/healthz", b"Connection: close")
        wire.send(head + pieces % (body[:5], len(body) - 5, body[5:]) + last)
        answer = wire.rest()
    assert statuses(answer) == [200, 200]
    assert b"in chunks" in answer


def test_head_is_get_without_a_body(node: Gateway) -> None:
    with Wire(node) as wire:
        wire.send(b"HEAD /api/v1/models HTTP/1.1\r\n" + HOST + b"\r\n")
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += wire.socket.recv(1)
        assert int(parsed(data[:-4])[1]["content-length"]) > 100
        wire.send(get())
        assert wire.one()[0] == 200


def test_a_client_of_http_1_0_gets_a_stream_that_ends_with_its_connection(node: Gateway) -> None:
    body = BODY.replace(b"{", b'{"stream":true,', 1).replace(b"smuggled", b"one zero")
    with Wire(node) as wire:
        wire.send(chat(node.key, body=body).replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = wire.rest()
    assert b"transfer-encoding" not in answer.lower()
    assert b"connection: close\r\n" in answer.lower()
    assert answer.endswith(b"data: [DONE]\n\n")


def test_a_body_is_asked_for_only_by_who_reads_it(node: Gateway) -> None:
    with Wire(node) as wire:
        wire.send(chat("wrong", b"Expect: 100-continue", body=b"").replace(b": 0", b": 200000"))
        assert statuses(wire.rest()) == [413]
    body = BODY.replace(b"smuggled", b"expected")
    with Wire(node) as wire:
        wire.send(chat(node.key, b"Expect: 100-continue", body=body)[: -len(body)])
        assert wire.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(body)
        assert wire.one()[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", None),
        (b"\r\n", 408),
        (b"GET /healthz HTTP/1.1\r\nHost: gate", 408),
        (chat("KEY", b"Content-Length: 30", body=b"abc", length=False), 408),
        (chat("KEY", b"Transfer-Encoding: chunked", body=b"30\r\nabc", length=False), 408),
    ],
    ids=["nothing", "an empty line", "half a head", "half a body", "half a chunk"],
)
def test_who_does_not_go_on_is_told_so_in_time_and_closed(
    node: Gateway, data: bytes, status: int | None
) -> None:
    with Wire(node) as wire:
        wire.send(data.replace(b"KEY", node.key.encode()))
        assert statuses(wire.rest()) == ([] if status is None else [status])


@pytest.mark.parametrize("path", [b"/chat/completions", b"/embeddings", b"/messages/count_tokens"])
@pytest.mark.parametrize(
    "fields",
    [(b"Content-Length: 90000",), (b"Content-Length: 90000", b"Expect: 100-continue")],
    ids=["at once", "when asked"],
)
@pytest.mark.parametrize("key", ["wrong", "sk-dm-v1-" + 49 * "x"])
def test_a_body_is_not_taken_from_who_has_no_key(
    node: Gateway, key: str, fields: tuple[bytes, ...], path: bytes
) -> None:
    with Wire(node) as wire:
        head = chat(key, *fields, body=b"", length=False)
        wire.send(head.replace(b"/chat/completions", path))
        assert wire.one()[0] == 401
        assert wire.rest() == b""


def test_a_connection_that_is_idle_is_closed_without_a_word(node: Gateway) -> None:
    with Wire(node) as wire:
        wire.send(get())
        assert wire.one()[0] == 200
        assert wire.rest() == b""


def test_a_body_that_is_cut_off_is_not_served(node: Gateway) -> None:
    with Wire(node) as wire:
        wire.send(chat(node.key)[:-1])
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.rest() == b""


def test_a_reset_at_any_moment_leaves_nothing_behind(node: Gateway) -> None:
    whole = chat("wrong")
    for end in range(1, len(whole), 29):
        with Wire(node) as wire:
            wire.send(whole[:end])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with Wire(node) as wire:
        wire.send(get())
        assert wire.one()[0] == 200


def test_silent_connections_are_in_nobodys_way(node: Gateway) -> None:
    crowd = [Wire(node) for _ in range(1500)]
    try:
        with Wire(node) as wire:
            wire.send(get())
            assert wire.one()[0] == 200
    finally:
        for each in crowd:
            each.socket.close()


def test_whom_nobody_trusts_cannot_say_who_it_is(node: Gateway) -> None:
    with Wire(node) as wire:
        wire.send(get(b"/api/v1/models?use_rss=true", b"X-Forwarded-Proto: https"))
        assert b"http://gateway.example" in wire.one()[2]


def test_curl_is_served(node: Gateway, needs: Needs) -> None:
    url = f"{node.url}/api/v1/models"
    command = [needs("curl"), "-s", "--http2", "-w", "%{http_code} "]
    command += ["-o", "/dev/null", url, "-o", "/dev/null", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["200", "200"]


def test_in_the_end_nothing_was_served_that_was_not_asked_openly(node: Gateway) -> None:
    made: list[Any] = node.run("logs", "--json")
    assert len(made) <= 3
    with Wire(node) as wire:
        wire.send(chat(node.key) + chat(node.key, b"Connection: close"))
        assert statuses(wire.rest()) == [200, 200]
    assert len(node.run("logs", "--json")) == len(made) + 2
