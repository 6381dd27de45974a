"""Patience, room and the end: what the server does about clients that are slow or too many."""

import asyncio
from typing import Any

import pytest

from dragoman.net.exchange import Exchange as Answer
from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server.connection import Connection
from dragoman.web.server.exchange import EXCHANGE, Exchange
from tests.net.carrier import FakeCarrier, exchange
from tests.web.wire import GET, POST, App, Carrier, Scene, Watching, echo, is_still, settled

EVENT = b"4000\r\n%b\r\n" % (b"x" * 0x4000)
FLOOD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HELD_UNREAD = 192_000
"""What `make load` allows for each client that does not read, 256 KB, less a stream's own 40 KB and
what an allocator loses."""


@pytest.mark.parametrize(
    ("data", "good_s", "over_s", "sent"),
    [
        (b"", 9.5, 10.5, b""),
        (b"GET /", 9.5, 10.5, b"HTTP/1.1 408 "),
        (POST % 9 + b"x", 4.5, 5.5, b"HTTP/1.1 408 "),
        (POST % 90_000 + b"x" * 80_000, 14.5, 15.5, b"HTTP/1.1 408 "),
        (GET, 74.5, 75.5, b"HTTP/1.1 200 "),
    ],
    ids=["silent", "half a head", "a slow body", "a body that stops", "idle"],
)
async def test_patience_has_an_end(data: bytes, good_s: float, over_s: float, sent: bytes) -> None:
    scene = Scene(App(body_bytes=10**6))
    line, carrier = scene.client()
    if data:
        line.data_received(data)
    await settled()
    scene.later(good_s)
    assert [carrier.closed, carrier.ended] == [False, False]
    scene.later(over_s)
    assert True in [carrier.closed, carrier.ended]
    assert carrier.sent.startswith(sent)
    assert carrier.sent.count(b"HTTP/1.1") == bool(sent)


async def test_a_crowd_whose_time_has_come_is_told_in_parts() -> None:
    scene = Scene(connections=600, per_address=600)
    crowd = [scene.client()[1] for _ in range(600)]
    now = scene.loop.time() + 11
    assert scene.sweep(now)
    assert 0 < sum(each.closed for each in crowd) < 600
    while scene.sweep(now):
        pass
    assert scene.floor.empty


async def test_bytes_that_trickle_do_not_buy_time() -> None:
    scene = Scene()
    line, carrier = scene.client()
    await asyncio.sleep(0.01)
    due = line.due
    for byte in b"\r\nGET /a HTTP/1.1\r\nHost: x\r\nA: bcd":
        line.data_received(bytes([byte]))
    assert line.due == due
    scene.later(10.5)
    assert carrier.sent.startswith(b"HTTP/1.1 408 ")


async def test_a_stream_is_never_due_as_long_as_its_client_reads() -> None:
    watching = Watching()
    line, _ = Scene(watching.app).client()
    line.data_received(GET)
    await settled()
    assert is_still(line)


