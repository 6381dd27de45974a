"""A provider that fails is not noticed by the caller, as long as nothing was said yet.

Each fault comes from the first of two providers of a model; the second is well.
"""

import json
from typing import Any

import pytest

from tests.e2e.conftest import model_id
from tests.e2e.gateway import Gateway, Reply
from tests.e2e.scripted import ScriptedUpstream

BAD_FIRST = {"order": ["bad", "good"]}
ONLY_BAD = {"only": ["bad"]}

BEFORE_CONTENT = [
    *(f"status-{code}" for code in (401, 402, 403, 408, 425, 429, 500, 502, 503, 504, 520, 529)),
    "limited-7",
    "limited-1e308",
    "quota",
    "html",
    "empty",
    "bad_sse",
    "sse_error",
    "reset",
    "close",
    "hang_head",
    "hang_body",
]

AFTER_CONTENT = [
    "cut-1",
    "cut-3",
    "eof-1",
    "eof-3",
    "rst-3",
    "garbage-1",
    "late_error-3",
    "stall-3",
]


@pytest.mark.parametrize(
    ("script", "stream"),
    [(script, stream) for script in BEFORE_CONTENT for stream in (False, True)]
    + [("bad_json", False)],
)
def test_a_fault_before_content_is_answered_by_the_next_provider(
    gateway: Gateway, bad: ScriptedUpstream, good: ScriptedUpstream, script: str, *, stream: bool
) -> None:
    model = model_id(script, "stream" if stream else "whole")
    reply = gateway.chat(model=model, provider=BAD_FIRST, stream=stream)
    assert reply.status == 200, reply.body
    assert said(reply, stream=stream) == "one two three four five"
    assert provider_of(reply, stream=stream) == "good"
    again = script in {"reset", "close"}  # a kept-alive connection that dies is tried once more
    assert bad.calls in ([script], [script] * 2 if again else [script])
    assert good.calls == ["good"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", ["dns", "refuse", "tls", "connect"])
def test_a_host_that_cannot_be_reached_is_passed_over(
    gateway: Gateway, kind: str, *, stream: bool
) -> None:
    first = {
        "dns": "nowhere",
        "refuse": "refuses",
        "tls": "speaks-no-tls",
        "connect": "deaf",
    }[kind]
    order = {"order": [first, "net-good"]}
    reply = gateway.chat(
        {"X-OpenRouter-Metadata": "enabled"}, model=f"net/{kind}", provider=order, stream=stream
    )
    assert reply.status == 200, reply.body
    assert said(reply, stream=stream) == "one two three four five"
    last = reply.chunks()[-1] if stream else reply.json()
    attempts = last["openrouter_metadata"]["attempts"]
    assert [attempt["provider"] for attempt in attempts] == [first, "net-good"]


def test_a_stream_that_only_comments_is_given_up(gateway: Gateway, good: ScriptedUpstream) -> None:
    reply = gateway.chat(model=model_id("drip"), provider=BAD_FIRST, stream=True)
    assert said(reply, stream=True) == "one two three four five"
    assert good.calls == ["good"]


@pytest.mark.parametrize("script", AFTER_CONTENT)
def test_a_fault_after_content_ends_the_stream_with_one_error_and_no_second_provider(
    gateway: Gateway, bad: ScriptedUpstream, good: ScriptedUpstream, script: str
) -> None:
    reply = gateway.chat(model=model_id(script), provider=BAD_FIRST, stream=True)
    assert reply.status == 200
    words = int(script.rpartition("-")[2])
    assert reply.text().split() == ["one", "two", "three"][:words]
    errors = [chunk for chunk in reply.chunks() if "error" in chunk]
    assert len(errors) == 1
    assert errors[0] == reply.chunks()[-1]
    assert errors[0]["choices"][0]["finish_reason"] == "error"
    assert errors[0]["usage"]["cost"] == 0
    assert "[DONE]" not in reply.events()
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in reply.chunks()]
    assert "stop" not in finishes
    assert (bad.calls, good.calls) == ([script], [])


