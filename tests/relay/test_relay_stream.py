"""A chat answer as a stream: which events leave, in which order, with which ending."""

import asyncio
from typing import Any

import msgspec
import pytest

from dragoman.catalog.types import Price
from dragoman.core.errors import GatewayError
from dragoman.core.money import PicoUsd
from dragoman.net.types import NetError
from dragoman.relay.chat import stream_chat
from dragoman.upstream.options import UpstreamOptions
from tests.relay.scene import Ear, Heard, Scene, endpoint
from tests.upstream.hosts import (
    CUT,
    DONE,
    ROLE,
    Act,
    Pass,
    Script,
    breaks,
    counts,
    delta,
    ends,
    event,
    plays,
    refuses,
    says,
    streamed,
)

TOOL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def test_a_stream_is_its_content_then_usage_then_the_mark() -> None:
    heard = await Scene(a=streamed("one ", "two")).stream()
    assert heard.text() == "one two"
    assert heard.finished
    first, *_, last = heard.chunks
    assert {key: first[key] for key in ("id", "object", "created", "model", "provider")} == {
        "id": "gen-1760000000-abcdefghijklmnopqrst",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "acme/turbo",
        "provider": "A",
    }
    assert [chunk["choices"][0]["finish_reason"] for chunk in heard.chunks] == [
        None,
        None,
        "stop",
        "stop",
    ]
    assert ["usage" in chunk for chunk in heard.chunks] == [False, False, False, True]
    assert last["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": "stop",
            "native_finish_reason": "stop",
        }
    ]
    assert last["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cost": 2e-05,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": 2e-05,
            "upstream_inference_prompt_cost": 1e-05,
            "upstream_inference_completions_cost": 1e-05,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "image_tokens": 0,
            "audio_tokens": 0,
        },
    }


@pytest.mark.parametrize(
    "rest", [(NetError("idle", "no bytes for 1 s"),), (Pass(6), b": still here\n\n")]
)
async def test_an_answer_that_has_ended_needs_no_mark_and_no_end_of_its_connection(
    rest: tuple[Act, ...],
) -> None:
    scene = Scene(a=plays(ROLE, says("all"), ends(), counts(10, 5), *rest))
    heard = await scene.stream()
    assert heard.text() == "all"
    assert heard.finished
    assert (scene.record.status, scene.record.usage.completion) == (200, 5)


async def test_every_write_says_something() -> None:
    hidden = plays(ROLE, delta(reasoning="hm"), ROLE, says("x"), event(), ends(), DONE)
    heard = await Scene(a=hidden).stream(reasoning={"exclude": True})
    assert all(heard.writes)
    assert len(heard.writes) == 3


@pytest.mark.parametrize(
    "script",
    [refuses(500), breaks(NetError("dns", "x")), plays(ROLE), plays(event(error={"code": 500}))],
)
async def test_before_content_the_next_host_takes_over(script: Script) -> None:
    scene = Scene(a=script, b=streamed("from b"))
    heard = await scene.stream()
    assert heard.text() == "from b"
    assert {chunk["provider"] for chunk in heard.chunks} == {"B"}
    assert scene.hosts.called == ["a", "b"]


@pytest.mark.parametrize(
    ("acts", "code", "error_type"),
    [
        ((CUT,), 502, "provider_unavailable"),
        ((), 502, "provider_unavailable"),
        ((ends("error"),), 502, "provider_unavailable"),
        ((b"data: {oops\n\n",), 502, "provider_unavailable"),
        ((NetError("idle", "silence"),), 504, "timeout"),
        ((Pass(301), b": alive\n\n"), 504, "timeout"),
        ((Pass(601), says("late")), 504, "timeout"),
        ((event(error={"message": "busy", "code": 429}), says("x")), 429, "rate_limit_exceeded"),
        ((event(error={"message": "full", "code": 503}),), 503, "provider_overloaded"),
        ((event(error={"type": "overloaded_error"}),), 503, "provider_overloaded"),
        ((event(error={"code": "context_length_exceeded"}),), 400, "context_length_exceeded"),
    ],
)
async def test_after_content_a_break_is_one_error_and_nobody_else_is_called(
    acts: tuple[Act, ...], code: int, error_type: str
) -> None:
    scene = Scene(a=plays(says("one "), *acts), b=streamed("ghost"))
    heard = await scene.stream()
    assert heard.text() == "one "
    assert not heard.finished
    assert [chunk for chunk in heard.chunks if "error" in chunk] == [heard.last]
    error = heard.last["error"]
    assert (error["code"], error["metadata"]["error_type"]) == (code, error_type)
    assert error["metadata"]["provider_name"] == "A"
    assert [choice["finish_reason"] for choice in heard.last["choices"]] == ["error"]
    assert scene.hosts.called == ["a"]
    assert [response.closed for response in scene.hosts.responses] == [1]
    assert scene.record.status == code


