"""Chat completions on the wire: shapes, headers, notes, records."""

import json
import re
import socket
import time
from typing import Any

import pytest

from tests.e2e.conftest import model_id
from tests.e2e.gateway import Gateway
from tests.e2e.scripted import ScriptedUpstream

GOOD = model_id("good")


def test_a_whole_answer_has_openrouters_shape(gateway: Gateway) -> None:
    reply = gateway.chat(model=GOOD, provider={"only": ["bad"]})
    body = reply.json()
    assert re.fullmatch(r"gen-\d+-[0-9A-Za-z]{20}", body["id"])
    assert list(body) == [
        "id", "object", "created", "model", "provider", "system_fingerprint", "service_tier",
        "choices", "usage",
    ]  # fmt: skip
    assert (body["object"], body["model"], body["provider"]) == ("chat.completion", GOOD, "bad")
    assert body["choices"] == [
        {
            "index": 0,
            "logprobs": None,
            "finish_reason": "stop",
            "native_finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "one two three four five",
                "refusal": None,
                "reasoning": None,
            },
        }
    ]
    assert body["usage"]["prompt_tokens"] == 10
    assert body["usage"]["cost"] == pytest.approx(10 * 0.0000025 + 5 * 0.00001)
    assert body["usage"]["cost_details"]["upstream_inference_cost"] == body["usage"]["cost"]
    assert set(body["usage"]) >= {"prompt_tokens_details", "completion_tokens_details", "is_byok"}
    assert reply.headers["x-generation-id"] == body["id"]
    assert float(reply.headers["x-openrouter-cost"]) == body["usage"]["cost"]
    assert reply.headers["access-control-allow-origin"] == "*"


def test_a_stream_has_openrouters_shape(gateway: Gateway) -> None:
    reply = gateway.chat(model=GOOD, stream=True)
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.events()[-1] == "[DONE]"
    chunks = reply.chunks()
    assert {chunk["id"] for chunk in chunks} == {reply.headers["x-generation-id"]}
    for chunk in chunks:
        (choice,) = chunk["choices"]
        assert choice["delta"]["role"] == "assistant"
        assert isinstance(choice["delta"]["content"], str)
        assert "native_finish_reason" in choice
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 5 + ["stop"] * 2
    assert "usage" in chunks[-1]
    assert not any("usage" in chunk for chunk in chunks[:-1])


@pytest.mark.parametrize("path", ["/api/v1", "/v1", "/api/v1/"])
def test_every_base_path_that_clients_use_serves_chat(gateway: Gateway, path: str) -> None:
    body = {"model": GOOD, "messages": [{"role": "user", "content": "hi"}]}
    reply = gateway.post(f"{path.rstrip('/')}/chat/completions/", body)
    assert reply.status == 200


def test_what_goes_upstream_is_what_was_sent_less_what_is_ours(
    gateway: Gateway, bad: ScriptedUpstream
) -> None:
    gateway.chat(
        {"HTTP-Referer": "https://app.example", "X-Title": "App"},
        model=model_id("echo"),
        provider={"only": ["bad"]},
        temperature=0.5,
        safe_prompt=True,
        session_id="s-1",
        models=[GOOD],
    )
    (body,) = bad.bodies
    assert body["model"] == "echo"
    assert body["temperature"] == 0.5
    assert body["safe_prompt"] is True
    assert not {"provider", "models", "session_id", "max_tokens", "stream"} & set(body)
    (headers,) = bad.headers
    assert headers["authorization"] == "Bearer bad-secret-key"
    assert "http-referer" not in headers
    assert "x-title" not in headers


def test_routing_is_shown_on_request_only(gateway: Gateway) -> None:
    plain = gateway.chat(model=GOOD).json()
    assert "openrouter_metadata" not in plain
    shown = gateway.chat({"X-OpenRouter-Metadata": "Enabled"}, model=GOOD).json()
    metadata = shown["openrouter_metadata"]
    assert metadata["requested"] == GOOD
    assert metadata["strategy"] == "direct"
    assert metadata["attempt"] == 1
    assert metadata["endpoints"]["total"] == 2
    assert sum(row["selected"] for row in metadata["endpoints"]["available"]) == 1


