"""One client and its connection, over a transport in memory."""

import asyncio
import gc
from typing import Any

import pytest

from dragoman.web.outlet import Message, Receive, Send
from dragoman.web.server.exchange import EXCHANGE, Exchange
from tests.web.wire import GET, POST, App, Scene, Watching, echo, settled

ANSWER = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: %d\r\n\r\n%b"


def answers(*said: bytes) -> bytes:
    return b"".join(ANSWER % (len(each), each) for each in said)


def answering(status: int, *parts: bytes, **fields: str) -> App:
    """Return an application that answers so, whatever it is asked."""

    async def work(_: Message, __: Receive, send: Send) -> None:
        pairs = [(name.replace("_", "-").encode(), v.encode()) for name, v in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    return App(work)


async def test_a_request_is_served_and_the_next_one_too() -> None:
    scene = Scene()
    line, carrier = scene.client()
    for _ in range(2):
        line.data_received(GET)
        await settled()
    assert carrier.sent == answers(b"GET /a ") * 2
    assert not carrier.closed


async def test_requests_that_come_at_once_are_served_one_after_the_other() -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(GET + POST % 3 + b"abc" + GET[:9])
    assert len(scene.floor.running) == 1
    await settled()
    line.data_received(GET[9:])
    await settled()
    assert carrier.sent == answers(b"GET /a ", b"POST /a abc", b"GET /a ")


async def test_who_sends_ever_more_requests_has_to_wait() -> None:
    release = asyncio.Event()

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await release.wait()
        await echo(scope, receive, send)

    scene = Scene(App(slow))
    line, carrier = scene.client()
    line.data_received(GET)
    while carrier.reads:
        line.data_received(GET * 100)
    assert len(scene.floor.running) <= 1
    release.set()
    while not carrier.reads:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await settled()
    assert carrier.sent.startswith(answers(b"GET /a ") * 2)


async def test_a_stream_goes_out_in_chunks_and_what_is_ready_together_goes_out_together() -> None:
    scene = Scene(answering(200, b"one", b"two", content_type="text/event-stream"))
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    head = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    assert carrier.sent == (
        b"HTTP/1.1 200 OK\r\ndate: now\r\n" + head + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )


async def test_a_part_of_a_stream_does_not_wait_for_the_next() -> None:
    more = asyncio.Event()

    async def work(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"two"})

    line, carrier = Scene(App(work)).client()
    line.data_received(GET)
    await settled()
    assert carrier.sent.endswith(b"3\r\none\r\n")
    more.set()
    await settled()
    assert carrier.sent.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_http_1_0_gets_no_chunks_and_a_close() -> None:
    line, carrier = Scene(answering(200, b"one", b"two")).client()
    line.data_received(GET.replace(b"1.1", b"1.0"))
    await settled()
    assert carrier.sent == b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\nonetwo"
    assert carrier.closed


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body_and_no_length(status: int) -> None:
    line, carrier = Scene(answering(status)).client()
    line.data_received(GET)
    await settled()
    assert b"content-length" not in carrier.sent
    assert carrier.sent.endswith(b"\r\n\r\n")
    assert not carrier.closed


async def test_head_has_the_head_of_get() -> None:
    line, carrier = Scene(answering(200, b"abc", content_length="3")).client()
    line.data_received(GET.replace(b"GET", b"HEAD"))
    await settled()
    assert carrier.sent == b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 3\r\n\r\n"


async def test_a_client_may_ask_for_the_end() -> None:
    line, carrier = Scene().client()
    line.data_received(GET[:-2] + b"Connection: Keep-Alive, CLOSE\r\n\r\n")
    await settled()
    assert b"connection: close\r\n" in carrier.sent
    assert carrier.closed


@pytest.mark.parametrize("length", ["2", "4"])
async def test_an_answer_of_another_length_than_it_says_is_cut_off(
    length: str, caplog: pytest.LogCaptureFixture
) -> None:
    line, carrier = Scene(answering(200, b"abc", content_length=length)).client()
    line.data_received(GET)
    await settled()
    assert carrier.aborted
    del line, carrier
    gc.collect()
    assert f"said {length}" in caplog.text


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200, "headers": []}],
        [{"type": "http.response.body", "body": b"x"}],
        [{"type": "websocket.close"}],
    ],
    ids=["nothing", "a start", "a body without a start", "nonsense"],
)
async def test_an_application_that_gives_no_answer_is_excused_with_a_500(
    messages: list[Any],
) -> None:
    failed = []

    async def work(_: Message, __: Receive, send: Send) -> None:
        for each in messages:
            try:
                await send(each)
            except RuntimeError as error:
                failed.append(error)

    scene = Scene(App(work))
    line, carrier = scene.client()
    line.data_received(GET)
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 500 ")
    assert b"the application" not in carrier.sent
    assert carrier.closed
    assert not scene.floor.running


