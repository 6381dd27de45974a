"""Whatever becomes of a request, exactly one generation is recorded, with what it cost."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.types import Endpoint
from dragoman.core.errors import GatewayError, Internal, InvalidRequest
from dragoman.records.lines import line
from dragoman.records.types import NOT_SENT, Generation
from dragoman.relay.chat import answer_chat, stream_chat
from dragoman.relay.life import begin
from dragoman.routing.types import Percentiles
from tests.relay.scene import CALLER, WALL, Ear, Scene, endpoint
from tests.upstream.hosts import (
    CUT,
    DONE,
    HANGS,
    ROLE,
    Pass,
    Script,
    ends,
    event,
    plays,
    refuses,
    says,
    streamed,
    whole,
)

FORTY = "x" * 40
"""Ten tokens, as far as an estimate goes: 20,000 nano-USD."""


def outcome(made: Generation) -> tuple[int, bool, str | None, int]:
    """Return what became of a request: status, cancelled, why it ended, nano-USD."""
    return made.status, made.cancelled, made.finish_reason, made.cost_nanos


async def gone_after(scene: Scene, count: int) -> None:
    """Take some events, then leave: the edge cancels the request."""
    visit, ear = scene.visit(stream=True), Ear(stops_at=count)
    await cancelled_while(asyncio.ensure_future(stream_chat(scene.desk, visit, ear)))
    assert len(ear.writes) == count


async def cancelled_while(work: asyncio.Future[Any]) -> None:
    """Let some work come to where it waits, then cancel it."""
    for _ in range(5):
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_a_stream_that_went_well() -> None:
    scene = Scene(a=plays(Pass(2), says("a"), Pass(1), says("b"), ends("length"), DONE))
    await scene.stream(session_id="s", user="u-1", routed=True)
    made = scene.record
    assert outcome(made)[:3] == (200, False, "length")
    assert (made.latency_ms, made.generation_ms) == (2000, 1000)
    assert (made.id, made.created_at) == ("gen-1760000000-abcdefghijklmnopqrst", WALL)
    assert (made.key_hash, made.requested) == (CALLER.key_hash, "acme/turbo")
    assert (made.model, made.provider, made.provider_name) == ("acme/turbo", "a", "A")
    assert (made.endpoint, made.upstream_id) == ("a|acme/turbo", "up-1")
    assert made.native_finish_reason == "length"
    assert (made.streamed, made.error_type, made.strategy) == (True, None, "direct")
    assert (made.session_id, made.user) == ("session-1", "u-1")
    assert (made.referer, made.title, made.user_agent) == ("https://app.example", "App", "pytest")


async def test_a_whole_answer_that_went_well() -> None:
    scene = Scene(a=whole())
    await scene.whole()
    assert outcome(scene.record) == (200, False, "stop", 20_000)
    assert not scene.record.streamed


async def test_tags_are_kept_and_go_nowhere() -> None:
    scene = Scene(a=whole())
    await scene.whole(metadata={"team": "blue"})
    assert scene.record.tags == {"team": "blue"}
    assert "metadata" not in scene.hosts.bodies()[0]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_request_that_nobody_could_answer(*, stream: bool) -> None:
    scene = Scene(a=refuses(500), b=refuses(429))
    with pytest.raises(GatewayError):
        await (scene.stream() if stream else scene.whole())
    made = scene.record
    assert outcome(made) == (503, False, None, 0)
    assert (made.error_type, made.model, made.provider) == ("provider_overloaded", None, None)
    assert [(each.provider, each.status) for each in made.attempts] == [("a", 500), ("b", 429)]
    assert made.usage.completion == 0


async def test_attempts_are_told_with_their_words_and_their_time() -> None:
    slow = Script(status=503, head=(Pass(1.5),), acts=(b'{"error":{"code":"slow_down"}}',))
    scene = Scene(a=slow, b=whole())
    await scene.whole()
    first, second = scene.record.attempts
    assert (first.endpoint, first.model, first.provider_name) == ("a|acme/turbo", "acme/turbo", "A")
    assert (first.status, first.code, first.latency_ms) == (503, "slow_down", 1500)
    assert first.error
    assert (second.status, second.code, second.error) == (200, None, None)


async def test_a_stream_that_broke_is_free_and_keeps_what_was_seen() -> None:
    scene = Scene(a=plays(says(FORTY), CUT))
    await scene.stream()
    made = scene.record
    assert outcome(made) == (502, False, "error", 0)
    assert made.usage.completion == 10
    assert made.error_type == "provider_unavailable"
    assert [each.status for each in made.attempts] == [200]


async def test_a_client_that_leaves_after_content_pays_for_what_was_produced() -> None:
    scene = Scene(a=plays(says(FORTY), says(FORTY), says(FORTY), ends(), DONE))
    await gone_after(scene, 2)
    assert outcome(scene.record) == (499, True, None, 40_000)
    assert scene.record.usage.source == "estimated"
    assert [response.closed for response in scene.hosts.responses] == [1]


async def test_a_client_that_leaves_while_the_host_is_silent_pays_likewise() -> None:
    scene = Scene(a=plays(says(FORTY), "hang"))
    await cancelled_while(asyncio.ensure_future(scene.stream()))
    assert outcome(scene.record) == (499, True, None, 20_000)
    assert [response.closed for response in scene.hosts.responses] == [1]


@pytest.mark.parametrize("script", [HANGS, plays(ROLE, "hang")], ids=["head", "content"])
async def test_a_client_that_leaves_before_content_pays_nothing(script: Script) -> None:
    scene = Scene(a=script)
    await cancelled_while(asyncio.ensure_future(scene.stream()))
    assert outcome(scene.record) == (499, True, None, 0)
    assert scene.record.provider is None
    assert all(response.closed for response in scene.hosts.responses)


async def test_who_was_silent_until_the_client_left_is_on_record_and_blamed_for_nothing() -> None:
    scene = Scene(a=refuses(500), b=Script(head=(Pass(7), "hang")))
    await cancelled_while(asyncio.ensure_future(scene.stream(provider={"order": ["a", "b"]})))
    first, second = scene.record.attempts
    assert (first.provider, first.status) == ("a", 500)
    assert (second.provider, second.status, second.code) == ("b", None, "given_up")
    assert second.latency_ms == 7000
    assert "b|acme/turbo" not in scene.health.seen


async def test_a_client_that_leaves_before_a_whole_answer_pays_nothing() -> None:
    scene = Scene(a=plays(b"{", "hang"))
    await cancelled_while(asyncio.ensure_future(scene.whole()))
    assert outcome(scene.record) == (499, True, None, 0)
    assert [response.closed for response in scene.hosts.responses] == [1]


async def test_a_client_that_leaves_after_the_finish_pays_for_what_was_produced() -> None:
    scene = Scene(a=streamed())
    await gone_after(scene, 2)
    assert outcome(scene.record) == (499, True, "stop", 4_000)


async def test_a_stream_that_nobody_began_to_read_is_no_request() -> None:
    scene = Scene(a=streamed())
    stream_chat(scene.desk, scene.visit(stream=True), Ear()).close()
    assert scene.made == []
    assert scene.hosts.called == []


async def test_a_defect_of_ours_is_not_a_client_who_left() -> None:
    scene = Scene(endpoint("b"), a=whole())
    with pytest.raises(KeyError):
        await answer_chat(scene.desk, scene.visit())
    with pytest.raises(KeyError):
        await scene.stream()
    assert [outcome(made) for made in scene.made] == [(500, False, None, 0)] * 2
    assert {made.error_type for made in scene.made} == {"server"}


def test_a_record_is_written_once() -> None:
    scene = Scene(a=whole())
    with begin(scene.desk, scene.visit()) as turn:
        turn.close()
        turn.close(500)
    assert outcome(scene.record) == (200, False, None, 0)


def test_a_defect_shows_no_routing() -> None:
    scene = Scene(a=whole())
    with begin(scene.desk, scene.visit(routed=True)) as turn:
        assert turn.failed(Internal("x")).routing is None
    assert outcome(scene.record)[0] == 500


async def test_latency_and_speed_are_learnt_from_what_went_well() -> None:
    script = plays(Pass(0.5), says("a"), Pass(2), says("b"), ends(), DONE)
    scene = Scene(a=script, b=streamed())
    for _ in range(3):
        await scene.stream(messages=[{"role": "user", "content": "x"}])
    scene.health.refresh(scene.clock.now)
    seen = scene.health.seen["a|acme/turbo"]
    assert seen.latency_s == Percentiles(p50=0.5, p75=0.5, p90=0.5, p99=0.5)
    assert seen.throughput is not None
    assert seen.throughput.p50 == pytest.approx(0.5)


async def test_the_speed_of_a_whole_answer_is_that_of_all_its_time() -> None:
    scene = Scene(a=Script(head=(Pass(5),), acts=whole().acts))
    for _ in range(3):
        await scene.whole()
    scene.health.refresh(scene.clock.now)
    throughput = scene.health.seen["a|acme/turbo"].throughput
    assert throughput is not None
    assert throughput.p50 == pytest.approx(1.0)


async def test_streams_that_break_are_held_against_their_endpoint() -> None:
    scene = Scene(a=plays(says("x"), CUT))
    for _ in range(3):
        await scene.stream()
    scene.health.refresh(scene.clock.now)
    assert scene.health.seen_by(CALLER.key_hash)["a|acme/turbo"].outage
    assert not scene.health.seen_by("another")["a|acme/turbo"].outage


@pytest.mark.parametrize(
    "said",
    [
        {"message": "busy", "code": 429},
        {"code": "context_length_exceeded"},
        {"code": "content_filter"},
    ],
    ids=["rate limit", "too long", "filter"],
)
async def test_a_limit_or_a_refusal_inside_a_stream_is_no_outage(said: dict[str, Any]) -> None:
    scene = Scene(a=plays(says("x"), event(error=said)))
    for _ in range(3):
        assert (await scene.stream()).last["error"]
    scene.health.refresh(scene.clock.now)
    seen = scene.health.seen.get("a|acme/turbo")
    assert seen is None or not seen.outage
    assert scene.health.measured("a|acme/turbo", scene.clock.now).uptime_5m is None


async def test_a_rate_limit_inside_a_stream_cools_its_endpoint() -> None:
    scene = Scene(a=plays(says("x"), event(error={"message": "busy", "code": 429})), b=streamed())
    await scene.stream()
    for _ in range(5):
        await scene.stream(provider={})
    assert scene.hosts.called == ["a", *["b"] * 5]


async def test_a_rate_limit_cools_its_endpoint_so_that_it_comes_last() -> None:
    scene = Scene(a=refuses(429, retry_after="5"), b=whole())
    await scene.whole()
    for _ in range(5):
        await scene.whole(provider={})
    assert scene.hosts.called == ["a", *["b"] * 6]


AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
"""What Anthropic's API has no block for."""