def test_a_field_without_effect_is_said_to_have_none(gateway: Gateway) -> None:
    reply = gateway.chat(
        {"X-OpenRouter-Metadata": "enabled"}, model=GOOD, transforms=["middle-out"], preset="mine"
    )
    notes = reply.json()["openrouter_metadata"]["notes"]
    not_applied = {note["field"] for note in notes if note["change"] == "not_applied"}
    assert {"transforms", "preset"} <= not_applied
    made = gateway.get(f"/api/v1/generation?id={reply.json()['id']}").json()["data"]
    assert {"transforms", "preset"} <= {note["field"] for note in made["notes"]}


def test_the_generation_is_there_as_soon_as_its_answer(gateway: Gateway) -> None:
    headers = {"HTTP-Referer": "https://app.example", "X-Title": "App"}
    body = gateway.chat(headers, model=GOOD, session_id="s-2", user="u-1").json()
    made = gateway.get(f"/api/v1/generation?id={body['id']}").json()["data"]
    assert made["model"] == GOOD
    assert made["total_cost"] == body["usage"]["cost"]
    assert (made["native_tokens_prompt"], made["native_tokens_completion"]) == (10, 5)
    assert (made["session_id"], made["external_user"]) == ("s-2", "u-1")
    assert made["http_referer"] == "https://app.example"
    assert made["streamed"] is False


def test_an_alias_leads_to_its_model(gateway: Gateway) -> None:
    reply = gateway.chat({"X-OpenRouter-Metadata": "enabled"}, model="fast").json()
    assert reply["model"] == GOOD
    assert reply["openrouter_metadata"]["strategy"] == "alias"


def test_models_are_discovered_at_a_host_that_lists_them(gateway: Gateway) -> None:
    ids = {row["id"] for row in gateway.get("/api/v1/models").json()["data"]}
    assert "found/found-model" in ids


def test_debug_echoes_what_was_sent_upstream(gateway: Gateway) -> None:
    reply = gateway.chat(model=GOOD, stream=True, debug={"echo_upstream_body": True})
    first = reply.chunks()[0]
    assert first["choices"] == []
    assert first["debug"]["echo_upstream_body"]["model"] == "good"
    assert "secret" not in reply.body.decode()


def test_a_slow_start_is_bridged_by_comments(gateway: Gateway) -> None:
    reply = gateway.chat(model=model_id("drip"), provider={"only": ["bad"]}, stream=True)
    assert reply.status == 200
    assert b": OPENROUTER PROCESSING\n\n" in reply.body
    assert reply.chunks()[-1]["error"]["code"] == 504


def open_chat(gateway: Gateway, **body: Any) -> socket.socket:
    """Send a request and return the connection without reading the answer."""
    body.setdefault("messages", [{"role": "user", "content": "hi"}])
    raw = json.dumps(body).encode()
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (gateway.key.encode(), len(raw), raw)
    )
    return connection


def eventually(what: Any, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("script", "stream"), [("paced-0.05", True), ("hang_head", True), ("hang_head", False)]
)
def test_a_client_that_leaves_is_noticed(
    gateway: Gateway, bad: ScriptedUpstream, script: str, *, stream: bool
) -> None:
    connection = open_chat(
        gateway, model=model_id(script), provider={"only": ["bad"]}, stream=stream
    )
    assert eventually(lambda: bad.calls == [script])
    if script.startswith("paced"):
        assert connection.recv(100)
    connection.close()
    assert eventually(lambda: script in bad.left)


def test_a_whole_answer_is_charged_though_its_client_left(
    gateway: Gateway, bad: ScriptedUpstream
) -> None:
    connection = open_chat(
        gateway, model=model_id("slow-0.3"), provider={"only": ["bad"]}, user="left-early"
    )
    assert eventually(lambda: bad.calls == ["slow-0.3"])
    connection.close()

    def charged() -> bool:
        rows = gateway.run("logs", "--json")
        return any(row["external_user"] == "left-early" and row["total_cost"] > 0 for row in rows)

    assert eventually(charged)
    assert bad.left == []


def test_a_client_that_leaves_is_charged_for_what_was_produced(gateway: Gateway) -> None:
    connection = open_chat(
        gateway, model=model_id("paced-0.05"), provider={"only": ["bad"]}, stream=True
    )
    received = b""
    while received.count(b"tick") < 3:
        received += connection.recv(4096)
    connection.close()
    found = re.search(rb"X-Generation-Id: (\S+)", received, re.IGNORECASE)
    assert found
    id_ = found[1].decode()

    def made() -> Any:
        reply = gateway.get(f"/api/v1/generation?id={id_}")
        return reply.json()["data"] if reply.status == 200 else None

    assert eventually(made)
    record = made()
    assert record["cancelled"] is True
    assert record["total_cost"] > 0
