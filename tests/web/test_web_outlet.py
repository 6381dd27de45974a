"""The way out: a stream that shows it lives, and commits to nothing too early."""

import asyncio
import itertools

import pytest

from dragoman.core.clock import Clock
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Message, Pulse, Stream, reply
from dragoman.wire.sse import PROCESSING
from tests.access.fakes import HandClock
from tests.web.asgi import Client

OPTIONS = ServerOptions(header_hold_s=10, keepalive_s=15)


def slow() -> Client:
    """Return a client that does not read yet."""
    client = Client()
    client.reads.clear()
    return client


class Scene:
    """A pulse, one stream, and a clock worked by hand."""

    def __init__(self, client: Client | None = None) -> None:
        self.clock = HandClock()
        self.client = client or Client()
        self.pulse = Pulse(Clock(monotonic=self.clock), OPTIONS)
        self.given_up = 0
        headers = [(b"x-generation-id", b"gen-1")]
        self.stream = self.pulse.open(self.client.send, headers, self.give_up)

    def give_up(self) -> None:
        self.given_up += 1

    async def write(self, data: bytes) -> None:
        await self.stream.write(data, self.clock.now)

    async def after(self, seconds: float) -> list[bytes]:
        """Let time pass and the pulse beat; return the bodies that were sent since the start."""
        self.clock.now += seconds
        await self.pulse.beat()
        await settle()
        return [m["body"] for m in self.client.sent if m["type"] == "http.response.body"]


