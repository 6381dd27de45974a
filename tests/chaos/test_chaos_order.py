"""Nobody sees the end of an answer that the journal does not hold, nor a provider an unnoted start.

Before each write of its journal a gateway pauses, until all that left it has arrived: as if it
were killed there. What clients have then, and what the provider was asked, must be on file already.
"""

import asyncio
import json
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from dragoman.access.types import Grant
from dragoman.app import build
from dragoman.catalog.options import ModelOptions, PriceOptions, ProviderOptions
from dragoman.config import Options, Settings
from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger import acts
from dragoman.ledger.acts import Final, Start
from dragoman.office import keys
from dragoman.office.premises import Premises, open_premises
from dragoman.store.journal import folder, writer
from dragoman.upstream.options import UpstreamOptions
from dragoman.web.options import ServerOptions
from dragoman.web.server.listener import Server
from tests.conftest import Needs
from tests.e2e.scripted import SCRIPTS, Call, ScriptedUpstream, completion

ARRIVES_S = 0.02
HOLD_S = 0.2
LONG = 400_000
SCRIPTED = ("good", "flood", "status-400", "late_error-1", "cut-1", "rst-1", "late", "stall-1")
FRAME = struct.Struct(">II")
MAKE_CERTIFICATE = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
)


async def flood(call: Call) -> None:
    """Answer with more than fits on its way at once."""
    words = "word " * (LONG // 5)
    if not call.streams:
        await call.answer(200, completion(words))
        return
    await call.open_stream()
    await call.word(words)
    await call.close_stream()


async def late(call: Call) -> None:
    """Refuse what is asked when the stream's 200 is out already."""
    await asyncio.sleep(HOLD_S * 2)
    await call.error(400)


class Client:
    """One connection: what is sent on it, and whatever comes back."""

    def __init__(self, address: tuple[str, int], *, tls: bool) -> None:
        self.came = b""
        self._line = socket.create_connection(address, timeout=30)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._line = context.wrap_socket(self._line)

    def talk(self, said: bytes, until: int, pause_s: float) -> None:
        """Send, wait, and read until so many answers have ended, or the gateway closes."""
        with suppress(ConnectionResetError, ssl.SSLError):
            self._line.sendall(said)
            time.sleep(pause_s)
            while self.ends < until and (data := self._line.recv(65536)):
                self.came += data

    @property
    def ends(self) -> int:
        """Return how many answers can be seen to have ended: all of a whole one, or an event."""
        if b"text/event-stream" in self.came:
            return self.came.count(b"data: [DONE]") + self.came.count(b'"error":')
        return self.came.count(b"HTTP/1.1 ") - self.came.count(b"HTTP/1.1 100 ")

    def close(self) -> None:
        self._line.close()


class Watch:
    """Looks at both ends of a gateway before its journal is written."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.client: Client | None = None
        self.started = self.ended = 0
        self.early: list[str] = []
        self._upstream = upstream

    def write(self, file: int, data: bytes) -> None:
        time.sleep(ARRIVES_S)
        if len(self._upstream.calls) > self.started:
            self.early.append(f"{self._upstream.calls} were asked, and {self.started} noted")
        if self.client is not None and self.client.ends > self.ended:
            self.early.append(f"{self.client.ends} ends were seen, and {self.ended} noted")
        for act in _acts(data):
            self.started += isinstance(act, Start)
            self.ended += isinstance(act, Final)
        folder.write_all(file, data)

    def begin(self, client: Client) -> None:
        self.client = client
        self.started = self.ended = 0
        self._upstream.forget()


def _acts(data: bytes) -> Iterator[acts.Act[msgspec.Raw]]:
    while data:
        size, _ = FRAME.unpack_from(data)
        yield acts.decode(data[FRAME.size : FRAME.size + size])
        data = data[FRAME.size + size :]


class House:
    """A gateway on a socket of its own, two keys, and a watch over its journal."""

    def __init__(
        self, premises: Premises, watch: Watch, url: str, certificate: Path | None
    ) -> None:
        price = PriceOptions(prompt="0.000001", completion="0.000002")
        models = {f"t/{each}": ModelOptions(upstream=each, price=price) for each in SCRIPTED}
        self.options = Options(
            providers={"acme": ProviderOptions(base_url=url, models=models)},
            upstream=UpstreamOptions(linger_requests=0),
            server=ServerOptions(
                header_hold_s=HOLD_S,
                drain_s=0,
                certfile=str(certificate / "cert.pem") if certificate else None,
                keyfile=str(certificate / "key.pem") if certificate else None,
            ),
        )
        self.watch = watch
        self._premises = premises
        self.free = self._mint("free", Grant())
        self.limited = self._mint("limited", Grant(limit_nanos=NanoUsd(10**12)))

    def _mint(self, name: str, grant: Grant) -> str:
        make = keys.create(
            name, prefix="sk-dm-v1-", pepper=self._premises.pepper, now=0.0, grant=grant
        )
        return self._premises.ledger.run_now(make)[0]

    async def serve(self, talks: Callable[["House", tuple[str, int]], None]) -> None:
        """Serve while a thread talks to the gateway."""
        settings = Settings(options=self.options, file=None, data=Path(), environ={})
        edge = build(settings, self._premises, Clock())
        told: asyncio.Queue[str] = asyncio.Queue()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            self._server = Server(edge, self.options.server, told.put_nowait)
            self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
            serving = asyncio.create_task(self._server.serve(listener))
            await told.get()
            try:
                await asyncio.to_thread(talks, self, address)
            finally:
                self.stop()
                await serving

    def stop(self) -> None:
        if not self._server._stopping.is_set():
            self._loop.call_soon_threadsafe(self._server.stop)

    def request(self, model: str, key: str = "", head: str = "", **body: Any) -> bytes:
        asked = {"model": f"t/{model}", "messages": [{"role": "user", "content": "hi"}]} | body
        words = json.dumps(asked).encode()
        version = "1.0" if head == "1.0" else "1.1"
        more = "connection: close\r\n" if head == "close" else ""
        lines = (
            f"POST /v1/chat/completions HTTP/{version}\r\nhost: localhost\r\n{more}"
            f"authorization: Bearer {key or self.free}\r\ncontent-length: {len(words)}\r\n\r\n"
        )
        return lines.encode() + words


def talk_of_all_sorts(house: House, address: tuple[str, int]) -> None:
    """End answers in every way there is, each on a connection of its own."""
    ask, limited = house.request, house.limited
    tls = house.options.server.certfile is not None
    for said, ends, pause_s in (
        (ask("good"), 1, 0.0),
        (ask("good", head="close"), 1, 0.0),
        (ask("good", head="1.0"), 1, 0.0),
        (ask("good") + ask("good", head="close"), 2, 0.0),
        (ask("flood"), 1, 0.0),
        (ask("flood", head="close"), 1, 0.3),
        (ask("good", key=limited), 1, 0.0),
        (ask("flood", key=limited), 1, 0.0),
        (ask("status-400"), 1, 0.0),
        (ask("good", stream=True), 1, 0.0),
        (ask("good", head="close", stream=True), 1, 0.0),
        (ask("good", head="1.0", stream=True), 1, 0.0),
        (ask("good", key=limited, stream=True), 1, 0.0),
        (ask("good", stream=True) + ask("good", stream=True), 2, 0.0),
        (ask("flood", stream=True), 1, 0.0),
        (ask("flood", head="1.0", stream=True), 1, 0.3),
        (ask("late_error-1", stream=True), 1, 0.0),
        (ask("cut-1", stream=True), 1, 0.0),
        (ask("rst-1", stream=True), 1, 0.0),
        (ask("late", stream=True), 1, 0.0),
    ):
        _talk(house, Client(address, tls=tls), said, ends, pause_s)
    client = Client(address, tls=tls)
    house.watch.begin(client)
    client.talk(ask("stall-1", stream=True), 0, 0.2)
    house.stop()
    _talk_on(house, client, b"", 1, 0.0)


def _talk(house: House, client: Client, said: bytes, ends: int, pause_s: float) -> None:
    house.watch.begin(client)
    _talk_on(house, client, said, ends, pause_s)


def _talk_on(house: House, client: Client, said: bytes, ends: int, pause_s: float) -> None:
    client.talk(said, ends, pause_s)
    end = time.monotonic() + 5
    while house.watch.ended < ends and time.monotonic() < end:
        time.sleep(0.005)
    assert (client.ends, house.watch.ended) == (ends, ends), (said[-100:], client.came[:300])
    client.close()


@pytest.fixture
def certificate(tmp_path: Path, needs: Needs) -> Path:
    command = [needs("openssl"), *MAKE_CERTIFICATE.split()]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_no_end_is_seen_and_no_start_is_heard_that_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, *, tls: bool
) -> None:
    certificate = request.getfixturevalue("certificate") if tls else None
    monkeypatch.setitem(SCRIPTS, "flood", flood)
    monkeypatch.setitem(SCRIPTS, "late", late)
    premises = open_premises(tmp_path / "data")
    with ScriptedUpstream() as upstream:
        watch, real = Watch(upstream), writer.Disk
        monkeypatch.setattr(writer, "Disk", lambda: real(write=watch.write))
        house = House(premises, watch, upstream.url, certificate)
        uvloop.run(house.serve(talk_of_all_sorts))
    premises.close()
    assert watch.early == []