@pytest.mark.parametrize(
    ("script", "status", "error_type"),
    [
        ("status-401", 502, "provider_unavailable"),
        ("status-402", 502, "provider_unavailable"),
        ("status-403", 502, "provider_unavailable"),
        ("status-500", 502, "provider_unavailable"),
        ("status-408", 504, "timeout"),
        ("status-504", 504, "timeout"),
        ("status-520", 502, "provider_unavailable"),
        ("status-522", 504, "timeout"),
        ("status-524", 504, "timeout"),
        ("status-503", 503, "provider_overloaded"),
        ("status-529", 503, "provider_overloaded"),
        ("status-429", 429, "rate_limit_exceeded"),
        ("status-400", 400, "invalid_request"),
        ("status-422", 422, "unprocessable"),
        ("status-413", 413, "payload_too_large"),
        ("too_long", 400, "context_length_exceeded"),
        ("quota", 502, "provider_unavailable"),
        ("html", 502, "provider_unavailable"),
        ("empty", 502, "provider_unavailable"),
        ("reset", 502, "provider_unavailable"),
        ("hang_head", 504, "timeout"),
        ("hang_body", 504, "timeout"),
    ],
)
def test_alone_each_fault_has_its_status(
    gateway: Gateway, script: str, status: int, error_type: str
) -> None:
    reply = gateway.chat(model=model_id(script, "alone"), provider=ONLY_BAD)
    error = reply.json()["error"]
    assert (reply.status, error["code"]) == (status, status), error
    assert error["metadata"]["error_type"] == error_type
    assert "secret" not in reply.body.decode()


@pytest.mark.parametrize(
    ("argument", "waits"), [("7", "7"), ("7.5", "8"), ("-1", "1"), ("1e308", "1")]
)
def test_a_rate_limit_passes_its_hint_on(gateway: Gateway, argument: str, waits: str) -> None:
    reply = gateway.chat(model=model_id(f"limited-{argument}"), provider=ONLY_BAD)
    assert reply.status == 429
    assert reply.headers["retry-after"] == waits
    assert reply.json()["error"]["availability"]["code"] == "capacity_exhausted"


def test_an_only_provider_is_tried_three_times_and_the_sdk_told_not_to_go_on(
    gateway: Gateway, bad: ScriptedUpstream
) -> None:
    reply = gateway.chat(model=model_id("status-500"), provider=ONLY_BAD)
    assert bad.calls == ["status-500"] * 3
    assert reply.headers["x-should-retry"] == "false"


def test_without_fallbacks_the_error_of_the_first_provider_is_returned(
    gateway: Gateway, good: ScriptedUpstream
) -> None:
    wish = {"order": ["bad"], "allow_fallbacks": False}
    reply = gateway.chat(model=model_id("status-503"), provider=wish)
    assert reply.status == 503
    assert good.calls == []


def test_a_request_at_fault_goes_on_to_the_next_model(
    gateway: Gateway, bad: ScriptedUpstream, good: ScriptedUpstream
) -> None:
    reply = gateway.chat(
        model=model_id("status-400"), models=[model_id("good")], provider={"order": ["bad"]}
    )
    assert reply.status == 200
    assert reply.json()["model"] == "test/good"
    assert bad.calls == ["status-400", "good"]
    assert good.calls == []


def test_a_stream_whose_end_says_nothing_is_not_called_complete(gateway: Gateway) -> None:
    reply = gateway.chat(model=model_id("cut-3"), provider=ONLY_BAD, stream=True)
    assert reply.chunks()[-1]["error"]["code"] == 502


@pytest.mark.parametrize("script", ["no_finish", "no_done"])
def test_a_stream_needs_only_one_sign_of_its_end(gateway: Gateway, script: str) -> None:
    reply = gateway.chat(model=model_id(script), provider=ONLY_BAD, stream=True)
    assert reply.events()[-1] == "[DONE]"
    assert reply.chunks()[-1]["choices"][0]["finish_reason"] == "stop"
    assert reply.text() == "one two "


def test_nothing_is_said_after_the_finish(gateway: Gateway) -> None:
    reply = gateway.chat(model=model_id("after_finish"), provider=ONLY_BAD, stream=True)
    assert reply.text() == "one "


def test_the_record_tells_of_every_attempt(gateway: Gateway) -> None:
    reply = gateway.chat(model=model_id("status-503", "record"), provider=BAD_FIRST)
    made = gateway.get(f"/api/v1/generation?id={reply.json()['id']}").json()["data"]
    tried = [(each["provider_name"], each["status"]) for each in made["provider_responses"]]
    assert tried == [("bad", 503), ("good", 200)]


def said(reply: Reply, *, stream: bool) -> str:
    if stream:
        return reply.text().strip()
    content: str = reply.json()["choices"][0]["message"]["content"]
    return content


def provider_of(reply: Reply, *, stream: bool) -> Any:
    return (reply.chunks()[0] if stream else json.loads(reply.body))["provider"]
