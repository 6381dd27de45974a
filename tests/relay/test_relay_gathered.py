"""Whole answers that come as streams: where money is held in slices, or an operator wants it."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from dragoman.access.types import Caller, Funds, Terms
from dragoman.catalog.types import Quirks
from dragoman.core.errors import GatewayError, PaymentRequired, ProviderUnavailable
from dragoman.relay.chat import Reply, answer_chat
from dragoman.upstream.options import UpstreamOptions
from tests.relay.scene import Scene
from tests.upstream.hosts import (
    CUT,
    DONE,
    ROLE,
    Pass,
    Script,
    counts,
    delta,
    ends,
    event,
    plays,
    says,
    streamed,
    whole,
)

PURSE = "account:acc_x|total|0"
LIMITED = Caller(key_hash="f" * 64, terms=Terms(funds=Funds(purses=(PURSE,))))
SLICE = 4096 * 2000
"""What a slice of output costs at $2 a million, in nano-USD."""
LONG = "x" * 2 * 3072
"""So much of an answer that the next slice is asked for."""


def limited(nanos: int, **scripts: Any) -> Scene:
    """Return a scene whose caller has so much to spend."""
    scene = Scene(**scripts)
    scene.bank.balances[PURSE] = [nanos, 0, 0]
    return scene


async def answer(scene: Scene, **body: Any) -> Reply:
    visit = msgspec.structs.replace(scene.visit(**body), caller=LIMITED)
    return await answer_chat(scene.desk, visit)


def content(reply: Reply) -> str:
    text: str = json.loads(reply.body)["choices"][0]["message"]["content"]
    return text


def hosts_with(scene: Scene, **changes: Any) -> None:
    """Have all hosts of a scene differ in this."""
    old = scene.desk.catalog()
    providers = {s: msgspec.structs.replace(p, **changes) for s, p in old.providers.items()}
    new = msgspec.structs.replace(old, providers=providers)
    scene.desk = msgspec.structs.replace(scene.desk, catalog=lambda: new)


async def test_what_is_held_in_slices_comes_as_a_stream_and_is_answered_whole() -> None:
    scene = limited(10**9, a=streamed("Hel", "lo"))
    body = json.loads((await answer(scene)).body)
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "Hello"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert (body["usage"]["completion_tokens"], body["usage"]["cost"]) == (5, 2e-05)
    (sent,) = scene.hosts.bodies()
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert "max_tokens" not in sent
    made = scene.record
    assert (made.streamed, made.status, made.cost_nanos) == (False, 200, 20_000)
    assert (made.usage.source, made.upstream_id) == ("upstream", "up-1")
    assert not scene.books.started[0].streamed
    assert scene.hosts.responses[0].closed


@pytest.mark.parametrize("body", [{"max_tokens": 9}, {"max_completion_tokens": 9}])
async def test_with_a_limit_of_its_own_an_answer_comes_whole(body: dict[str, Any]) -> None:
    scene = limited(10**9, a=whole())
    await answer(scene, **body)
    assert "stream" not in scene.hosts.bodies()[0]


async def test_where_nothing_is_limited_an_answer_comes_whole() -> None:
    scene = Scene(a=whole())
    await scene.answer()
    assert "stream" not in scene.hosts.bodies()[0]


async def test_an_operator_may_have_all_answers_come_as_streams() -> None:
    scene = Scene(a=streamed("Hello"))
    hosts_with(scene, stream_upstream=True)
    assert content(await scene.answer(max_tokens=9)) == "Hello"
    assert scene.hosts.bodies()[0]["stream"] is True


async def test_an_answer_that_has_ended_is_whole_though_its_connection_never_ends() -> None:
    script = plays(says("Hello"), ends(), counts(10, 5), "hang")
    scene = Scene(a=script, b=streamed("ghost"), options=UpstreamOptions(answer_s=0.05))
    hosts_with(scene, stream_upstream=True)
    assert content(await scene.answer()) == "Hello"
    assert scene.hosts.called == ["a"]
    assert (scene.record.status, scene.record.usage.completion) == (200, 5)
    assert scene.hosts.responses[0].closed
    assert not scene.health.seen


async def test_an_answer_that_stops_before_its_end_is_late() -> None:
    script = plays(says("Hel"), "hang")
    scene = Scene(a=script, b=streamed("Hello"), options=UpstreamOptions(answer_s=0.05))
    hosts_with(scene, stream_upstream=True)
    assert content(await scene.answer()) == "Hello"
    assert scene.hosts.called == ["a", "b"]


async def test_a_host_that_cannot_stream_is_given_a_limit_and_the_caller_is_told() -> None:
    scene = limited(10**9, a=whole())
    hosts_with(scene, quirks=Quirks(rejects=frozenset({"stream"})))
    visit = msgspec.structs.replace(scene.visit(routed=True), caller=LIMITED)
    reply = await answer_chat(scene.desk, visit)
    (sent,) = scene.hosts.bodies()
    assert (sent["max_tokens"], "stream" in sent, "stream_options" in sent) == (4096, False, False)
    assert b'"max_tokens"' in reply.body
    assert b"does not stream" in reply.body


async def test_a_host_that_cannot_stream_answers_a_stream_in_one_event() -> None:
    scene = Scene(a=whole("Hello"))
    hosts_with(scene, quirks=Quirks(rejects=frozenset({"stream"})))
    heard = await scene.stream()
    assert (heard.text(), heard.finished) == ("Hello", True)
    assert not {"stream", "stream_options"} & scene.hosts.bodies()[0].keys()


async def test_the_hold_grows_with_the_answer() -> None:
    go = asyncio.Event()
    acts = (says(LONG), go, says("!"), ends(), counts(10, 4000), DONE)
    scene = limited(10**9, a=plays(*acts))
    work = asyncio.ensure_future(answer(scene))
    for _ in range(20):
        await asyncio.sleep(0)
    go.set()
    assert content(await work) == LONG + "!"
    assert sum(wanted[PURSE] for wanted in scene.bank.taken) >= SLICE
    assert scene.books.charges[0].overrun == 0


async def test_an_answer_that_cannot_be_held_any_longer_is_a_402_and_charged() -> None:
    go = asyncio.Event()
    scene = limited(2 * SLICE - 1, a=plays(says(LONG), go, says("!"), "hang"), b=streamed())
    work = asyncio.ensure_future(answer(scene))
    for _ in range(20):
        await asyncio.sleep(0)
    go.set()
    with pytest.raises(PaymentRequired):
        await work
    assert scene.hosts.called == ["a"]
    made = scene.record
    assert (made.status, made.usage.completion) == (402, (len(LONG) + 1) // 4 + 1)
    assert made.cost_nanos > 0
    assert scene.books.charges[0].draws[0].amount == made.cost_nanos
    assert scene.hosts.responses[0].closed


@pytest.mark.parametrize(
    "broken",
    [
        plays(ROLE, CUT),
        plays(says("lost"), CUT),
        plays(says("lost")),
        plays(says("lost"), ends("error"), DONE),
        plays(says("lost"), event(error={"message": "no", "code": 500})),
        plays(says("lost"), b"data: nonsense\n\n"),
        Script(status=503),
    ],
)
async def test_an_answer_that_breaks_is_asked_for_again_elsewhere(broken: Script) -> None:
    scene = limited(10**9, a=broken, b=streamed("found"))
    reply = await answer(scene)
    assert content(reply) == "found"
    made = scene.record
    assert (scene.hosts.called, made.provider, made.cost_nanos) == (["a", "b"], "b", 20_000)
    assert all(response.closed for response in scene.hosts.responses)


async def test_an_answer_that_breaks_everywhere_is_free() -> None:
    scene = limited(10**9, a=plays(says("lost"), CUT))
    with pytest.raises(ProviderUnavailable):
        await answer(scene, provider={"order": ["a"], "allow_fallbacks": False})
    assert (scene.record.status, scene.record.cost_nanos) == (502, 0)


async def test_a_host_that_takes_too_long_is_paid_nothing() -> None:
    scene = limited(10**9, a=plays(says("x" * 40), Pass(700), says("!"), ends(), DONE))
    with pytest.raises(GatewayError):
        await answer(scene)
    assert scene.record.cost_nanos == 0


async def test_an_answer_that_was_whole_before_its_stream_broke_is_whole() -> None:
    scene = limited(10**9, a=plays(says("all"), ends(), CUT))
    assert content(await answer(scene)) == "all"
    assert scene.record.usage.source == "estimated"


async def test_an_end_without_a_reason_is_a_stop() -> None:
    scene = limited(10**9, a=plays(says("all"), DONE))
    body = json.loads((await answer(scene)).body)
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_an_answer_that_fills_the_memory_is_broken_off() -> None:
    flood = [says("x" * 2**20)] * 70
    scene = limited(10**9, a=plays(*flood, ends(), DONE))
    with pytest.raises(GatewayError):
        await answer(scene, provider={"order": ["a"], "allow_fallbacks": False})
    assert scene.hosts.responses[0].closed


async def test_what_a_worker_would_leave_behind_is_written_down_as_it_comes() -> None:
    scene = limited(10**9, a=plays(says("x" * 40), "hang"))
    work = asyncio.ensure_future(answer(scene))
    for _ in range(20):
        await asyncio.sleep(0)
    for turn in list(scene.desk.rounds.under_way):
        turn.note_progress()
    assert [noted.completion for noted in scene.books.noted] == [10]
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert scene.record.cost_nanos > 0


async def test_its_patience_is_that_for_a_whole_answer() -> None:
    scene = Scene(a=streamed(), options=UpstreamOptions(answer_s=77, first_content_s=11))
    hosts_with(scene, stream_upstream=True)
    await scene.answer()
    await scene.stream()
    assert [(each.head_s, each.idle_s) for each in scene.hosts.limits] == [(77, 77), (11, 60)]


async def test_several_choices_with_tools_and_reasoning() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "function": {"arguments": "}"}}
    script = plays(
        delta(0, reasoning="h"),
        delta(0, reasoning="m"),
        delta(1, content="x"),
        delta(0, tool_calls=[call]),
        delta(0, tool_calls=[more]),
        ends("tool_calls", 0),
        ends("length", 1),
        counts(10, 5),
        DONE,
    )
    body = json.loads((await answer(limited(10**9, a=script), n=2)).body)
    first, second = body["choices"]
    assert first["message"]["reasoning"] == "hm"
    assert first["message"]["reasoning_details"][0]["text"] == "hm"
    assert first["message"]["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "length")
    assert second["message"]["content"] == "x"


async def test_an_error_after_the_end_of_every_choice_is_too_late() -> None:
    error = event(error={"message": "busy", "code": 500})
    scene = limited(10**9, a=plays(says("all"), ends(), error, counts(10, 5), DONE))
    assert content(await answer(scene)) == "all"
    assert (scene.hosts.called, scene.record.cost_nanos) == (["a"], 20_000)


async def test_an_error_after_an_end_without_content_leads_to_the_next_host() -> None:
    error = event(error={"message": "busy", "code": 500})
    scene = limited(10**9, a=plays(ROLE, ends(), error), b=streamed("from b"))
    assert content(await answer(scene)) == "from b"
