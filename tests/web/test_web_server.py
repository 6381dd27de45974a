"""The server listens where it is told, and says where that is."""

import asyncio
import urllib.request
from types import SimpleNamespace

import pytest

from dragoman.web.edge import Edge
from dragoman.web.inference import Scope
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Receive, Send
from dragoman.web.server import Server
from tests.web.front import control


async def living(_: Scope, receive: Receive, send: Send) -> None:
    for moment in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{moment}.complete"})


async def failing(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert "server" not in answer.headers
        body: bytes = answer.read()
        return body


async def test_it_says_where_it_listens_once_it_does() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    server = Server(Edge({}, control, living), ServerOptions(port=0), told.put_nowait)
    serving = asyncio.create_task(server.serve())
    url = await asyncio.wait_for(told.get(), 10)
    assert await asyncio.to_thread(fetched, f"{url}/api/hello/") == b"/hello"
    server.should_exit = True
    await serving


async def test_a_start_that_fails_tells_no_address() -> None:
    told: list[str] = []
    server = Server(Edge({}, control, failing), ServerOptions(port=0), told.append)
    with pytest.raises(SystemExit):
        await server.serve()
    assert told == []


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 4000), "http://127.0.0.1:4000"),
        (("::1", 4000, 0, 0), "http://[::1]:4000"),
    ],
)
async def test_an_address_is_one_that_can_be_pasted(
    address: tuple[object, ...], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(Edge({}, control, living), ServerOptions(port=0), print)
    socket = SimpleNamespace(getsockname=lambda: address)
    monkeypatch.setattr(server, "servers", [SimpleNamespace(sockets=[socket])], raising=False)
    assert server._url() == url