async def test_an_error_in_the_same_bytes_as_content_comes_after_it() -> None:
    bytes_ = says("one ") + event(error={"message": "x", "code": 500}) + says("ghost")
    heard = await Scene(a=plays(bytes_)).stream()
    assert heard.text() == "one "
    assert heard.last["error"]["code"] == 502


@pytest.mark.parametrize(
    ("acts", "reason"),
    [
        ((says("x"), ends("length")), "length"),
        ((says("x"), DONE), "stop"),
        ((delta(tool_calls=[TOOL]), ends()), "tool_calls"),
        ((delta(tool_calls=[TOOL]), DONE), "tool_calls"),
        ((ends("content_filter"),), "content_filter"),
        ((ends(),), "stop"),
    ],
    ids=["no mark", "no reason", "tools", "tools, no reason", "filtered", "nothing"],
)
async def test_a_stream_needs_one_sign_of_its_end(acts: tuple[Act, ...], reason: str) -> None:
    heard = await Scene(a=plays(*acts)).stream()
    assert heard.finished
    assert [c["choices"][0]["finish_reason"] for c in heard.chunks][-2:] == [reason] * 2


@pytest.mark.parametrize(
    "end",
    [CUT, NetError("reset", "rst"), NetError("idle", "silence"), b"data: {oops\n\n", Pass(601)],
    ids=["eof", "reset", "silence", "nonsense", "too long"],
)
async def test_an_answer_that_has_ended_is_whole_however_its_connection_ends(end: Act) -> None:
    scene = Scene(a=plays(says("x"), ends("length"), counts(10, 5), end, b": more\n\n"))
    heard = await scene.stream()
    assert heard.finished
    assert heard.last["usage"]["completion_tokens"] == 5
    assert heard.last["choices"][0]["finish_reason"] == "length"
    assert (scene.record.status, scene.record.cost_nanos > 0) == (200, True)
    assert not scene.health.seen


@pytest.mark.parametrize("end", [(), (CUT,)], ids=["end", "cut"])
async def test_an_answer_is_not_whole_while_one_of_its_choices_is_open(
    end: tuple[Act, ...],
) -> None:
    scene = Scene(a=plays(says("a", 0), says("b", 1), ends("stop", 0), *end))
    heard = await scene.stream(n=2)
    assert not heard.finished
    assert heard.last["error"]["code"] == 502
    assert scene.record.cost_nanos == 0


async def test_the_mark_ends_the_choices_that_are_still_open() -> None:
    acts = (says("a", 0), says("b", 1), says("c", 2), ends("length", 1), DONE)
    heard = await Scene(a=plays(*acts)).stream(n=3)
    assert heard.finished
    reasons = {
        choice["index"]: choice["finish_reason"]
        for chunk in heard.chunks
        for choice in chunk["choices"]
        if choice["finish_reason"]
    }
    assert reasons == {0: "stop", 1: "length", 2: "stop"}


async def test_content_after_the_end_of_a_choice_is_dropped() -> None:
    heard = await Scene(a=plays(says("x"), ends(), says("ghost"), ends("length"), DONE)).stream()
    assert heard.text() == "x"
    assert len(heard.chunks) == 3


async def test_usage_after_the_end_is_still_counted() -> None:
    heard = await Scene(a=plays(says("x"), ends(), counts(3, 1), DONE)).stream()
    assert heard.last["usage"]["total_tokens"] == 4