async def test_an_answer_that_breaks_off_is_cut_off() -> None:
    async def work(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    line, carrier = Scene(App(work)).client()
    line.data_received(GET)
    await settled()
    assert carrier.aborted
    assert not carrier.sent.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("leaves", ["eof_received", "connection_lost"])
async def test_a_client_that_leaves_is_noticed_and_sent_nothing(leaves: str) -> None:
    watching = Watching()
    scene = Scene(watching.app)
    line, carrier = scene.client()
    line.data_received(POST % 3 + b"abc")
    await settled()
    assert [each["type"] for each in watching.heard] == ["http.request"]
    if leaves == "eof_received":
        line.eof_received()
    else:
        line.connection_lost(None)
    await settled()
    assert watching.heard[-1] == {"type": "http.disconnect"}
    assert carrier.sent == b""
    assert not scene.floor.running


async def test_a_body_comes_in_parts_and_the_client_waits_while_nobody_reads() -> None:
    read = asyncio.Event()
    got = []

    async def work(_: Message, receive: Receive, send: Send) -> None:
        await read.wait()
        more = True
        while more:
            message = await receive()
            got.append(len(message["body"]))
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    scene = Scene(App(work, body_bytes=10**6))
    line, carrier = scene.client()
    line.data_received(POST % 900_000)
    for _ in range(4):
        line.data_received(b"x" * 100_000)
    assert not carrier.reads
    scene.later(1000)
    assert not carrier.sent, "it is not the client who is slow"
    read.set()
    await settled()
    assert carrier.reads
    for _ in range(5):
        line.data_received(b"x" * 100_000)
        await settled()
    assert sum(got) == 900_000
    assert carrier.sent.startswith(b"HTTP/1.1 200 OK")


async def test_a_100_is_sent_to_who_waits_for_it_once_the_body_is_wanted() -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received((POST % 3)[:-2] + b"Expect: 100-Continue\r\n\r\n")
    await settled()
    assert carrier.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.data_received(b"abc")
    await settled()
    assert carrier.sent.endswith(answers(b"POST /a abc"))


async def test_an_older_client_is_not_sent_a_100() -> None:
    line, carrier = Scene().client()
    head = (POST % 3)[:-2] + b"Expect: 100-continue\r\n\r\n"
    line.data_received(head.replace(b"1.1", b"1.0"))
    await settled()
    assert carrier.sent == b""
    line.data_received(b"abc")
    await settled()
    assert carrier.sent.endswith(b"POST /a abc")


@pytest.mark.parametrize("large", [POST % 1001, POST.replace(b"Content-Length: %d",
                         b"Transfer-Encoding: chunked") + b"3E9\r\n" + b"x" * 1001])  # fmt: skip
async def test_a_body_over_the_limit_is_refused_and_never_seen(large: bytes) -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(large)
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 413 ")
    assert carrier.ended
    assert not scene.floor.running


async def test_requests_leave_nothing_behind_not_even_for_the_garbage_collector() -> None:
    scene = Scene()
    line, _ = scene.client()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            line.data_received(POST % 3 + b"abc")
            await settled()
        scene.app.asked.clear()
        assert not [each for each in gc.get_objects() if isinstance(each, Exchange)]
    finally:
        gc.enable()
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Told:
    """An application that has itself told when its client leaves."""

    def __init__(self, *, answers: bool) -> None:
        self.leaving: list[str] = []
        self.app = App(self._answer if answers else self._wait)

    def _note(self) -> None:
        self.leaving.append("left")

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        scope["extensions"][EXCHANGE].watch(self._note)
        await echo(scope, receive, send)

    async def _wait(self, scope: Message, _: Receive, __: Send) -> None:
        scope["extensions"][EXCHANGE].watch(self._note)
        await asyncio.sleep(0)
        scope["extensions"][EXCHANGE].watch(None)


async def test_an_application_is_told_once_that_its_client_leaves() -> None:
    told = Told(answers=False)
    line, _ = Scene(told.app).client()
    line.data_received(GET)
    await asyncio.sleep(0)
    line.eof_received()
    line.connection_lost(None)
    await settled()
    assert told.leaving == ["left"]


async def test_an_application_that_asks_late_is_told_at_once() -> None:
    told = Told(answers=False)
    line, _ = Scene(told.app).client()
    line.data_received(GET)
    line.connection_lost(None)
    await settled()
    assert told.leaving == ["left"]


async def test_a_client_that_leaves_with_its_answer_has_not_left_early() -> None:
    told = Told(answers=True)
    line, carrier = Scene(told.app).client()
    line.data_received(GET)
    await settled()
    line.connection_lost(None)
    await settled()
    assert (told.leaving, carrier.sent) == ([], answers(b"GET /a "))
