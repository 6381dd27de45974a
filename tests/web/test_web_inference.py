"""The chat route: headers in and out, the held 200, and clients who leave."""

import asyncio
import json

import msgspec
import pytest

from dragoman.routing.types import Seen
from dragoman.upstream.options import UpstreamOptions
from dragoman.web.options import ServerOptions
from dragoman.wire.sse import PROCESSING
from tests.relay.scene import Scene, endpoint
from tests.upstream.hosts import (
    DONE,
    HANGS,
    ROLE,
    Act,
    Script,
    ends,
    plays,
    refuses,
    says,
    streamed,
    whole,
)
from tests.web.asgi import Client
from tests.web.front import Front


async def ready() -> None:
    """Let what is ready run."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_a_whole_answer_carries_its_id_and_its_cost() -> None:
    front = Front(Scene(a=whole()))
    client = await front.chat()
    body = client.json()
    assert client.status == 200
    assert client.headers["content-type"] == "application/json"
    assert client.headers["x-generation-id"] == client.headers["x-request-id"] == body["id"]
    assert client.headers["x-openrouter-cost"] == "0.000020000"
    assert client.headers["cache-control"] == "private, no-store"
    assert int(client.headers["content-length"]) == len(client.body)


async def test_an_unknown_cost_has_no_header() -> None:
    client = await Front(Scene(endpoint("a", price=None), a=whole())).chat()
    assert "x-openrouter-cost" not in client.headers


async def test_a_stream_carries_its_id_and_ends() -> None:
    front = Front(Scene(a=streamed("one")))
    client = await front.chat(stream=True)
    assert client.status == 200
    assert client.headers["content-type"] == "text/event-stream"
    assert client.headers["x-generation-id"] == front.scene.record.id
    assert client.body.endswith(b"data: [DONE]\n\n")
    assert client.ended


async def test_what_the_headers_say_of_the_caller_is_kept() -> None:
    front = Front(Scene(a=whole()))
    headers = {
        "HTTP-Referer": "https://app.example",
        "X-Title": "App" * 500,
        "User-Agent": "pytest",
        "X-Session-Id": "s-1",
    }
    await front.chat(headers)
    made = front.scene.record
    assert (made.referer, made.user_agent, made.session_id) == (
        "https://app.example",
        "pytest",
        "s-1",
    )
    assert made.title == ("App" * 500)[:512]


@pytest.mark.parametrize(
    ("headers", "body", "kept"),
    [
        ({"Referer": "r"}, {}, ("r", None, None)),
        ({"Referer": "r", "HTTP-Referer": "h"}, {}, ("h", None, None)),
        ({"X-OpenRouter-Title": "o", "X-Title": "x"}, {}, (None, "o", None)),
        ({"X-Session-Id": "header"}, {"session_id": "body"}, (None, None, "body")),
        ({"HTTP-Referer": "", "X-Title": ""}, {}, (None, None, None)),
    ],
)
async def test_the_more_telling_header_wins(
    headers: dict[str, str], body: dict[str, str], kept: tuple[str | None, ...]
) -> None:
    front = Front(Scene(a=whole()))
    await front.chat(headers, **body)
    made = front.scene.record
    assert (made.referer, made.title, made.session_id) == kept


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({}, False),
        ({"X-OpenRouter-Metadata": "enabled"}, True),
        ({"X-OpenRouter-Metadata": " Enabled "}, True),
        ({"X-OpenRouter-Metadata": "disabled"}, False),
        ({"X-OpenRouter-Experimental-Metadata": "enabled"}, True),
        (
            {"X-OpenRouter-Metadata": "off", "X-OpenRouter-Experimental-Metadata": "enabled"},
            False,
        ),
    ],
)
async def test_routing_is_shown_to_those_who_ask(headers: dict[str, str], *, shown: bool) -> None:
    front = Front(Scene(a=whole(), b=refuses(503)))
    assert ("openrouter_metadata" in (await front.chat(headers)).json()) is shown
    failed = await front.chat(headers, provider={"only": ["b"]})
    assert failed.status == 503
    assert ("openrouter_metadata" in failed.json()) is shown


@pytest.mark.parametrize(
    ("headers", "noted"),
    [
        ({"X-OpenRouter-Cache": "true"}, ["X-OpenRouter-Cache"]),
        ({"X-OpenRouter-Cache": " True ", "X-Session-Id": "s"}, ["X-OpenRouter-Cache"]),
        ({"X-OpenRouter-Cache": "false", "X-OpenRouter-Cache-TTL": "60"}, []),
        ({"Idempotency-Key": "job-1"}, ["Idempotency-Key"]),
        ({}, []),
    ],
)
async def test_who_wants_answers_from_a_cache_is_told_that_there_is_none(
    headers: dict[str, str], noted: list[str]
) -> None:
    front = Front(Scene(a=whole()))
    await front.chat(headers)
    assert [note.field for note in front.scene.record.notes] == noted


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_failure_before_content_has_its_own_status(*, stream: bool) -> None:
    front = Front(Scene(a=refuses(429, retry_after="7")))
    client = await front.chat(stream=stream)
    assert (client.status, client.headers["retry-after"]) == (429, "7")
    assert client.headers["content-type"] == "application/json"
    assert client.headers["x-generation-id"] == front.scene.record.id
    assert "x-should-retry" not in client.headers


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_refused_request_is_not_to_be_sent_again(*, stream: bool) -> None:
    client = await Front(Scene(a=refuses(422))).chat(stream=stream)
    assert (client.status, client.headers["x-should-retry"]) == (422, "false")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_defect_is_masked_and_shows_no_routing(
    caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    front = Front(Scene(endpoint("b"), a=whole()))
    client = await front.chat({"X-OpenRouter-Metadata": "enabled"}, stream=stream)
    assert client.status == 500
    assert list(client.json()) == ["error"]
    assert client.json()["error"]["message"] == "Internal Server Error"
    assert front.scene.record.status == 500
    assert "KeyError" in caplog.text


async def test_a_bad_key_is_refused_before_the_request_is_looked_at() -> None:
    front = Front(Scene(a=whole()))
    client = await Client(b"{not json", {"Authorization": "Bearer nonsense"}).of(front.edge)
    assert client.status == 401
    assert front.scene.hosts.called == []


async def test_a_body_that_is_not_a_request_is_refused() -> None:
    front = Front(Scene(a=whole()))
    client = Client(b"[]", {"x-api-key": front.key})
    assert (await client.of(front.edge)).status == 400


async def test_a_body_over_the_limit_is_refused() -> None:
    front = Front(Scene(a=whole()), ServerOptions(body_bytes=1024))
    client = await front.chat(messages=[{"role": "user", "content": "x" * 2000}])
    assert client.status == 413


async def begun(front: Front, client: Client) -> "asyncio.Task[Client]":
    """Have a request served up to where its host makes it wait."""
    serving = asyncio.create_task(client.of(front.edge))
    await ready()
    assert not serving.done()
    return serving


async def hold_is_over(front: Front) -> None:
    """Let the time pass for which a 200 is held back."""
    front.scene.clock.now += 11
    await front.pulse.beat()


async def test_a_slow_start_is_bridged_by_a_comment() -> None:
    go = asyncio.Event()
    front = Front(Scene(a=plays(ROLE, go, says("x"), ends(), DONE)))
    client = front.client(stream=True)
    serving = await begun(front, client)
    assert client.sent == []
    await hold_is_over(front)
    await ready()
    assert (client.status, client.body) == (200, PROCESSING)
    go.set()
    await serving
    assert client.body.startswith(PROCESSING + b'data: {"id":"gen-')
    assert client.body.endswith(DONE)
    assert client.ended


async def test_a_failure_after_the_hold_is_an_event_with_the_status_it_would_have_had() -> None:
    go = asyncio.Event()
    front = Front(Scene(a=Script(head=(go,), status=503)))
    client = front.client({"X-OpenRouter-Metadata": "enabled"}, stream=True)
    serving = await begun(front, client)
    await hold_is_over(front)
    await ready()
    go.set()
    await serving
    assert client.status == 200
    event = json.loads(client.body.removeprefix(PROCESSING + b"data: "))
    assert event["error"]["code"] == 503
    assert event["choices"][0]["finish_reason"] == "error"
    assert (event["id"], event["model"]) == (front.scene.record.id, "acme/turbo")
    assert event["openrouter_metadata"]["attempts"][0]["status"] == 503
    assert client.ended
    assert b'"error"' in client.sent[-1]["body"], "it goes with the end, behind the journal"


async def test_a_failure_at_the_very_moment_of_the_comment_does_not_begin_a_second_answer() -> None:
    go = asyncio.Event()
    front = Front(Scene(a=Script(head=(go,), status=422)))
    client = front.client(stream=True)
    serving = await begun(front, client)
    go.set()
    await hold_is_over(front)
    await serving
    assert client.status == 200
    assert client.body.startswith(PROCESSING + b"data: ")
    assert client.ended


async def test_no_comment_comes_after_a_refusal_that_is_slow_to_leave() -> None:
    front = Front(Scene(a=refuses(422)))
    client = front.client(stream=True)
    client.reads.clear()
    serving = await begun(front, client)
    await hold_is_over(front)
    await ready()
    client.reads.set()
    await serving
    await ready()
    assert client.status == 422
    assert PROCESSING not in client.body


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("script", [HANGS, plays("hang"), plays(ROLE, "hang")])
async def test_a_client_that_leaves_ends_the_call(script: Script, *, stream: bool) -> None:
    front = Front(Scene(a=script, options=UpstreamOptions(linger_requests=0)))
    client = front.client(stream=stream)
    serving = await begun(front, client)
    client.leave()
    await serving
    assert client.sent == []
    assert (front.scene.record.status, front.scene.record.cancelled) == (499, True)
    assert all(response.closed for response in front.scene.hosts.responses)


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_request_may_go_on_without_its_client(status: int, *, stream: bool) -> None:
    go = asyncio.Event()
    acts = streamed("one").acts if stream else whole().acts
    front = Front(serves_on(Scene(a=Script(head=(go,), status=status, acts=acts))))
    client = front.client(stream=stream)
    serving = await begun(front, client)
    client.leave()
    await ready()
    assert not serving.done()
    go.set()
    await serving
    assert client.sent == []
    assert (front.scene.record.status, front.scene.record.cancelled) == (499, True)
    assert front.scene.record.usage.completion == (5 if status == 200 else 0)


async def test_a_client_that_does_not_read_is_not_waited_for() -> None:
    front = Front(serves_on(Scene(a=plays(says("one"), "hang"))))
    client = front.client(stream=True)
    client.reads.clear()
    serving = await begun(front, client)
    front.scene.clock.now += ServerOptions().stall_s + 1
    await front.pulse.beat()
    await serving
    assert front.scene.record.status == 499


def serves_on(scene: Scene) -> Scene:
    """Have hosts that do not notice when nobody listens."""
    old = scene.desk.catalog()
    deaf = {s: msgspec.structs.replace(row, cancels=False) for s, row in old.providers.items()}
    catalog = msgspec.structs.replace(old, providers=deaf)
    scene.desk = msgspec.structs.replace(scene.desk, catalog=lambda: catalog)
    return scene


async def test_a_client_that_leaves_in_the_middle_is_sent_no_more() -> None:
    front = Front(Scene(a=plays(says("one"), "hang")))
    client = front.client(stream=True)
    serving = await begun(front, client)
    client.leave()
    await serving
    assert b"one" in client.body
    assert not client.ended
    assert front.scene.record.cost_nanos > 0
    await hold_is_over(front)
    await ready()
    assert PROCESSING not in client.body


async def test_a_client_that_leaves_before_the_end_of_its_body_is_not_answered() -> None:
    front = Front(Scene(a=whole()))
    client = Client([], {"Authorization": f"Bearer {front.key}"})
    client.leave()
    await client.of(front.edge)
    assert client.sent == []
    assert front.scene.made == []


async def test_a_server_that_stops_is_no_client_who_leaves() -> None:
    front = Front(Scene(a=HANGS))
    serving = await begun(front, front.client())
    serving.cancel()
    client = await serving
    assert (client.status, client.headers["retry-after"]) == (503, "1")
    assert client.json()["error"]["metadata"]["error_type"] == "gateway_unavailable"
    assert (front.scene.record.status, front.scene.record.cancelled) == (503, False)


@pytest.mark.parametrize("acts", [(ROLE, "hang"), (says("one"), "hang")], ids=["before", "after"])
async def test_a_server_that_stops_ends_its_streams_with_one_error(acts: tuple[Act, ...]) -> None:
    front = Front(Scene(a=plays(*acts)))
    serving = await begun(front, front.client(stream=True))
    await hold_is_over(front)
    await ready()
    serving.cancel()
    client = await serving
    assert client.body.count(b'"error":') == 1
    assert b'"code":503' in client.body
    assert client.ended
    assert not client.body.endswith(DONE)
    assert front.scene.record.status == 503
    assert (front.scene.record.cost_nanos > 0) is (says("one") in acts)
    assert not front.scene.health.seen.get("a|acme/turbo", Seen()).outage


async def test_a_client_that_does_not_read_is_let_go_and_so_is_its_host() -> None:
    front = Front(Scene(a=plays(says("one"), says("two"), "hang")))
    client = front.client(stream=True)
    client.reads.clear()
    serving = await begun(front, client)
    front.scene.clock.now += 31
    await front.pulse.beat()
    await serving
    assert (front.scene.record.status, front.scene.record.cancelled) == (499, True)
    assert [response.closed for response in front.scene.hosts.responses] == [1]
    assert client.sent == []


async def test_a_client_that_says_more_is_still_there() -> None:
    go = asyncio.Event()
    front = Front(Scene(a=Script(head=(go,), acts=whole().acts)))
    client = front.client()
    serving = await begun(front, client)
    client.say(b"pipelined")
    await ready()
    go.set()
    await serving
    assert client.status == 200


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_no_task_outlives_its_request(*, stream: bool) -> None:
    await Front(Scene(a=streamed() if stream else whole())).chat(stream=stream)
    await ready()
    assert asyncio.all_tasks() == {asyncio.current_task()}
