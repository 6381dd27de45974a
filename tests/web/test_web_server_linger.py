"""A connection that has said its last word hears who still sends, so that the answer arrives."""

from typing import Any

from tests.web.test_web_server_connection import answering
from tests.web.wire import GET, POST, Scene, settled


async def test_an_answer_before_the_body_ends_the_connection_and_the_rest_is_thrown_away() -> None:
    scene = Scene(answering(401))
    line, carrier = scene.client()
    line.data_received(POST % 900)
    await settled()
    assert b"connection: close" in carrier.sent
    assert carrier.ended
    assert not carrier.closed
    line.data_received(b"x" * 900 + GET)
    await settled()
    assert len(scene.app.asked) == 1
    scene.later(2.1)
    assert carrier.aborted


class Moment:
    """An event loop of which only the time is asked."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


async def test_who_goes_on_sending_after_the_answer_is_listened_to_for_half_a_minute() -> None:
    """Most clients send all of a body before they look for an answer; a reset would destroy it."""
    scene = Scene()
    line, carrier = scene.client()
    began = scene.loop.time()
    moment: Any = Moment(began)
    line.loop = moment
    line.data_received(POST % 1001)
    assert carrier.ended
    for second in range(1, 30):
        moment.now = began + second
        line.data_received(b"x")
        scene.sweep(began + second + 0.9)
        assert not carrier.aborted
    scene.sweep(began + 30)
    assert carrier.aborted


async def test_a_server_that_stops_does_not_listen_for_longer() -> None:
    scene = Scene()
    line, carrier = scene.client()
    line.data_received(POST % 1001)
    scene.floor.drain()
    due = line.due
    line.data_received(b"x")
    assert line.due == due
    scene.sweep(due)
    assert carrier.aborted


async def test_over_tls_the_connection_closes_at_once() -> None:
    line, carrier = Scene(answering(401)).client()
    carrier.ends = False
    line.data_received(POST % 900)
    await settled()
    assert carrier.closed
