"""A chat answer in one piece: its body, its cost, and how it fails."""

import json
from typing import Any

import pytest

from dragoman.core.errors import (
    InvalidRequest,
    NoEndpoint,
    ProviderTimeout,
    RefusedUpstream,
)
from dragoman.net.types import NetError
from dragoman.upstream.options import UpstreamOptions
from tests.relay.scene import Scene, endpoint
from tests.upstream.hosts import HANGS, breaks, plays, refuses, whole


async def test_the_body_is_openrouters() -> None:
    reply = await Scene(a=whole("Hello")).answer()
    body = json.loads(reply.body)
    assert list(body) == [
        "id",
        "object",
        "created",
        "model",
        "provider",
        "system_fingerprint",
        "service_tier",
        "choices",
        "usage",
    ]
    (choice,) = body["choices"]
    assert choice["message"]["content"] == "Hello"
    assert choice["native_finish_reason"] == "stop"
    assert reply.cost_usd == body["usage"]["cost"] == 2e-05


async def test_several_choices_are_kept_apart() -> None:
    rows = [
        {"index": i, "message": {"content": f"c{i}"}, "finish_reason": "stop"} for i in range(2)
    ]
    body = await Scene(a=plays(json.dumps({"choices": rows}).encode())).whole(n=2)
    assert [choice["message"]["content"] for choice in body["choices"]] == ["c0", "c1"]


async def test_reasoning_is_shown_unless_its_caller_says_otherwise() -> None:
    script = whole("x", reasoning="hm")
    shown = await Scene(a=script).whole()
    assert shown["choices"][0]["message"]["reasoning"] == "hm"
    hidden = await Scene(a=script).whole(reasoning={"exclude": True})
    assert hidden["choices"][0]["message"]["reasoning"] is None
    assert "reasoning_details" not in hidden["choices"][0]["message"]
    effort = await Scene(a=script).whole(reasoning={"effort": "low"})
    assert effort["choices"][0]["message"]["reasoning"] == "hm"


async def test_without_usage_it_is_estimated_from_the_text() -> None:
    scene = Scene(a=whole("x" * 40, usage=None))
    body = await scene.whole(messages=[{"role": "user", "content": "y" * 80}])
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (20, 10)
    assert scene.record.usage.source == "estimated"


async def test_an_unknown_price_has_no_cost() -> None:
    reply = await Scene(endpoint("a", price=None), a=whole()).answer()
    assert reply.cost_usd is None
    assert "cost" not in json.loads(reply.body)["usage"]


@pytest.mark.parametrize("finish", [None, ""])
async def test_an_answer_without_text_or_reason_is_free(finish: str | None) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0}
    scene = Scene(a=whole("", finish=finish, usage=usage))
    assert (await scene.answer()).cost_usd == 0
    assert scene.record.usage.prompt == 10


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(("said", "reason"), [({}, "stop"), ({"tool_calls": [CALL]}, "tool_calls")])
@pytest.mark.parametrize("finish", [None, ""])
async def test_an_answer_that_is_whole_and_gives_no_reason_has_ended_well(
    finish: str | None, said: dict[str, Any], reason: str
) -> None:
    """It came to the end of its framing, so nothing of it is missing."""
    scene = Scene(a=whole("all" if not said else "", finish=finish, **said))
    (choice,) = (await scene.whole())["choices"]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (reason, None)
    assert scene.record.finish_reason == reason
    assert scene.record.cost_nanos


async def test_of_several_choices_each_keeps_the_reason_it_gave() -> None:
    texts: list[tuple[str, str | None]] = [("a", "length"), ("b", None), ("", None)]
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        for at, (text, finish) in enumerate(texts)
    ]
    scene = Scene(a=plays(json.dumps({"choices": choices}).encode()))
    told = (await scene.whole(n=3))["choices"]
    assert [choice["finish_reason"] for choice in told] == ["length", "stop", None]


async def test_an_empty_answer_that_ended_well_is_charged() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0}
    assert (await Scene(a=whole("", usage=usage)).answer()).cost_usd == 1e-05


async def test_the_next_host_takes_over() -> None:
    scene = Scene(a=plays(b"<html>"), b=whole("from b"))
    body = await scene.whole(routed=True)
    assert body["provider"] == "B"
    assert body["openrouter_metadata"]["attempt"] == 2
    assert [attempt.code for attempt in scene.record.attempts] == ["unreadable", None]


async def test_a_failure_is_raised_with_its_cause_and_its_routing() -> None:
    scene = Scene(a=refuses(422), b=whole())
    with pytest.raises(RefusedUpstream) as failed:
        await scene.whole(routed=True)
    assert failed.value.code == 422
    assert json.loads(json.dumps(failed.value.metadata))["provider_name"] == "A"
    assert failed.value.routing is not None


async def test_routing_is_not_shown_unasked() -> None:
    scene = Scene(a=refuses(422))
    with pytest.raises(RefusedUpstream) as failed:
        await scene.whole()
    assert failed.value.routing is None
    assert "openrouter_metadata" not in await Scene(a=whole()).whole()


async def test_a_host_that_is_too_slow_is_a_504() -> None:
    with pytest.raises(ProviderTimeout):
        await Scene(a=HANGS, options=UpstreamOptions(answer_s=0.01)).whole()


async def test_a_connection_that_died_unused_is_replaced_unnoticed() -> None:
    died = breaks(NetError("reset", "gone", reused=True))
    scene = Scene(a=[died, whole()])
    await scene.whole()
    assert len(scene.record.attempts) == 1


async def test_a_plan_without_steps_is_refused_and_recorded() -> None:
    scene = Scene(a=whole())
    with pytest.raises(NoEndpoint) as failed:
        await scene.whole(routed=True, provider={"zdr": True})
    assert failed.value.routing is not None
    assert scene.hosts.called == []
    assert (scene.record.status, scene.record.provider) == (404, None)


async def test_what_names_nothing_is_refused_before_there_is_anything_to_record() -> None:
    scene = Scene(a=whole())
    with pytest.raises(InvalidRequest):
        await scene.whole(model="acme/nothing")
    assert scene.made == []
