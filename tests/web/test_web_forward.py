"""A request goes through two servers, by TCP and by a Unix socket, and nothing of it is lost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest
from dragoman.link.place import connected, listening
from dragoman.web.edge import Edge
from dragoman.web.forward import Forward
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server.exchange import EXCHANGE
from dragoman.web.server.listener import Server
from tests.web.front import running

OPTIONS = ServerOptions(port=0, management_body_bytes=100_000, drain_s=0)
HEAD = "Host: localhost\r\nConnection: close\r\n"


class Far:
    """The application at the far end: by the path of a request it does one thing or another."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.left = asyncio.Event()
        self.hangs = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.asked.append({**scope, "extensions": {}})
        path = scope["path"]
        if path == "/refused":
            raise InvalidRequest("not like this")
        if path == "/defect":
            raise ZeroDivisionError
        if path == "/dies":
            scope["extensions"][EXCHANGE]._line.drop()
            return
        if path == "/hang":
            self.hangs.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        fields = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-kept", b"yes")]
        if path == "/empty":
            await send({"type": "http.response.start", "status": 204, "headers": fields})
            await send({"type": "http.response.body", "body": b""})
            return
        if path == "/short":
            fields.append((b"content-length", b"10"))
        await send({"type": "http.response.start", "status": 201, "headers": fields})
        if path in {"/stream", "/short"}:
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            await asyncio.sleep(0.01)  # what is written in one turn goes out at its end
            if path == "/short":
                return
        await send({"type": "http.response.body", "body": await whole(receive)})


async def whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    return body


class Placed(Server):
    """A server, and the socket it serves on."""

    place: socket.socket


