"""The Messages routes: the envelope of all that fails there, probes, sessions, tokens."""

import asyncio
import json
from typing import Any

import pytest

from dragoman.core.errors import Internal
from dragoman.web.edge import Edge
from dragoman.web.voices import IN_CHAT, IN_MESSAGES, voice_of
from tests.relay.scene import Scene, endpoint
from tests.upstream.hosts import CUT, plays, refuses, says, streamed, whole
from tests.web.asgi import Client
from tests.web.front import Front, control, running
from tests.wire.messages_told import HI, message_of

PATHS = ("/v1/messages", "/api/v1/messages", "/v1/messages/", "/api/v1/messages/count_tokens")


def asks(
    front: Front,
    headers: dict[str, str] | None = None,
    path: str = "/api/v1/messages",
    **body: Any,
) -> Client:
    """Return a client with a good key that asks in Messages."""
    whole = {"model": "acme/turbo", "max_tokens": 9, "messages": HI} | body
    return Client(whole, {"x-api-key": front.key, **(headers or {})}, path=path)


async def served(front: Front, headers: dict[str, str] | None = None, **body: Any) -> Client:
    return await asks(front, headers, **body).of(front.edge)


async def test_a_whole_answer_is_a_message() -> None:
    front = Front(Scene(a=whole()))
    client = await served(front)
    body = client.json()
    assert client.status == 200
    assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "acme/turbo")
    assert body["content"][0]["type"] == "text"
    assert body["stop_reason"] == "end_turn"
    assert body["id"] == client.headers["request-id"] == front.scene.record.id
    assert body["usage"]["cost"] > 0


async def test_a_stream_is_one_of_messages() -> None:
    front = Front(Scene(a=streamed("one", "two")))
    client = await served(front, stream=True)
    message = message_of(client.body)
    assert client.headers["content-type"] == "text/event-stream"
    assert message["content"] == [{"type": "text", "text": "onetwo"}]
    assert message["id"] == front.scene.record.id
    assert client.ended


async def test_the_upstream_is_asked_in_its_own_dialect() -> None:
    front = Front(Scene(a=whole()))
    await served(front, system="Be brief.", stop_sequences=["END"])
    (body,) = front.scene.hosts.bodies()
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["stop"] == ["END"]


async def test_what_the_upstream_cannot_be_told_is_noted() -> None:
    front = Front(Scene(a=whole()))
    client = await served(front, {"X-OpenRouter-Metadata": "enabled"}, context_management={"e": 1})
    assert "context_management" in json.dumps(client.json()["openrouter_metadata"])


async def test_fallbacks_are_tried() -> None:
    front = Front(Scene(a=refuses(500), b=whole()))
    client = await served(front, provider={"order": ["a", "b"]})
    assert client.status == 200


