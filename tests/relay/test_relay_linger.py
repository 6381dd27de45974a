"""A client that hangs up: the call is cancelled where that stops the bill, else read to its end."""

import asyncio
from typing import Any

import msgspec
import pytest

from dragoman.relay.chat import answer_chat, stream_chat
from dragoman.relay.life import Turn
from dragoman.relay.linger import Stays
from dragoman.relay.visit import Visit
from dragoman.upstream.options import UpstreamOptions
from tests.relay.scene import Ear, Scene
from tests.upstream.hosts import (
    CUT,
    DONE,
    HANGS,
    Act,
    Script,
    counts,
    ends,
    plays,
    says,
    streamed,
    whole,
)

REST = (says("y" * 40), ends(), counts(10, 20), DONE)


class Guest:
    """A client that can leave, and the task that serves it: what the edge does about one."""

    def __init__(self, scene: Scene, *, cancels: bool = False, **body: Any) -> None:
        old = scene.desk.catalog()
        providers = {
            slug: msgspec.structs.replace(row, cancels=cancels)
            for slug, row in old.providers.items()
        }
        catalog = msgspec.structs.replace(old, providers=providers)
        scene.desk = msgspec.structs.replace(scene.desk, catalog=lambda: catalog)
        self.scene = scene
        self.ear = Ear()
        self.gone = False
        self.stays: Stays = lambda _: False
        self.visit: Visit = msgspec.structs.replace(
            scene.visit(**body), left=lambda: self.gone, on_leave=self._asks
        )
        self.task = asyncio.ensure_future(self._serve())

    def _asks(self, stays: Stays) -> None:
        self.stays = stays

    async def _serve(self) -> None:
        if self.visit.call.stream:
            await stream_chat(self.scene.desk, self.visit, self.ear)
        else:
            await answer_chat(self.scene.desk, self.visit)

    async def waits(self) -> "Guest":
        """Let it come to where it waits for the host."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self

    def leaves(self) -> bool:
        """Hang up; say whether the request goes on."""
        self.gone = True
        goes_on = self.stays(self._stop)
        if not goes_on:
            self.task.cancel()
        return goes_on

    def _stop(self) -> None:
        self.task.cancel()

    async def end(self) -> None:
        """Wait until nothing is left of the request."""
        await asyncio.gather(self.task, return_exceptions=True)  # the edge takes what is raised
        assert self.scene.desk.lingers.count == 0
        assert all(response.closed for response in self.scene.hosts.responses)
        assert self.scene.record.status == 499
        assert self.scene.record.cancelled


def half(*rest: Act) -> tuple[asyncio.Event, Script]:
    """Return the script of a stream that stops half way until it is told to go on."""
    go = asyncio.Event()
    return go, plays(says("x" * 40), go, *rest)


async def test_where_it_stops_the_bill_the_call_is_cancelled() -> None:
    _, script = half(*REST)
    guest = await Guest(Scene(a=script), cancels=True, stream=True).waits()
    assert not guest.leaves()
    await guest.end()
    assert guest.scene.record.usage.completion == 10


async def test_elsewhere_a_stream_is_read_to_its_end_and_charged() -> None:
    go, script = half(*REST)
    guest = await Guest(Scene(a=script), stream=True).waits()
    before = list(guest.ear.writes)
    assert guest.leaves()
    assert guest.scene.desk.lingers.count == 1
    go.set()
    await guest.end()
    made = guest.scene.record
    assert (made.usage.source, made.usage.completion, made.finish_reason) == (
        "upstream",
        20,
        "stop",
    )
    assert made.cost_nanos == 10 * 1000 + 20 * 2000
    assert guest.ear.writes == before


async def test_a_client_that_leaves_before_the_stream_begins() -> None:
    go = asyncio.Event()
    guest = await Guest(Scene(a=plays(go, says("x"), *REST)), stream=True).waits()
    assert guest.leaves()
    go.set()
    await guest.end()
    assert guest.scene.record.usage.completion == 20
    assert guest.ear.writes == []


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_whole_answer_is_always_read_to_its_end(*, cancels: bool) -> None:
    go = asyncio.Event()
    script = Script(head=(go,), acts=whole().acts)
    guest = await Guest(Scene(a=script), cancels=cancels).waits()
    assert guest.leaves()
    go.set()
    await guest.end()
    assert guest.scene.record.cost_nanos == 20_000


async def test_nobody_waits_for_another_attempt() -> None:
    go = asyncio.Event()
    guest = await Guest(Scene(a=plays(go, CUT), b=streamed()), stream=True).waits()
    assert guest.leaves()
    go.set()
    await guest.end()
    assert (guest.scene.hosts.called, guest.scene.record.cost_nanos) == (["a"], 0)


async def test_a_stream_that_breaks_later_is_free() -> None:
    go, script = half(CUT)
    guest = await Guest(Scene(a=script), stream=True).waits()
    assert guest.leaves()
    go.set()
    await guest.end()
    assert (guest.scene.record.cost_nanos, guest.scene.record.error_type) == (
        0,
        "provider_unavailable",
    )


@pytest.mark.parametrize("stream", [True, False])
async def test_no_more_linger_than_may(*, stream: bool) -> None:
    scene = Scene(a=HANGS, options=UpstreamOptions(linger_requests=0))
    guest = await Guest(scene, stream=stream).waits()
    assert not guest.leaves()
    await guest.end()


@pytest.mark.parametrize("stream", [True, False])
async def test_they_linger_no_longer_than_may_be(*, stream: bool) -> None:
    scene = Scene(a=HANGS, options=UpstreamOptions(linger_s=0.001))
    guest = await Guest(scene, stream=stream).waits()
    assert guest.leaves()
    await guest.end()


async def test_a_flood_is_not_read_to_its_end_and_what_came_of_it_is_charged() -> None:
    go, script = half(*[says("y" * 400)] * 5, "hang")
    scene = Scene(a=script, options=UpstreamOptions(linger_bytes=1000))
    guest = await Guest(scene, stream=True).waits()
    assert guest.leaves()
    go.set()
    await guest.end()
    made = guest.scene.record
    assert 110 <= made.usage.completion < 510
    assert (made.cost_nanos > 0, made.usage.source) == (True, "estimated")


async def test_a_server_that_stops_does_not_wait_for_them() -> None:
    _, script = half(*REST)
    guest = await Guest(Scene(a=script), stream=True).waits()
    assert guest.leaves()
    guest.task.cancel()
    await guest.end()
    assert guest.scene.record.usage.completion == 10


async def test_before_anything_was_sent_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def slow(_: Turn) -> None:
        await asyncio.Event().wait()

    scene = Scene(a=streamed())
    monkeypatch.setattr(Turn, "enter", slow)
    guest = await Guest(scene, stream=True).waits()
    assert not guest.leaves()
    await guest.end()
    assert scene.hosts.calls == []