class Pair:
    """Both servers, and a way to call the near one."""

    def __init__(self, path: Path) -> None:
        self.far = Far()
        self.path = path
        self.port = 0
        self.forward = Forward(path, connected, OPTIONS, Clock())
        self.tasks: list[tuple[Placed, asyncio.Task[None]]] = []

    async def open_far(self) -> None:
        server = await self._open(Edge({}, self.far, running, OPTIONS), listening(self.path))
        assert server.floor.address is None

    async def open_near(self) -> None:
        place = socket.create_server(("127.0.0.1", 0))
        self.port = place.getsockname()[1]
        await self._open(Edge({}, self.forward, running, OPTIONS), place)

    async def close_far(self) -> None:
        await self._close(*self.tasks.pop(0))

    async def call(self, words: str, body: bytes = b"") -> tuple[bytes, bytes]:
        """Return the head and the body of the answer."""
        answer = await self.raw(words.encode("latin-1") + b"\r\n" + body)
        head, _, rest = answer.partition(b"\r\n\r\n")
        return head, rest

    async def raw(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return answer

    async def _open(self, app: Edge, place: socket.socket) -> Server:
        up = asyncio.Event()
        server = Placed(app, OPTIONS, lambda _: up.set())
        server.place = place
        task = asyncio.create_task(server.serve(place))
        self.tasks.append((server, task))
        async with asyncio.timeout(20):
            await up.wait()
        return server

    async def _close(self, server: Placed, task: asyncio.Task[None]) -> None:
        server.stop()
        async with asyncio.timeout(20):
            await task
        server.place.close()

    async def close(self) -> None:
        await self.forward.aclose()
        for server, task in reversed(self.tasks):
            await self._close(server, task)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with _pair(tmp_path / "socket") as opened:
        yield opened


@asynccontextmanager
async def _pair(path: Path) -> AsyncIterator[Pair]:
    pair = Pair(path)
    await pair.open_far()
    await pair.open_near()
    try:
        yield pair
    finally:
        await pair.close()


async def test_a_request_arrives_as_it_was_and_its_answer_comes_back_whole(pair: Pair) -> None:
    body = bytes(range(256)) * 300
    words = f"PUT /api/v1/a%20b?q=1&q=2 HTTP/1.1\r\n{HEAD}X-Own: \xe9\r\n"
    head, answer = await pair.call(f"{words}Content-Length: {len(body)}\r\n", body)
    (scope,) = pair.far.asked
    assert (scope["method"], scope["path"]) == ("PUT", "/v1/a b")
    assert scope["query_string"] == b"q=1&q=2"
    assert dict(scope["headers"])[b"x-own"] == b"\xe9"
    assert dict(scope["headers"])[b"host"] == b"localhost"
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
    assert head.startswith(b"HTTP/1.1 201 Created\r\n")
    assert head.count(b"set-cookie: ") == 2
    assert head.lower().count(b"date: ") == 1
    assert answer == body


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_requests_without_a_body(pair: Pair, method: str) -> None:
    head, answer = await pair.call(f"{method} /a HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 201")
    assert answer == b""


async def test_chunks_go_in_and_parts_come_out(pair: Pair) -> None:
    words = f"POST /stream HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n"
    head, answer = await pair.call(words, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert answer == b"4\r\npart\r\n5\r\nabcde\r\n0\r\n\r\n"


async def test_an_answer_without_a_body(pair: Pair) -> None:
    head, answer = await pair.call(f"POST /empty HTTP/1.1\r\n{HEAD}Content-Length: 0\r\n")
    assert head.startswith(b"HTTP/1.1 204")
    assert answer == b""


async def test_errors_are_those_of_the_far_end(pair: Pair) -> None:
    head, answer = await pair.call(f"GET /refused HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"not like this" in answer
    head, answer = await pair.call(f"GET /defect HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 500")
    assert b"ZeroDivision" not in answer


async def test_a_body_over_the_limit_never_leaves(pair: Pair) -> None:
    body = bytes(100_001)
    words = f"POST /a HTTP/1.1\r\n{HEAD}"
    head, _ = await pair.call(f"{words}Content-Length: {len(body)}\r\n", body)
    assert head.startswith(b"HTTP/1.1 413")
    assert pair.far.asked == []


async def test_what_a_client_says_of_itself_is_left_behind(pair: Pair) -> None:
    lies = (
        "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.8\r\n"
        "X-Forwarded-Proto: https\r\nForwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n"
        "Keep-Alive: 5\r\nTE: trailers\r\nX-Hop: 1\r\n"
    )
    connection = "Connection: close, x-hop, x-forwarded-for, x-forwarded-proto\r\n"
    await pair.call(f"GET /a HTTP/1.1\r\nHost: localhost\r\n{connection}{lies}")
    (scope,) = pair.far.asked
    assert scope["client"][0] == "127.0.0.1"
    assert scope["scheme"] == "http"
    assert not {b"x-hop", b"forwarded", b"x-real-ip", b"te"} & dict(scope["headers"]).keys()
    assert b"203.0.113" not in b"".join(value for _, value in scope["headers"])


async def test_an_answer_that_breaks_off_is_cut_and_not_ended(pair: Pair) -> None:
    head, answer = await pair.call(f"GET /short HTTP/1.1\r\n{HEAD}")
    assert b"content-length: 10" in head
    assert answer == b"part"


async def test_a_client_that_leaves_takes_its_request_along(pair: Pair) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", pair.port)
    writer.write(f"GET /hang HTTP/1.1\r\n{HEAD}\r\n".encode())
    async with asyncio.timeout(20):
        await pair.far.hangs.wait()
        writer.close()
        await pair.far.left.wait()


async def test_a_far_end_that_is_gone_is_503_and_found_again(pair: Pair) -> None:
    assert (await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}"))[0].startswith(b"HTTP/1.1 201")
    await pair.close_far()
    head, _ = await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in head
    await pair.open_far()
    pair.tasks.insert(0, pair.tasks.pop())
    assert (await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}"))[0].startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize(
    ("method", "times"), [("POST", 1), ("PATCH", 1), ("DELETE", 1), ("GET", 2)]
)
async def test_what_the_far_end_may_have_done_is_not_asked_of_it_again(
    pair: Pair, method: str, times: int
) -> None:
    await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}")
    head, _ = await pair.call(f"{method} /dies HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 503")
    assert [asked["path"] for asked in pair.far.asked] == ["/a"] + ["/dies"] * times


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_kept_connection_whose_far_end_has_left_is_replaced(
    pair: Pair, method: str
) -> None:
    await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}")
    await pair.close_far()
    await pair.open_far()
    pair.tasks.insert(0, pair.tasks.pop())
    head, _ = await pair.call(f"{method} /b HTTP/1.1\r\n{HEAD}")
    assert head.startswith(b"HTTP/1.1 201")


async def test_many_at_once_share_connections(pair: Pair) -> None:
    async def call(number: int) -> bytes:
        while True:
            head, _ = await pair.call(f"GET /a?{number} HTTP/1.1\r\n{HEAD}")
            if b"\r\nretry-after: " not in head:
                return head.split(b"\r\n")[0]
            await asyncio.sleep(0.1)  # on a slow machine so many are too many

    heads = await asyncio.gather(*(call(number) for number in range(300)))
    assert set(heads) == {b"HTTP/1.1 201 Created"}
    assert len(pair.far.asked) == 300


async def test_the_sweep_runs_until_it_is_cancelled(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.web.forward.SWEEP_S", 0.001)
    monkeypatch.setattr("dragoman.web.forward.KEPT_S", 0.0)
    await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}")
    sweeping = asyncio.create_task(pair.forward.run())
    async with asyncio.timeout(20):
        await pair.forward._lane.emptied()
    sweeping.cancel()
    assert (await pair.call(f"GET /a HTTP/1.1\r\n{HEAD}"))[0].startswith(b"HTTP/1.1 201")
