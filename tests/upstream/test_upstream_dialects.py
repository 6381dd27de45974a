"""Which dialect a provider is asked in that has several: the client's own, where it can be."""

import pytest
from msgspec.structs import replace

from dragoman.catalog.types import Endpoint
from dragoman.core.errors import GatewayError, InvalidRequest
from dragoman.records.types import NOT_SENT
from dragoman.routing.types import Plan, Seen
from dragoman.upstream.failover import Journey
from dragoman.wire.chat import ChatCall
from tests.upstream.hosts import refuses, streamed
from tests.upstream.scenery import chat, provider, step
from tests.upstream.test_upstream_failover import A, B, Stage
from tests.wire.responses_calls import HELLO, call

ENDPOINT = step("a").endpoint
CHAT, RESPONSES = "/chat/completions", "/responses"


async def asked_at(asked: ChatCall, endpoint: Endpoint, *also: str) -> str:
    """Return where below its address a provider is asked. Raises InvalidRequest."""
    stage = Stage(a=refuses(400))
    journey = Journey(
        call=asked,
        plan=Plan(strategy="direct", steps=(replace(step("a"), endpoint=endpoint),), refusals=()),
        requested=("acme/turbo",),
        deadline=stage.clock.now + 10,
    )
    rows = {"a": provider("a", also=also)}
    with pytest.raises(GatewayError) as failed:
        await stage.upstream.open(journey, rows)
    if isinstance(failed.value, InvalidRequest):
        raise failed.value
    return stage.hosts.calls[0][1].url.removeprefix("http://a/v1")


async def test_clients_of_the_same_api_get_it_where_a_provider_has_both() -> None:
    asked = call(stream=True)
    assert await asked_at(asked, ENDPOINT) == CHAT
    assert await asked_at(asked, ENDPOINT, "responses") == RESPONSES
    assert await asked_at(asked, ENDPOINT, "smoke-signals", "responses-xai") == RESPONSES
    assert await asked_at(chat(stream=True), ENDPOINT, "responses") == CHAT


async def test_an_endpoint_that_has_one_dialect_only_is_asked_in_it() -> None:
    only = replace(ENDPOINT, dialect="responses")
    assert await asked_at(chat(stream=True), only) == RESPONSES
    assert (
        await asked_at(call(stream=True), replace(ENDPOINT, dialect="openai"), "responses") == CHAT
    )


async def test_what_says_more_than_text_is_asked_as_ever() -> None:
    draws = replace(ENDPOINT, outputs=frozenset({"text", "image"}))
    assert await asked_at(call(stream=True), draws, "responses") == CHAT


async def test_what_only_the_same_api_understands_is_refused_elsewhere() -> None:
    asked = call(stream=True, input=[*HELLO, {"type": "compaction", "encrypted_content": "x"}])
    assert await asked_at(asked, ENDPOINT, "responses") == RESPONSES
    with pytest.raises(InvalidRequest, match=r"^input.1 \(compaction\): cannot be sent to A$"):
        await asked_at(asked, ENDPOINT)


async def test_what_an_endpoint_cannot_be_told_is_told_to_the_next_that_can() -> None:
    asked = call(stream=True, input=[*HELLO, {"type": "compaction", "encrypted_content": "x"}])
    stage = Stage(a=streamed("no"), b=streamed("yes"))
    journey = replace(stage.journey(A, B), call=asked)
    rows = {"a": provider("a"), "b": provider("b", dialect="responses")}
    with pytest.raises(GatewayError):  # it is the host's stream that is of another dialect
        await stage.upstream.open(journey, rows)
    assert stage.hosts.called == ["b"]
    assert len(journey.sent) == 1
    first = journey.tries[0]
    assert (first.step, first.status, first.fault and first.fault.code) == (A, None, NOT_SENT)
    assert stage.seen(A) == Seen()


async def test_where_nobody_can_be_told_the_first_choice_is_named() -> None:
    asked = call(stream=True, input=[*HELLO, {"type": "compaction", "encrypted_content": "x"}])
    stage = Stage()
    journey = replace(stage.journey(A, B), call=asked)
    with pytest.raises(InvalidRequest, match="cannot be sent to A") as failed:
        await stage.upstream.open(journey, {slug: provider(slug) for slug in "ab"})
    assert [one["provider"] for one in failed.value.metadata["previous_errors"]] == ["a", "b"]
    assert not stage.hosts.called
    assert not journey.sent