def hears(slug: str, dialect: str) -> Endpoint:
    return replace(endpoint(slug), dialect=dialect, inputs=frozenset({"text", "audio"}))


async def test_an_endpoint_that_cannot_be_told_is_on_record_and_costs_nothing() -> None:
    scene = Scene(hears("a", "anthropic"), hears("b", "openai"), a=whole("no"), b=whole("yes"))
    said = [{"role": "user", "content": [AUDIO]}]
    body = await scene.whole(routed=True, messages=said)
    assert body["choices"][0]["message"]["content"] == "yes"
    assert [one["status"] for one in body["openrouter_metadata"]["attempts"]] == [0, 200]
    assert scene.hosts.called == ["b"]
    first, second = scene.record.attempts
    assert (first.provider, first.code, first.status) == ("a", NOT_SENT, None)
    assert "audio" in (first.error or "")
    assert (second.provider, second.code) == ("b", None)


async def test_where_nobody_could_be_told_nobody_is_said_to_have_been_asked() -> None:
    scene = Scene(hears("a", "anthropic"), a=whole("no"))
    with pytest.raises(InvalidRequest) as failed:
        await scene.whole(messages=[{"role": "user", "content": [AUDIO]}])
    assert failed.value.metadata["provider_name"] == "A"
    assert scene.hosts.called == []
    made = scene.record
    assert (made.status, made.cost_nanos, made.attempts[0].code) == (400, 0, NOT_SENT)
    assert line(made).asked is None
