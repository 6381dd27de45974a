"""The server's start and stop, on real sockets."""

import asyncio
import errno
import os
import signal
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dragoman.web.lanes import Lane, Tier
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server import listener
from dragoman.web.server.listener import Server, StartFailed
from tests.conftest import Needs
from tests.net.calls import until
from tests.web.wire import Work, echo

GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Living:
    """An application with a life, whose requests do `work`."""

    def __init__(self, work: Work = echo, *, says: str = "complete") -> None:
        self.work = work
        self.says = says
        self.moments: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.work(scope, receive, send)
            return
        for moment in ("startup", "shutdown"):
            if self.says == "nothing":
                return
            assert (await receive())["type"] == f"lifespan.{moment}"
            self.moments.append(moment)
            await send({"type": f"lifespan.{moment}.{self.says}", "message": "the shelf is bare"})

    def lane(self, _: str) -> Lane:
        return Lane(Tier.INFERENCE, 1000)


class Stalling:
    """A stream that says one thing and waits; when it is stopped it says so."""

    def __init__(self) -> None:
        self.app = Living(self._work)

    async def _work(self, _: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"stopped"})


class Up:
    """A server that is up: where, and how many requests it said it waits for."""

    def __init__(self, server: Server, url: str, waited: list[int]) -> None:
        self.server = server
        self.url = url
        self.waited = waited

    async def line(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.url.partition("//")[2].rsplit(":", 1)
        return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def serving(app: Living, options: ServerOptions) -> AsyncIterator[Up]:
    """Serve while the block lasts, and longer if need be."""
    told: asyncio.Queue[str] = asyncio.Queue()
    waited: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = Server(app, options, told.put_nowait, waited.append)
        work = asyncio.create_task(server.serve(bound))
        yield Up(server, await asyncio.wait_for(told.get(), 10), waited)
        if not server._stopping.is_set():
            server.stop()
        await asyncio.wait_for(work, 20)


async def test_it_says_where_it_listens_once_it_does_and_its_application_lives_as_long() -> None:
    app = Living()
    async with serving(app, ServerOptions()) as up:
        with await asyncio.to_thread(urllib.request.urlopen, f"{up.url}/b", timeout=30) as answer:
            assert (answer.read(), answer.headers["server"]) == (b"GET /b ", None)
            assert answer.headers["date"].endswith(" GMT")
        assert app.moments == ["startup"]
    assert app.moments == ["startup", "shutdown"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("says", "words"), [("failed", "the shelf is bare"), ("nothing", "ended")])
async def test_a_start_that_fails_tells_why_and_no_address(says: str, words: str) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = Server(Living(says=says), ServerOptions(), told.append)
        with pytest.raises(StartFailed, match=words):
            await server.serve(bound)
    assert told == []


@pytest.mark.parametrize("what", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_lets_open_streams_go_on_and_then_end_with_what_they_have_to_say(
    what: signal.Signals,
) -> None:
    before = signal.getsignal(what)
    async with serving(Stalling().app, ServerOptions(drain_s=0.3)) as up:
        reader, writer = await up.line()
        writer.write(GET)
        await reader.readuntil(b"3\r\none\r\n")
        os.kill(os.getpid(), what)
        assert await reader.read() == b"7\r\nstopped\r\n0\r\n\r\n"
        writer.close()
        assert up.waited == [1]
        with pytest.raises(ConnectionRefusedError):
            await up.line()
    assert signal.getsignal(what) is before


async def test_who_is_to_outlive_the_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with serving(Living(echo), ServerOptions(drain_s=3600)) as up:
            os.kill(os.getpid(), signal.SIGHUP)
            reader, writer = await up.line()
            writer.write(GET)
            assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
            writer.close()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_second_signal_does_not_wait() -> None:
    async with serving(Stalling().app, ServerOptions(drain_s=3600)) as up:
        reader, writer = await up.line()
        writer.write(GET)
        await reader.readuntil(b"3\r\none\r\n")
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        os.kill(os.getpid(), signal.SIGINT)
        assert await reader.read() == b"7\r\nstopped\r\n0\r\n\r\n"
        writer.close()


async def test_who_does_not_stop_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "GRACE_S", 0.2)
    ended = asyncio.Event()

    async def stubborn(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await ended.wait()

    async with serving(Living(stubborn), ServerOptions(drain_s=0)) as up:
        reader, writer = await up.line()
        writer.write(GET)
        await reader.readuntil(b"3\r\none\r\n")
        up.server.stop()
        assert await reader.read() == b"", "no end of the stream that could be mistaken for one"
        writer.close()
    ended.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, needs: Needs) -> Path:
    """A file with a certificate for localhost, and its key."""
    home = tmp_path_factory.mktemp("tls")
    cert, key = home / "cert.pem", home / "key.pem"
    command = [needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return home


async def test_with_a_certificate_it_speaks_tls(certificate: Path) -> None:
    options = ServerOptions(
        certfile=str(certificate / "cert.pem"), keyfile=str(certificate / "key.pem"), header_s=0.4
    )
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with serving(Living(), options) as up:
        assert up.url.startswith("https://")

        def asked() -> bytes:
            with urllib.request.urlopen(f"{up.url}/b", timeout=30, context=trusting) as answer:
                body: bytes = answer.read()
                return body

        assert await asyncio.to_thread(asked) == b"GET /b "
        reader, writer = await up.line()
        writer.write(GET)
        assert b"HTTP/1.1" not in await reader.read()
        writer.close()
        silent, writer = await up.line()
        assert await asyncio.wait_for(silent.read(), 10) == b""
        writer.close()


def secure(certificate: Path, **options: Any) -> ServerOptions:
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    return ServerOptions(certfile=str(cert), keyfile=str(key), **options)


async def test_who_does_not_begin_to_speak_tls_makes_room_for_who_does(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with serving(Living(), secure(certificate, connections=8)) as up:
        floor = up.server.floor
        silent = [await up.line() for _ in range(20)]
        port = int(up.url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("localhost", port, ssl=trusting)
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        assert floor.connections <= 8
        ended = await asyncio.wait_for(silent[0][0].read(), 10)
        assert ended == b"", "the oldest goes first"
        for _, line in [*silent, (reader, writer)]:
            line.close()
        await until(lambda: floor.empty)


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.mark.parametrize("speaks_tls", [False, True])
async def test_who_asks_where_every_connection_is_at_work_is_told_so(
    certificate: Path, *, speaks_tls: bool
) -> None:
    """Also one that has sent its request by the time, as clients do."""
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    few: dict[str, Any] = {"connections": 1, "requests": 100}
    options = secure(certificate, **few) if speaks_tls else ServerOptions(**few)
    async with serving(Stalling().app, options) as up:
        port = int(up.url.rsplit(":", 1)[1])

        async def asking() -> Line:
            reader, writer = await asyncio.open_connection(
                "localhost", port, ssl=trusting if speaks_tls else None
            )
            writer.write(GET)
            return reader, writer

        busy = await asking()
        assert (await busy[0].readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        for _ in range(5):
            reader, writer = await asking()
            told = await asyncio.wait_for(reader.read(), 10)
            assert told.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in told
            assert up.server.floor.connections == 1
            writer.close()
        busy[1].close()
        await until(lambda: up.server.floor.empty)
        free = await asking()
        assert (await free[0].readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        free[1].close()


async def test_handshakes_only_to_say_no_are_few_and_short(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.web.server.greeting.EXCUSED_PER_S", 0)
    monkeypatch.setattr("dragoman.web.server.greeting.EXCUSE_S", 0.2)
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with serving(Stalling().app, secure(certificate, connections=1, requests=100)) as up:
        port = int(up.url.rsplit(":", 1)[1])
        _, busy = await asyncio.open_connection("localhost", port, ssl=trusting)
        busy.write(GET)
        await until(lambda: bool(up.server.floor.running))
        with pytest.raises(OSError):  # noqa: PT011 - of TLS or of TCP
            await asyncio.open_connection("localhost", port, ssl=trusting)
        monkeypatch.setattr("dragoman.web.server.greeting.EXCUSED_PER_S", 1000)
        silent, writer = await up.line()
        await asyncio.sleep(1.1)  # another second, for which there are others
        assert await asyncio.wait_for(silent.read(), 10) == b""
        writer.close()
        busy.close()


async def test_a_stop_does_not_wait_for_handshakes(certificate: Path) -> None:
    async with serving(Living(), secure(certificate)) as up:
        reader, writer = await up.line()
        await until(lambda: not up.server.floor.empty)
        up.server.stop()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_without_a_file_for_a_connection_it_rests_and_goes_on(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Starved(socket.socket):
        times = 0

        def accept(self) -> tuple[socket.socket, Any]:
            Starved.times += 1
            if Starved.times == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    monkeypatch.setattr("dragoman.web.server.greeting.REST_S", 0.01)
    up = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as bound, Starved(fileno=bound.detach()) as place:
        server = Server(Living(), secure(certificate, header_s=0.1), lambda _: up.set())
        work = asyncio.create_task(server.serve(place))
        await up.wait()
        reader, writer = await asyncio.open_connection(*place.getsockname())
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert Starved.times > 1
        writer.close()
        server.stop()
        await asyncio.wait_for(work, 20)


async def test_deadlines_are_kept_by_the_clock() -> None:
    async with serving(Living(), ServerOptions(header_s=0.2, idle_s=0.2)) as up:
        reader, writer = await up.line()
        writer.write(GET[:9])
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 408 ")
        writer.close()
        reader, writer = await up.line()
        writer.write(GET)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert up.server.floor.empty