async def test_who_does_not_read_holds_up_its_stream_and_is_closed_unless_it_moves() -> None:
    written = []

    async def work(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            written.append(1)
            await asyncio.sleep(0)

    scene = Scene(App(work))
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    carrier.waiting = 70_000
    line.pause_writing()
    await settled()
    before = len(written)
    await settled()
    assert len(written) == before
    carrier.waiting = 69_000
    scene.later(31)
    assert not carrier.closed
    carrier.waiting = 0
    line.resume_writing()
    await settled()
    assert len(written) > before
    carrier.waiting = 70_000
    line.pause_writing()
    scene.later(31)
    assert carrier.aborted
    scene.floor.abandon()
    await settled()
    assert not scene.floor.running


class Deaf(Carrier):
    """A transport whose client reads nothing, of which the application is told as uvloop does."""

    def __init__(self) -> None:
        super().__init__()
        self.high = 0
        self.line: Connection

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        super().set_write_buffer_limits(high, low)
        self.high = high or 0

    def write(self, data: Any) -> None:
        told = self.waiting > self.high
        self.waiting += len(data)
        if self.waiting > self.high and not told:
            self.line.pause_writing()


class Flood:
    """An application that pours a provider's answer into its own, as a relay does."""

    def __init__(self) -> None:
        self.provider = FakeCarrier()
        self.answer: Answer = exchange(self.provider)

    async def __call__(self, scope: Message, _: Receive, send: Send) -> None:
        ours: Exchange = scope["extensions"][EXCHANGE]
        room: asyncio.Event | None = None
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

        def take(data: bytes) -> bool:
            nonlocal room
            room = ours.put(data)
            return room is None

        while not await self.answer.pour(take):
            assert room is not None
            await room.wait()


async def test_what_waits_for_a_client_that_does_not_read_is_little() -> None:
    flood = Flood()
    scene, carrier = Scene(App(flood)), Deaf()
    line = carrier.line = Connection(scene.floor, scene.loop)
    carrier.carry(line)
    line.data_received(GET)
    await settled()
    flood.answer.feed(FLOOD)
    fed = 0
    while not flood.provider.done and fed < 10 * HELD_UNREAD:
        flood.answer.feed(EVENT)
        fed += len(EVENT)
        await settled()
    assert flood.provider.done == ["pause"]
    assert carrier.high < carrier.waiting < fed <= HELD_UNREAD
    line.drop()
    scene.floor.abandon()
    await settled()


async def test_who_is_still_sending_when_the_server_stops_is_told_to_come_again() -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(POST % 3 + b"a")
    await settled()
    scene.floor.drain()
    scene.floor.abandon()
    await settled()
    head = carrier.sent.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1" in head
    assert carrier.closed or carrier.ended


async def test_what_is_left_to_send_does_not_keep_a_closed_connection_for_ever() -> None:
    scene = Scene()
    line, carrier = scene.client()
    carrier.waiting = 5
    line.data_received(GET[:-2] + b"Connection: close\r\n\r\n")
    await settled()
    assert carrier.closed
    assert not carrier.aborted
    scene.later(31)
    assert carrier.aborted
    assert scene.floor.empty


async def test_a_newcomer_takes_the_place_of_who_waits_and_not_of_who_works() -> None:
    watching = Watching()
    scene = Scene(watching.app, connections=2)
    busy, _ = scene.client("10.0.0.1")
    busy.data_received(GET)
    _, idle = scene.client("10.0.0.1")
    new, carrier = scene.client("10.0.0.2")
    assert idle.sent.startswith(b"HTTP/1.1 503 "), "it may have asked, and not have been read yet"
    assert idle.ended
    assert scene.floor.connections == 2
    new.data_received(GET)
    await settled()
    assert not carrier.closed
    _, refused = scene.client("10.0.0.3")
    assert refused.sent.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after" in refused.sent
    assert not refused.closed, "its request may be on its way, and be reset, and the answer lost"
    scene.later(2.1)
    assert refused.aborted
    for line in (busy, new):
        line.connection_lost(None)
    await settled()
    assert scene.floor.empty


async def test_who_has_had_an_answer_gives_way_without_a_word() -> None:
    scene = Scene(connections=1)
    kept, idle = scene.client("10.0.0.1")
    kept.data_received(GET)
    await settled()
    scene.client("10.0.0.2")
    assert idle.sent.count(b"HTTP/1.1 ") == 1
    assert idle.aborted


async def test_of_those_whom_there_is_no_room_for_few_are_listened_to() -> None:
    scene = Scene(Watching().app, connections=1)
    busy, _ = scene.client()
    busy.data_received(GET)
    refused = [scene.client() for _ in range(scene.excused + 2)]
    for line, carrier in refused:
        assert carrier.sent.startswith(b"HTTP/1.1 503 ")
        line.data_received(GET)
    assert [carrier.closed for _, carrier in refused[-3:]] == [False, True, True]
    refused[0][0].connection_lost(None)
    assert not scene.client()[1].closed
    await settled()
    assert len(scene.app.asked) == 1
    scene.memory = 0.99
    scene.floor.tick(0.0)
    refused[1][0].connection_lost(None)
    assert scene.client()[1].closed, "nor where there is no memory"
    scene.floor.clear()
    assert all(carrier.closed for _, carrier in refused[2:])


async def test_too_many_requests_are_turned_away_but_never_who_asks_for_health() -> None:
    scene = Scene(Watching().app, requests=1)
    first, _ = scene.client()
    first.data_received(GET)
    second, carrier = scene.client()
    second.data_received(POST % 3 + b"abc")
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert b"gateway_overloaded" in carrier.sent
    third, carrier = scene.client()
    third.data_received(GET.replace(b"/a", b"/healthz"))
    assert not carrier.sent
    assert len(scene.floor.running) == 2
    scene.floor.clear()
    await settled()


async def test_a_trusted_proxy_says_who_asks_and_how() -> None:
    scene = Scene(proxies=("10.0.0.0/8",))
    fields = b"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n"
    for peer in ("10.0.0.1", "192.0.2.1"):
        line, _ = scene.client(peer)
        line.data_received(GET[:-2] + fields)
    await settled()
    told = [(each["client"][0], each["scheme"]) for each in scene.app.asked]
    assert told == [("203.0.113.7", "https"), ("192.0.2.1", "http")]


async def test_a_drain_lets_go_who_waits_and_closes_after_who_is_served() -> None:
    release = asyncio.Event()

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await release.wait()
        await echo(scope, receive, send)

    scene = Scene(App(slow))
    busy, served = scene.client()
    busy.data_received(GET + GET)
    begun, half = scene.client()
    begun.data_received(GET[:5])
    _, idle = scene.client()
    await settled()
    scene.floor.drain()
    assert (idle.closed, served.closed, half.closed) == (True, False, False)
    release.set()
    begun.data_received(GET[5:])
    await settled()
    assert served.ended, "what came after the answered request is read, or it would be reset"
    assert half.closed
    assert served.sent.count(b"HTTP/1.1 200 OK") == 1
    assert b"connection: close" in served.sent
    scene.later(2.1)
    assert scene.floor.empty


async def test_what_is_cancelled_has_no_more_to_say_than_its_application() -> None:
    async def work(_: Message, __: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"stopping"})

    scene = Scene(App(work))
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    scene.floor.abandon()
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert carrier.sent.endswith(b"stopping")
    assert not scene.floor.running
