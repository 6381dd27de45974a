"""Both clients against a host that answers by a script: what is sent, tried again, and told."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dragoman.client import (
    AsyncClient,
    BrokenAnswer,
    Client,
    ClientError,
    ConnectionFailed,
    InvalidRequest,
    RateLimited,
    ServerFailed,
)
from dragoman.client.blocking import BlockingTransport
from dragoman.net.types import Limits, NetError, Request
from tests.client.both import HELLO, AsyncTwin, SyncTwin
from tests.client.host import Host, Reply, host, json_reply, refused, said, streamed

ANSWER = json_reply({"id": "gen-1", "choices": [{"message": {"content": "Hello!"}}]})
NOTHING_LISTENS = "http://127.0.0.1:9/api/v1"
Twin = SyncTwin | AsyncTwin


@pytest.fixture(params=[SyncTwin, AsyncTwin], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> type[Twin]:
    made: type[Twin] = request.param
    return made


@contextmanager
def meeting(kind: type[Twin], *replies: Reply, **options: Any) -> Iterator[tuple[Twin, Host]]:
    with host(*replies) as there:
        client = kind(there.url, **options)
        try:
            yield client, there
        finally:
            client.close()


def test_a_request_is_sent_as_it_was_wished(kind: type[Twin]) -> None:
    with meeting(kind, ANSWER, headers={"X-Title": "mine"}) as (client, there):
        answer = client.chat(routing_preference="cost", fallback_models=["c/d"], seed=7)
    assert answer.text == "Hello!"
    (asked,) = there.asked
    assert (asked.method, asked.path) == ("POST", "/api/v1/chat/completions")
    assert asked.headers["authorization"] == "Bearer sk-test"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-title"] == "mine"
    assert asked.json == {
        "model": "a/b",
        "messages": HELLO,
        "stream": False,
        "seed": 7,
        "provider": {"sort": "price"},
        "models": ["c/d"],
    }


def test_a_stream_gives_its_chunks_in_order(kind: type[Twin]) -> None:
    with meeting(kind, streamed(said("Hel"), said("lo!"), "[DONE]")) as (client, there):
        assert "".join(chunk.text for chunk in client.stream()) == "Hello!"
    assert there.asked[0].json["stream"] is True


def test_a_stream_can_be_left_early_and_the_client_goes_on(kind: type[Twin]) -> None:
    with meeting(kind, streamed(said("a"), said("b"), "[DONE]"), ANSWER) as (client, _):
        assert client.first().text == "a"
        assert client.chat().text == "Hello!"


def test_a_stream_that_ends_in_an_error_raises_it(kind: type[Twin]) -> None:
    trouble = {"error": {"code": 502, "message": "It fell."}}
    with (
        meeting(kind, streamed(said("Half an"), trouble)) as (client, _),
        pytest.raises(ServerFailed, match="It fell"),
    ):
        client.stream()


@pytest.mark.parametrize("then", ["close", "cut"])
def test_a_stream_that_breaks_off_is_told(kind: type[Twin], then: Any) -> None:
    reply = Reply(body=streamed(said("Half an")).body, then=then)
    with meeting(kind, reply) as (client, there), pytest.raises(ClientError):
        client.stream()
    assert len(there.asked) == 1


def test_an_answer_that_is_cut_is_not_asked_for_twice(kind: type[Twin]) -> None:
    reply = Reply(body=ANSWER.body, then="cut")
    with meeting(kind, reply) as (client, there), pytest.raises(ConnectionFailed):
        client.chat()
    assert len(there.asked) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_an_answer_that_cannot_be_read_is_told(kind: type[Twin], body: bytes) -> None:
    with meeting(kind, Reply(body=body)) as (client, _), pytest.raises(BrokenAnswer):
        client.chat()


def test_what_passes_is_tried_twice_more(kind: type[Twin]) -> None:
    busy = refused(429, "rate_limit_exceeded", Retry_After="0")
    with meeting(kind, busy, refused(503, Retry_After="0"), ANSWER) as (client, there):
        assert client.chat().text == "Hello!"
    assert len(there.asked) == 3
    with meeting(kind, busy, busy, busy) as (client, there), pytest.raises(RateLimited) as caught:
        client.chat()
    assert caught.value.retry_after_s == 0
    assert caught.value.error_type == "rate_limit_exceeded"


def test_a_refused_stream_is_tried_again_too(kind: type[Twin]) -> None:
    replies = refused(503, Retry_After="0"), streamed(said("Hi"), "[DONE]")
    with meeting(kind, *replies) as (client, _):
        assert [chunk.text for chunk in client.stream()] == ["Hi"]


@pytest.mark.parametrize(
    ("reply", "options", "kind_of_error"),
    [
        (refused(400, "invalid_request"), {}, InvalidRequest),
        (refused(503, x_should_retry="false"), {}, ServerFailed),
        (refused(429, Retry_After="3600"), {}, RateLimited),
        (refused(503, Retry_After="0"), {"retries": 0}, ServerFailed),
    ],
)
def test_what_does_not_pass_is_told_at_once(
    kind: type[Twin], reply: Reply, options: dict[str, Any], kind_of_error: type[ClientError]
) -> None:
    with meeting(kind, reply, **options) as (client, there), pytest.raises(kind_of_error):
        client.chat()
    assert len(there.asked) == 1


def test_a_connection_is_kept_for_the_next_call(kind: type[Twin]) -> None:
    with meeting(kind, ANSWER, ANSWER, refused(404, "not_found"), ANSWER) as (client, there):
        client.chat()
        client.chat()
        with pytest.raises(ClientError):
            client.chat()
        client.chat()
    assert len({asked.port for asked in there.asked}) == 1


def test_a_kept_connection_that_has_died_is_replaced_unnoticed(kind: type[Twin]) -> None:
    with host(ANSWER) as there:
        client = kind(there.url, retries=1)
        client.chat()
    port = int(there.url.split(":")[2].partition("/")[0])
    with host(ANSWER, port=port):
        assert client.chat().text == "Hello!"
        client.close()


@pytest.mark.parametrize(("stale_s", "times"), [(60.0, 2), (0.0, 1)])
def test_a_kept_connection_that_dies_at_work_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, stale_s: float, times: int
) -> None:
    monkeypatch.setattr("dragoman.client.blocking.STALE_S", stale_s)
    gone = Reply(then="gone")
    with meeting(SyncTwin, ANSWER, gone, gone, retries=1) as (client, there):
        client.chat()
        with pytest.raises(ConnectionFailed):
            client.chat()
    assert len(there.asked) == 1 + times


def test_silence_is_waited_for_so_long_and_no_longer(kind: type[Twin]) -> None:
    with (
        meeting(kind, Reply(then="silence"), timeout_s=0.1) as (client, there),
        pytest.raises(ConnectionFailed) as caught,
    ):
        client.chat()
    assert caught.value.timed_out
    assert len(there.asked) == 1


def test_a_stream_that_stalls_is_waited_for_so_long_and_no_longer(kind: type[Twin]) -> None:
    reply = Reply(body=streamed(said("Half an")).body, then="stall")
    with (
        meeting(kind, reply, timeout_s=0.1) as (client, _),
        pytest.raises(ConnectionFailed) as caught,
    ):
        client.stream()
    assert caught.value.timed_out


def test_where_one_kept_connection_has_died_the_others_are_not_tried() -> None:
    with host(ANSWER, ANSWER) as there:
        transport = BlockingTransport(Limits())
        request = Request(method="GET", url=there.url)
        for answer in [transport.send(request) for _ in range(2)]:
            assert answer.read() == ANSWER.body
            answer.close()
        assert len({asked.port for asked in there.asked}) == 2
    port = int(there.url.split(":")[2].partition("/")[0])
    with host(ANSWER, port=port), closing(transport):
        with pytest.raises(NetError) as caught:
            transport.send(request)
        assert caught.value.reused
        with closing(transport.send(request)) as answer:
            assert answer.read() == ANSWER.body


def test_https_is_spoken_with_whom_the_system_trusts(
    kind: type[Twin], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with host(ANSWER, certificate=certificate) as there:
        stranger = kind(there.url, retries=0)
        with pytest.raises(ConnectionFailed, match="certificate"):
            stranger.chat()
        stranger.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = kind(there.url)
        assert client.chat().text == "Hello!"
        client.close()


def test_nobody_there_is_told_with_the_address(kind: type[Twin]) -> None:
    client = kind(NOTHING_LISTENS, retries=0)
    with pytest.raises(ConnectionFailed, match=NOTHING_LISTENS) as caught:
        client.chat()
    assert caught.value.unsent
    assert not caught.value.timed_out
    client.close()


def test_a_name_that_does_not_resolve_is_told(kind: type[Twin]) -> None:
    client = kind("http://nowhere.invalid/api/v1", retries=0)
    with pytest.raises(ConnectionFailed):
        client.key()
    client.close()


def test_plain_http_at_a_tls_port_and_the_reverse_are_told(kind: type[Twin]) -> None:
    with host(ANSWER) as there:
        client = kind(there.url.replace("http:", "https:"), retries=0)
        with pytest.raises(ConnectionFailed):
            client.key()
        client.close()


def test_a_closed_client_calls_nobody() -> None:
    with Client(NOTHING_LISTENS) as client:
        pass
    with pytest.raises(ConnectionFailed, match="closed"):
        client.key()


async def test_a_closed_asynchronous_client_calls_nobody() -> None:
    async with AsyncClient(NOTHING_LISTENS) as client:
        pass
    with pytest.raises(ConnectionFailed, match="closed"):
        await client.key()


def test_lists_and_records_are_unwrapped(kind: type[Twin]) -> None:
    replies = (
        json_reply({"data": [{"id": "a/b", "pricing": {"prompt": "0.1"}}], "total_count": 1}),
        json_reply({"data": {"id": "a/b"}}),
        json_reply({"data": {"id": "a/b", "endpoints": [{"tag": "x"}]}}),
        json_reply({"data": {"label": "sk-…"}}),
        json_reply({"data": {"id": "gen-1"}}),
    )
    with meeting(kind, *replies) as (client, there):
        assert client.models(sort_by="cost", capability="tools")[0].pricing.prompt == "0.1"
        assert client.model("a/b").id == "a/b"
        assert client.endpoints("a/b")[0].tag == "x"
        assert client.key().label == "sk-…"
        assert client.generation("gen-1").id == "gen-1"
    assert [asked.path.removeprefix("/api/v1") for asked in there.asked] == [
        "/models?supported_parameters=tools&sort=pricing-low-to-high",
        "/model/a/b",
        "/models/a/b/endpoints",
        "/key",
        "/generation?id=gen-1",
    ]
