"""What the server has to say itself is in the envelope that the path's clients read."""

import json
from typing import Any

import pytest

from dragoman.web.lanes import Lane, Tier
from dragoman.web.server.glance import Glance
from dragoman.web.server.refusals import Excuses
from dragoman.web.shedding import LET_IN, ROOM
from dragoman.web.voices import IN_CHAT, IN_MESSAGES, voice_of
from tests.relay.scene import Scene as Desk
from tests.upstream.hosts import whole
from tests.web.asgi import Client
from tests.web.front import Front
from tests.web.wire import GET, POST, App, Carrier, Scene, settled

TO_MESSAGES = POST.replace(b"/a", b"/v1/messages")
CHUNKED = TO_MESSAGES.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")


def said(carrier: Carrier) -> tuple[int, Any]:
    """Return the status and the body of the one answer that was sent."""
    head, _, body = carrier.sent.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"
    return int(head.split(b" ")[1]), json.loads(body)


def assert_anthropics(carrier: Carrier, status: int, kind: str) -> None:
    told, body = said(carrier)
    assert (told, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"] is None
    assert body["error"]["message"]


@pytest.mark.parametrize(
    ("data", "later_s", "status", "kind"),
    [
        (TO_MESSAGES % 1001, 0, 413, "invalid_request_error"),
        (CHUNKED + b"3E9\r\n" + b"x" * 1001, 0, 413, "invalid_request_error"),
        (CHUNKED + b"no number\r\n", 0, 400, "invalid_request_error"),
        (TO_MESSAGES % 9 + b"x", 6, 408, "timeout_error"),
        (TO_MESSAGES[:40], 11, 408, "timeout_error"),
        (TO_MESSAGES.replace(b"Host: x\r\n", b"") % 1, 0, 400, "invalid_request_error"),
        (TO_MESSAGES.replace(b"Host: x", b"X: " + b"x" * 70_000), 0, 431, "invalid_request_error"),
    ],
    ids=["long", "long chunks", "no chunks", "slow body", "slow head", "bad head", "long head"],
)
async def test_a_client_of_messages_is_told_in_its_own_words(
    data: bytes, later_s: float, status: int, kind: str
) -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(data)
    await settled()
    if later_s:
        scene.later(later_s)
    assert_anthropics(carrier, status, kind)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (b"POST /v1/messages HTP/1.1", 400),
        (b"POST /v1/messages HTTP/1.1 more", 400),
        (b"PO(T /v1/messages HTTP/1.1", 400),
        (b"POST /v1/messages?beta=\xff HTTP/1.1", 400),
        (b"POST /v1/messages#x HTTP/1.1", 400),
        (b"POST http://x/v1/messages?\xff HTTP/1.1", 400),
        (b"POST /v1/messages HTTP/1.1\nHost: x", 400),
        (b"POST /v1/messages?" + b"x" * 9000 + b" HTTP/1.1", 414),
        (b"POST /v1/messages?" + b"x" * 70_000, None),
    ],
)
async def test_a_first_line_that_cannot_be_read_may_say_which_words_to_use(
    first: bytes, status: int | None
) -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(first + (b"\r\nHost: x\r\n\r\n" if status else b""))
    await settled()
    assert_anthropics(carrier, status or said(carrier)[0], "invalid_request_error")


@pytest.mark.parametrize("data", [b"GE", b"GET /v1/messages", b"no line\r\nx\r\n"])
async def test_who_has_not_said_where_to_is_told_as_ever(data: bytes) -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(data)
    scene.later(11)
    assert said(carrier)[1]["error"]["code"] in {400, 408}


async def test_there_is_no_time_in_every_voice() -> None:
    scene = Scene(requests=0)
    for data, check in ((TO_MESSAGES % 0, True), (POST % 0, False)):
        line, carrier = scene.client()
        line.data_received(data)
        if check:
            assert_anthropics(carrier, 503, "overloaded_error")
        else:
            assert said(carrier)[1]["error"]["code"] == 503


async def test_who_is_brushed_off_is_told_in_its_own_words() -> None:
    scene = Scene(requests=1000)
    scene.floor.entrance.overloaded = True
    (one, to_messages), (two, to_chat) = scene.client(), scene.client()
    one.data_received(TO_MESSAGES % 0)
    two.data_received(POST % 0)
    for _ in range(LET_IN + ROOM):
        scene.client()[0].data_received(GET)
    await settled()
    assert_anthropics(to_messages, 503, "overloaded_error")
    assert said(to_chat)[1]["error"]["metadata"]["error_type"] == "gateway_overloaded"


async def test_who_waited_in_vain_is_told_in_its_own_words() -> None:
    scene = Scene(App(), requests=1000)
    for _ in range(LET_IN):
        scene.client()[0].data_received(GET)
    line, carrier = scene.client()
    line.data_received(TO_MESSAGES % 0)
    scene.floor.abandon()
    assert_anthropics(carrier, 503, "overloaded_error")


async def test_who_is_served_when_the_server_stops_is_told_in_its_own_words() -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(TO_MESSAGES % 3 + b"a")
    await settled()
    scene.floor.drain()
    scene.floor.abandon()
    await settled()
    assert_anthropics(carrier, 503, "api_error")


def test_a_refusal_is_made_once_for_each_voice() -> None:
    excuses = Excuses(3, b"date: now\r\n")
    assert excuses[IN_CHAT] is excuses[IN_CHAT]
    assert excuses[IN_MESSAGES] is not excuses[IN_CHAT]
    assert b"\r\nretry-after: 3\r\n" in excuses[IN_MESSAGES]


def test_a_glance_tells_the_voice() -> None:
    glance = Glance(lambda path: Lane(Tier.INFERENCE, 100, voice_of(path)))
    for _ in range(2):
        assert glance.plain(TO_MESSAGES % 0) is IN_MESSAGES
        assert glance.plain(POST % 0) is IN_CHAT
        assert glance.plain(GET) is None


@pytest.mark.parametrize("path", ["/v1/messages", "/api/v1/messages/", "/v1/messages/count_tokens"])
async def test_a_wrong_method_is_told_in_anthropics_words(path: str) -> None:
    client = await Client(method="GET", path=path).of(Front(Desk(a=whole())).edge)
    body = client.json()
    assert (client.status, client.headers["allow"]) == (405, "POST, OPTIONS")
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")


async def test_what_is_not_there_below_messages_is_told_in_anthropics_words() -> None:
    edge = Front(Desk(a=whole())).edge
    client = await Client(method="POST", path="/api/v1/messages/batches").of(edge)
    assert (client.status, client.json()["error"]["type"]) == (404, "not_found_error")


def test_the_lanes_of_an_edge_know_the_voices() -> None:
    edge = Front(Desk(a=whole())).edge
    for path in ("/v1/messages", "/api/v1/messages", "/v1/messages/", "/v1/messages/batches"):
        assert edge.lane(path).voice is IN_MESSAGES
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/keys", "/v1/messages2"):
        assert edge.lane(path).voice is IN_CHAT