async def test_choices_end_each_by_themselves() -> None:
    acts = (says("a", 0), says("b", 1), ends("length", 1), says("a", 0), says("ghost", 1), ends())
    heard = await Scene(a=plays(*acts, DONE)).stream(n=2)
    assert (heard.text(0), heard.text(1)) == ("aa", "b")
    assert heard.last["choices"][0]["index"] == 0
    assert heard.last["choices"][0]["finish_reason"] == "stop"


async def test_one_event_may_hold_several_choices() -> None:
    both = event(choices=[{"index": i, "delta": {"content": f"c{i}"}} for i in range(2)])
    heard = await Scene(a=plays(both, ends(), ends(index=1), DONE)).stream(n=2)
    assert [choice["delta"]["content"] for choice in heard.chunks[0]["choices"]] == ["c0", "c1"]


async def test_reasoning_is_shown_unless_its_caller_says_otherwise() -> None:
    script = plays(delta(reasoning="hm"), delta(reasoning="so", content="x"), ends(), DONE)
    shown = await Scene(a=script).stream()
    assert [c["choices"][0]["delta"].get("reasoning") for c in shown.chunks[:2]] == ["hm", "so"]
    hidden = await Scene(a=script).stream(reasoning={"exclude": True})
    assert "reasoning" not in str(hidden.chunks[:-1])
    assert hidden.text() == "x"


async def test_the_service_tier_is_repeated_once_it_is_known() -> None:
    tier = event(service_tier="flex", choices=[{"index": 0, "delta": {"content": "b"}}])
    scene = Scene(a=plays(says("a"), tier, ends(), DONE))
    heard = await scene.stream()
    assert [chunk.get("service_tier") for chunk in heard.chunks] == [None, "flex", "flex", "flex"]
    assert scene.record.service_tier == "flex"


async def test_debug_shows_every_body_that_was_sent_first_of_all() -> None:
    scene = Scene(a=refuses(500), b=streamed())
    heard = await scene.stream(debug={"echo_upstream_body": True})
    echoes = [chunk["debug"]["echo_upstream_body"] for chunk in heard.chunks[:2]]
    assert echoes == scene.hosts.bodies()
    assert all(chunk["choices"] == [] for chunk in heard.chunks[:2])
    assert [chunk["provider"] for chunk in heard.chunks[:3]] == ["A", "B", "B"]
    assert "debug" not in heard.chunks[2]
    assert "secret" not in str(heard.data)


async def test_an_unknown_price_is_no_price_at_all() -> None:
    scene = Scene(endpoint("a", price=None), a=streamed())
    heard = await scene.stream()
    assert "cost" not in heard.last["usage"]
    assert "cost_details" not in heard.last["usage"]
    assert not scene.record.price_known


async def test_a_declared_free_tier_is_named_and_costs_nothing() -> None:
    nothing = Price(prompt=PicoUsd(0), completion=PicoUsd(0))
    free = endpoint("a", id="a|acme/turbo:free", free=True, price=nothing)
    scene = Scene(free, a=streamed())
    heard = await scene.stream(model="acme/turbo:free")
    assert {chunk["model"] for chunk in heard.chunks} == {"acme/turbo:free"}
    assert heard.last["usage"]["cost"] == 0
    assert scene.record.model == "acme/turbo:free"
    assert scene.record.price_known


async def test_routing_is_shown_with_the_usage_to_those_who_ask() -> None:
    scene = Scene(a=refuses(503), b=streamed())
    heard = await scene.stream(routed=True)
    assert all("openrouter_metadata" not in chunk for chunk in heard.chunks[:-1])
    shown: Any = heard.last["openrouter_metadata"]
    assert (shown["requested"], shown["attempt"]) == ("acme/turbo", 2)
    assert [(row["provider"], row["status"]) for row in shown["attempts"]] == [
        ("A", 503),
        ("B", 200),
    ]
    selected = {row["provider"]: row["selected"] for row in shown["endpoints"]["available"]}
    assert selected == {"A": False, "B": True}


async def test_routing_is_shown_with_an_error_in_the_stream_too() -> None:
    heard = await Scene(a=plays(says("x"), CUT)).stream(routed=True)
    assert heard.last["openrouter_metadata"]["attempt"] == 1