async def settle() -> None:
    """Let what is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_whole_answer_has_its_length_and_may_be_read_from_anywhere() -> None:
    client = Client()
    await reply(client.send, 418, b"teapot", [(b"x-more", b"1")])
    assert (client.status, client.body, client.ended) == (418, b"teapot", True)
    assert client.headers["content-length"] == "6"
    assert client.headers["x-more"] == "1"
    assert client.headers["access-control-allow-origin"] == "*"


async def test_nothing_leaves_before_the_first_write() -> None:
    scene = Scene()
    assert not scene.stream.began
    assert scene.client.sent == []
    await scene.write(b"one")
    assert scene.client.status == 200
    assert scene.client.headers["content-type"] == "text/event-stream"
    assert scene.client.headers["x-accel-buffering"] == "no"
    assert scene.client.headers["x-generation-id"] == "gen-1"
    await scene.write(b"two")
    await scene.stream.end()
    assert (scene.client.body, scene.client.ended) == (b"onetwo", True)


async def test_the_hold_commits_the_200_with_a_comment() -> None:
    scene = Scene()
    assert await scene.after(9.9) == []
    assert await scene.after(0.2) == [PROCESSING]
    assert scene.client.status == 200
    assert scene.stream.began
    assert await scene.after(14.9) == [PROCESSING]
    assert await scene.after(0.2) == [PROCESSING] * 2


async def test_after_content_the_pause_before_a_comment_is_the_longer_one() -> None:
    scene = Scene()
    await scene.after(5)
    await scene.write(b"one")
    assert await scene.after(14.9) == [b"one"]
    assert await scene.after(0.2) == [b"one", PROCESSING]


async def test_a_stream_that_talks_needs_no_comments() -> None:
    scene = Scene()
    for _ in range(10):
        await scene.write(b"x")
        bodies = await scene.after(9)
    assert bodies == [b"x"] * 10


async def test_a_stream_that_was_closed_is_left_alone() -> None:
    scene = Scene()
    scene.pulse.close(scene.stream)
    scene.pulse.close(scene.stream)
    assert await scene.after(100) == []


async def test_a_write_waits_for_a_comment_that_is_on_its_way() -> None:
    client = slow()
    scene = Scene(client)
    await scene.after(11)
    writing = asyncio.create_task(scene.write(b"one"))
    await settle()
    assert client.sent == []
    client.reads.set()
    await writing
    await scene.stream.end()
    assert client.status == 200
    assert client.body == PROCESSING + b"one"


async def test_the_end_waits_for_a_comment_that_is_on_its_way() -> None:
    client = slow()
    scene = Scene(client)
    await scene.after(11)
    ending = asyncio.create_task(scene.stream.end())
    await settle()
    client.reads.set()
    await ending
    assert (client.body, client.ended) == (PROCESSING, True)


async def test_a_comment_never_lands_inside_a_write() -> None:
    client = slow()
    scene = Scene(client)
    writing = asyncio.create_task(scene.write(b"one"))
    await settle()
    assert await scene.after(100) == []
    client.reads.set()
    await writing
    assert client.body == b"one"


async def test_who_is_cancelled_while_a_comment_is_on_its_way_can_still_end_the_stream() -> None:
    client = slow()
    scene = Scene(client)
    await scene.after(11)
    assert not scene.stream.put(b"one", scene.clock.now)
    waiting = asyncio.create_task(scene.stream.ready())
    await settle()
    waiting.cancel()
    await settle()
    client.reads.set()
    scene.stream.finish(b"two")
    await scene.stream.end()
    assert (client.body.removeprefix(PROCESSING), client.ended) == (b"onetwo", True)


async def test_one_comment_at_a_time() -> None:
    client = slow()
    scene = Scene(client)
    await scene.after(11)
    await scene.after(20)
    client.reads.set()
    await settle()
    assert client.body == PROCESSING


async def test_a_crowd_that_is_silent_together_is_served_in_parts() -> None:
    clients = [Client() for _ in range(100)]
    scene = Scene()
    for client in clients:
        scene.pulse.open(client.send, [], lambda: None)
    scene.clock.now += 11
    beating = asyncio.create_task(scene.pulse.beat())
    served = [0]
    while not beating.done():
        await asyncio.sleep(0)
        served.append(sum(client.body == PROCESSING for client in clients))
    await settle()
    assert all(client.body == PROCESSING for client in clients)
    assert max(after - before for before, after in itertools.pairwise(served)) <= 25


async def test_a_stream_that_closes_before_its_turn_gets_no_comment() -> None:
    clients = [Client() for _ in range(100)]
    scene = Scene()
    streams = [scene.pulse.open(client.send, [], lambda: None) for client in clients]
    scene.clock.now += 11
    beating = asyncio.create_task(scene.pulse.beat())
    await asyncio.sleep(0)
    for stream in streams:
        scene.pulse.close(stream)
    await beating
    await settle()
    assert 0 < sum(client.body == PROCESSING for client in clients) <= 25


async def test_a_client_that_does_not_read_is_given_up_in_the_end() -> None:
    scene = Scene(slow())
    writing = asyncio.create_task(scene.write(b"one"))
    await settle()
    await scene.after(29)
    assert scene.given_up == 0
    await scene.after(2)
    assert scene.given_up == 1
    writing.cancel()


async def test_a_client_that_does_not_even_read_a_comment_is_given_up_with_it() -> None:
    scene = Scene(slow())
    await scene.after(11)
    await scene.after(31)
    assert scene.given_up == 1
    scene.client.reads.set()
    await settle()
    assert scene.client.sent == []


async def test_a_stream_with_nothing_to_send_is_not_given_up() -> None:
    scene = Scene()
    for _ in range(10):
        await scene.after(14)
    assert scene.given_up == 0


async def test_a_stream_is_committed_once_its_comment_is_out() -> None:
    scene = Scene()
    assert not await scene.stream.committed()
    scene.clock.now += 11
    await scene.pulse.beat()
    assert not scene.stream.began
    assert await scene.stream.committed()
    assert scene.client.body == PROCESSING


async def test_a_write_that_fails_leaves_the_stream_free_to_end() -> None:
    async def broken(_: Message) -> None:
        raise ConnectionError

    stream = Stream(broken, [], 0.0, lambda: None)
    with pytest.raises(ConnectionError):
        await stream.write(b"x", 0.0)
    assert stream.is_quiet(100.0, 10.0)


async def test_the_pulse_beats_by_itself() -> None:
    client = Client()
    pulse = Pulse(Clock(), ServerOptions(header_hold_s=0.01, keepalive_s=0.01))
    pulse.open(client.send, [], lambda: None)
    beating = asyncio.create_task(pulse.run())
    arrived = asyncio.Event()
    client.on_send = lambda message: arrived.set() if message.get("body") else None
    await asyncio.wait_for(arrived.wait(), 5)
    beating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beating
    assert client.body.startswith(PROCESSING)


class Piling:
    """A line of our own server to a client that may not keep up."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.room: asyncio.Event | None = None

    def put(self, data: bytes) -> asyncio.Event | None:
        self.sent.append(data)
        return self.room


async def test_our_own_server_takes_events_without_a_task_having_to_wait() -> None:
    scene, line = Scene(), Piling()
    scene.stream.line = line
    assert not scene.stream.put(b"one", 0.0), "the head goes out first"
    await scene.stream.ready()
    assert scene.stream.put(b"two", 0.0)
    await scene.stream.ready()
    assert (scene.client.body, line.sent) == (b"one", [b"two"])


async def test_a_client_of_ours_that_does_not_read_is_waited_for_and_given_up() -> None:
    scene, line = Scene(), Piling()
    scene.stream.line = line
    await scene.write(b"one")
    line.room = asyncio.Event()
    assert not scene.stream.put(b"two", scene.clock.now)
    writing = asyncio.ensure_future(scene.stream.ready())
    await settle()
    await scene.after(29)
    assert scene.given_up == 0
    await scene.after(2)
    assert scene.given_up == 1
    assert scene.client.body == b"one", "no comment lands inside a write"
    line.room.set()
    await writing
    assert scene.stream.is_quiet(scene.clock.now + 100, 10)
