"""An application of our own, which has the exchange itself in place of messages."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server.exchange import EXCHANGE, Exchange
from tests.relay.scene import Scene as Hosts
from tests.upstream.hosts import whole
from tests.web.front import CHAT, Front
from tests.web.wire import GET, POST, App, Scene, settled

ANSWER = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\n\r\nhi"


class Direct:
    """An application that asks and answers without messages."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body
        self.heard: list[bytes | None] = []
        self.app = App(self._work)

    async def _work(self, scope: Message, _: Receive, __: Send) -> None:
        exchange: Exchange = scope["extensions"][EXCHANGE]
        assert exchange.task is asyncio.current_task()
        self.heard += [exchange.whole(), exchange.whole()]
        exchange.reply(200, b"content-length: %d\r\n" % len(self.body), self.body)
        exchange.reply(200, b"content-length: 4\r\n", b"more")


async def test_an_application_may_ask_and_answer_without_messages() -> None:
    direct = Direct(b"hi")
    line, carrier = Scene(direct.app).client()
    for _ in range(2):
        line.data_received(POST % 3 + b"abc")
        await settled()
    assert direct.heard == [b"abc", None] * 2
    assert carrier.sent == ANSWER * 2


async def test_a_body_that_is_not_all_there_is_not_given_whole() -> None:
    direct = Direct(b"hi")
    line, carrier = Scene(direct.app).client()
    line.data_received(POST % 3 + b"a")
    await settled()
    assert direct.heard == [None, None]
    assert b"\r\nconnection: close\r\n\r\nhi" in carrier.sent
    assert carrier.ended, "what is still to come is not read as a request"


async def test_an_answer_to_head_has_no_body_however_it_is_given() -> None:
    line, carrier = Scene(Direct(b"hi").app).client()
    line.data_received(GET.replace(b"GET", b"HEAD"))
    await settled()
    assert carrier.sent == b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\n\r\n"


async def replied(exchange: Exchange, _: Send) -> None:
    exchange.reply(200, b"content-length: 3\r\n", b"end")


async def sent_whole(_: Exchange, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"end"})


async def sent_in_parts(exchange: Exchange, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    exchange.put(b"b")
    await send({"type": "http.response.body", "body": b"end"})


async def not_sent(_: Exchange, __: Send) -> None:
    """Leave it to the server to say that there is no answer."""


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    ("answer", "end"),
    [(replied, b"end"), (sent_whole, b"end"), (sent_in_parts, b"end"), (not_sent, b"Internal")],
)
async def test_no_end_leaves_before_what_its_turn_has_to_write_down(
    answer: Callable[[Exchange, Send], Awaitable[None]], end: bytes, version: bytes
) -> None:
    on_file: list[bytes] = []

    async def work(scope: Message, _: Receive, send: Send) -> None:
        other.write(b"of another", more=True)  # so that the flush of all lines is queued already
        loop.call_soon(lambda: on_file.append(carrier.sent))
        await answer(scope["extensions"][EXCHANGE], send)

    scene, loop = Scene(App(work)), asyncio.get_running_loop()
    other, _ = scene.client()
    line, carrier = scene.client()
    line.data_received(GET.replace(b"1.1", version))
    await settled()
    assert [end in before for before in on_file] == [False]
    assert end in carrier.sent


async def test_a_part_that_piles_up_says_what_to_wait_for() -> None:
    rooms: list[asyncio.Event | None] = []

    async def work(scope: Message, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        exchange: Exchange = scope["extensions"][EXCHANGE]
        rooms.append(exchange.put(b"b"))
        line.pause_writing()
        rooms.append(room := exchange.put(b"c"))
        assert room is not None
        await room.wait()
        rooms.append(exchange.put(b"d"))
        await send({"type": "http.response.body"})
        rooms.append(exchange.put(b"late"))

    line, carrier = Scene(App(work)).client()
    line.data_received(GET)
    await settled()
    line.resume_writing()
    await settled()
    assert [room is None for room in rooms] == [True, False, True, True]
    assert carrier.sent.endswith(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n")


async def test_a_key_is_good_on_its_connection_for_no_longer_than_elsewhere() -> None:
    front = Front(Hosts(a=whole()))
    line, carrier = Scene(App(front.edge)).client()
    body = msgspec.json.encode(CHAT)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
    asked = (head % (front.key.encode(), len(body)) + body).replace(b"/a", b"/v1/chat/completions")
    for _ in range(2):
        line.data_received(asked)
        await settled()
    front.keeper.revoke(front.key)
    watch = asyncio.create_task(front.gate.watch())
    await settled()
    watch.cancel()
    line.data_received(asked)
    await settled()
    statuses = [each[:3] for each in carrier.sent.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"401"]
    assert front.keeper.lookups == 2