async def test_notes_are_of_the_request_and_of_the_endpoint_that_answered() -> None:
    scene = Scene(a=refuses(503), b=streamed())
    heard = await scene.stream(
        routed=True, cache_control={"type": "ephemeral"}, transforms=["middle-out"]
    )
    notes = heard.last["openrouter_metadata"]["notes"]
    assert {(note["field"], note.get("provider", "")) for note in notes} == {
        ("transforms", ""),
        ("cache_control", "b"),
    }
    assert [note.field for note in scene.record.notes] == [note["field"] for note in notes]


async def test_when_nobody_brings_content_the_error_is_raised_with_its_routing() -> None:
    scene = Scene(a=refuses(503), b=refuses(500))
    with pytest.raises(GatewayError) as failed:
        await scene.stream(routed=True)
    assert failed.value.code == 503
    assert failed.value.routing is not None
    assert len(scene.record.attempts) == 2


async def test_a_stream_that_outlives_its_request_is_ended_by_us_and_paid_for() -> None:
    script = plays(says("four"), Pass(601), says("late"))
    scene = Scene(a=script, options=UpstreamOptions(request_s=600))
    heard = await scene.stream()
    assert heard.last["usage"]["cost"] > 0
    assert scene.record.cost_nanos > 0
    scene.health.refresh(scene.clock.now)
    assert "a|acme/turbo" not in scene.health.seen


async def test_a_client_that_lags_is_waited_for_and_misses_nothing() -> None:
    scene, ear = Scene(a=streamed("one ", "two ", "three")), Ear(lags=True)
    await stream_chat(scene.desk, scene.visit(stream=True), ear)
    heard = Heard(ear.writes)
    assert (heard.text(), heard.finished) == ("one two three", True)
    assert ear.waits == len(ear.writes) - 1


async def test_a_client_that_lags_is_told_of_a_break_after_what_came_before() -> None:
    scene, ear = Scene(a=plays(says("one "), says("two"), CUT)), Ear(lags=True)
    await stream_chat(scene.desk, scene.visit(stream=True), ear)
    heard = Heard(ear.writes)
    assert (heard.text(), heard.last["error"]["code"]) == ("one two", 502)


async def test_content_and_nonsense_in_one_piece_are_content_and_then_an_error() -> None:
    scene, ear = Scene(a=plays(says("one "), says("two") + b"data: {oops\n\n")), Ear(lags=True)
    await stream_chat(scene.desk, scene.visit(stream=True), ear)
    heard = Heard(ear.writes)
    assert (heard.text(), heard.last["error"]["code"]) == ("one two", 502)


@pytest.mark.parametrize("late", [event(error={"message": "busy", "code": 500}), ends("error")])
async def test_an_error_after_the_end_of_every_choice_is_too_late(late: bytes) -> None:
    scene = Scene(a=plays(ROLE, says("all"), ends(), late, counts(10, 5), DONE))
    heard = await scene.stream()
    assert (heard.text(), heard.finished) == ("all", True)
    assert "error" not in heard.last
    assert (scene.record.status, scene.record.cost_nanos) == (200, 20_000)


async def test_an_error_after_an_end_without_content_counts() -> None:
    scene = Scene(a=plays(ROLE, ends(), event(error={"message": "busy", "code": 500})))
    heard = await scene.stream()
    assert heard.last["error"]["code"] == 502
    assert (scene.record.status, scene.record.cost_nanos) == (502, 0)


@pytest.mark.parametrize("count", [1, 2])
async def test_a_client_that_is_behind_is_told_that_the_server_stops(count: int) -> None:
    scene = Scene(a=plays(ROLE, says("one "), says("two"), "hang"))
    ear, visit = Ear(stops_at=count), scene.visit(stream=True)
    here = msgspec.structs.replace(visit, left=lambda: False)
    task = asyncio.create_task(stream_chat(scene.desk, here, ear))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await task
    heard = Heard(ear.writes)
    assert heard.text() == ("one " if count == 1 else "one two")
    assert heard.last["error"]["code"] == 503
    assert sum("error" in chunk for chunk in heard.chunks) == 1
    assert (scene.record.status, scene.record.error_type) == (503, "gateway_unavailable")
    assert scene.hosts.responses[0].closed == 1