async def test_both_ways_to_give_a_key_are_good() -> None:
    front = Front(Scene(a=whole()))
    body = {"model": "acme/turbo", "messages": HI}
    bearer = {"Authorization": f"Bearer {front.key}"}
    client = Client(body, bearer, path="/v1/messages")
    assert (await client.of(front.edge)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_bad_key_is_refused_in_the_envelope(path: str) -> None:
    front = Front(Scene(a=whole()))
    client = await Client(b"{}", {"x-api-key": "no"}, path=path).of(front.edge)
    assert client.status == 401
    body = client.json()
    assert (body["type"], body["error"]["type"]) == ("error", "authentication_error")
    assert body["request_id"] is None


@pytest.mark.parametrize("path", PATHS)
async def test_a_bad_request_is_refused_by_its_path(path: str) -> None:
    front = Front(Scene(a=whole()))
    client = await asks(front, path=path, messages=[{"role": "user", "content": [{}]}]).of(
        front.edge
    )
    assert client.status == 400
    assert client.json()["error"] == {
        "type": "invalid_request_error",
        "message": "messages.0.content.0.type: is required",
        "error_type": "invalid_prompt",
    }


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_failure_before_content_is_in_the_envelope(*, stream: bool) -> None:
    front = Front(Scene(a=refuses(429, retry_after="7")))
    client = await served(front, stream=stream)
    assert (client.status, client.headers["retry-after"]) == (429, "7")
    body = client.json()
    assert body["error"]["type"] == "rate_limit_error"
    assert body["request_id"] == front.scene.record.id


async def test_a_stream_that_breaks_ends_in_an_error_event() -> None:
    front = Front(Scene(a=plays(says("one"), CUT)))
    client = await served(front, stream=True)
    assert client.status == 200
    last = client.body.decode().rstrip("\n").split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["error"]["type"] == "api_error"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_defect_is_in_the_envelope(
    caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    front = Front(Scene(endpoint("b"), a=whole()))
    client = await served(front, stream=stream)
    assert client.status == 500
    assert client.json()["error"] == {
        "type": "api_error", "message": "Internal Server Error", "error_type": "server",
    }  # fmt: skip
    assert "KeyError" in caplog.text


async def test_a_defect_in_the_middle_of_a_stream_ends_it_with_an_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks(_: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise ZeroDivisionError

    edge = Edge({"/v1/messages": {"POST": breaks}}, control, running)
    client = await Client(path="/api/v1/messages").of(edge)
    assert client.body == IN_MESSAGES.late(Internal("x"))
    assert client.body.startswith(b"event: error\n")
    assert "ZeroDivisionError" in caplog.text


def test_other_paths_speak_as_openrouter_does() -> None:
    assert voice_of("/v1/chat/completions") is IN_CHAT
    assert IN_CHAT.late(Internal("x")).startswith(b'data: {"error"')


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/v1", "/api/v1", *PATHS])
async def test_a_probe_needs_no_key(path: str) -> None:
    front = Front(Scene(a=whole()))
    client = await Client(method="HEAD", path=path).of(front.edge)
    assert (client.status, client.body, client.headers["content-length"]) == (200, b"", "0")


async def test_other_probes_go_to_the_control_plane() -> None:
    client = await Client(method="HEAD", path="/v1/models").of(Front(Scene(a=whole())).edge)
    assert client.body == b"/v1/models"


@pytest.mark.parametrize(
    ("headers", "body", "session"),
    [
        ({"X-Claude-Code-Session-Id": "cc"}, {}, "cc"),
        ({"session-id": "codex"}, {}, "codex"),
        ({"thread-id": "thread"}, {}, "thread"),
        ({"session-id": "codex", "thread-id": "thread"}, {}, "codex"),
        ({"X-Session-Affinity": "opencode"}, {}, "opencode"),
        ({"X-OpenWebUI-Chat-Id": "webui"}, {}, "webui"),
        ({"X-Session-Id": "or", "X-Claude-Code-Session-Id": "cc"}, {}, "or"),
        ({"X-Claude-Code-Session-Id": "cc"}, {"session_id": "body"}, "body"),
    ],
)
async def test_every_agents_session_is_known(
    headers: dict[str, str], body: dict[str, str], session: str
) -> None:
    front = Front(Scene(a=whole()))
    await served(front, headers, **body)
    assert front.scene.record.session_id == session


async def test_the_user_is_known() -> None:
    front = Front(Scene(a=whole()))
    await served(front, metadata={"user_id": "u-1"})
    assert front.scene.record.user == "u-1"


async def test_tokens_are_estimated_and_said_to_be() -> None:
    front = Front(Scene(a=whole()))
    client = await asks(front, path="/v1/messages/count_tokens").of(front.edge)
    assert client.status == 200
    assert client.json() == {"input_tokens": 1}
    assert client.headers["x-dragoman-token-count"] == "estimate"
    assert front.scene.hosts.called == []
    await asyncio.sleep(0)
    assert front.scene.made == []
