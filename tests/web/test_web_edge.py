"""The outermost layer: routes, preflight, and what leaves when something breaks."""

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.errors import Overloaded
from dragoman.web import edge
from dragoman.web.edge import Edge, canonical, not_found
from dragoman.web.inference import Scope
from dragoman.web.outlet import Message, Receive, Send
from tests.relay.scene import Scene
from tests.upstream.hosts import streamed, whole
from tests.web.asgi import Client
from tests.web.front import Front, control, running

PATH = "/v1/chat/completions"
TWICE = "It has {} twice: the client adds that itself, so its base URL ends before."


@pytest.mark.parametrize(
    ("path", "known_as"),
    [
        ("/api/v1/models", "/v1/models"),
        ("/v1/models", "/v1/models"),
        ("/v1/models/", "/v1/models"),
        ("/api/v1/models//", "/v1/models"),
        ("/api", "/api"),
        ("/api/", "/"),
        ("/", "/"),
        ("", "/"),
        ("/apiary/v1", "/apiary/v1"),
        ("/api/api/v1", "/api/v1"),
    ],
)
def test_a_path_has_one_name(path: str, known_as: str) -> None:
    assert canonical(path) == known_as


@given(st.text(alphabet="/apiv1x", max_size=20))
def test_a_name_is_a_path_without_a_slash_at_its_end(path: str) -> None:
    name = canonical("/" + path)
    assert name == "/" or not name.endswith("/")
    assert name.startswith("/")


@pytest.mark.parametrize("path", [PATH, f"/api{PATH}", f"{PATH}/", f"/api{PATH}/"])
async def test_a_chat_is_served_under_every_base(path: str) -> None:
    front = Front(Scene(a=whole()))
    client = front.client()
    client.scope["path"] = path
    assert (await client.of(front.edge)).status == 200


async def test_other_paths_belong_to_the_control_plane_which_knows_one_name_of_each() -> None:
    front = Front(Scene(a=whole()))
    client = Client(method="GET", path="/api/v1/models/")
    before = dict(client.scope)
    await client.of(front.edge)
    assert client.body == b"/v1/models"
    assert client.scope == before


@pytest.mark.parametrize("path", [PATH, "/v1/models", "/nowhere"])
async def test_browsers_may_ask_before_they_call(path: str) -> None:
    client = await Client(method="OPTIONS", path=path).of(Front(Scene(a=whole())).edge)
    assert (client.status, client.body, client.ended) == (204, b"", True)
    assert client.headers["access-control-allow-origin"] == "*"
    assert "POST" in client.headers["access-control-allow-methods"]
    allowed = client.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "http-referer", "x-title", "x-stainless-lang"} <= set(allowed)
    # What the official SDKs for JavaScript add in places: helpers that run tools, and accounts.
    assert {"x-stainless-helper", "openai-organization", "openai-project"} <= set(allowed)
    assert "idempotency-key" in allowed
    # Firefox asks for the first, which OpenAI's and Vercel's libraries set; no list has all others.
    assert {"user-agent", "*"} <= set(allowed)
    assert "access-control-allow-credentials" not in client.headers
    assert client.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize("path", ["/api/v1/keys", "/v1/keys/abc/", "/api/v1/accounts", "/v1/byok"])
async def test_pages_of_other_origins_do_not_manage(path: str) -> None:
    client = await Client(method="OPTIONS", path=path).of(Front(Scene(a=whole())).edge)
    assert (client.status, client.ended) == (204, True)
    assert not [name for name in client.headers if name.startswith("access-control-")]


def test_all_that_wants_a_management_key_is_management() -> None:
    from_source = Path(edge.__file__).parent.glob("*_routes.py")
    called = r'@router\.\w+\(\s*"/([a-z]+)[^\n]*(?:needs_management|MANAGED)'
    found = {name for each in from_source for name in re.findall(called, each.read_text())}
    assert {"keys", "accounts", "byok", "activity"} <= found
    assert found - {"v"} <= edge.MANAGEMENT, "but for /v1/credits/checkout, beside /v1/credits"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_a_wrong_method_is_told_the_right_one(method: str) -> None:
    client = await Client(method=method, path=PATH).of(Front(Scene(a=whole())).edge)
    assert (client.status, client.headers["allow"]) == (405, "POST, OPTIONS")
    error = client.json()["error"]
    assert (error["code"], error["metadata"]["error_type"]) == (405, "invalid_request")
    assert method in error["message"]


async def test_a_wrong_method_is_told_of_the_path_that_was_asked() -> None:
    client = await Client(method="GET", path=f"/api{PATH}").of(Front(Scene(a=whole())).edge)
    message = "GET is not allowed for /api/v1/chat/completions. Use POST, OPTIONS."
    assert client.json()["error"]["message"] == message


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/v1/models-of-mine", "/api/v1/models-of-mine."),
        ("/v1/mine/", "/v1/mine/."),
        ("/api/v1", "/api/v1. The API is under /api/v1."),
        ("/chat/completions", "/chat/completions. The API is under /api/v1."),
        ("/api/chat/completions", "/api/chat/completions. The API is under /api/v1."),
        ("/", "/. The API is under /api/v1."),
        ("/a//b", "/a//b. The API is under /api/v1."),
        ("/api/v1/v1/messages", f"/api/v1/v1/messages. {TWICE.format('/v1')}"),
        (
            "/v1/chat/completions/chat/completions",
            f"/v1/chat/completions/chat/completions. {TWICE.format('/chat/completions')}",
        ),
    ],
)
def test_nothing_at_a_path_is_told_of_it_as_it_was_asked(path: str, told: str) -> None:
    assert str(not_found({"raw_path": path.encode()})) == f"There is nothing at {told}"


@pytest.mark.parametrize(
    ("path", "what", "instead"),
    [
        ("/api/v1/presets/mine/chat/completions", "presets", "settings"),
        ("/v1/images", "routes for images", "/api/v1/chat/completions"),
        ("/api/v1/auth/keys/code", "sign-in", "/api/v1/keys"),
        ("/api/beta/batches", "batches", "one by one"),
    ],
)
def test_a_path_of_openrouter_that_leads_nowhere_here_is_told_of_what_does(
    path: str, what: str, instead: str
) -> None:
    told = str(not_found({"raw_path": path.encode()}))
    before = f"There is nothing at {path}. This version has none of OpenRouter's {what}"
    assert told.startswith(before)
    assert instead in told.removeprefix(before)


async def test_what_nobody_expected_is_masked_outside_and_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        client = await Client(method="GET", path="/broken").of(Front(Scene(a=whole())).edge)
    assert client.status == 500
    assert client.json() == {
        "error": {
            "code": 500,
            "message": "Internal Server Error",
            "metadata": {"error_type": "server"},
        }
    }
    assert "the secret of this house" in caplog.text


async def test_an_answer_that_has_begun_is_not_begun_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        client = await Client(method="GET", path="/broken-late").of(Front(Scene(a=whole())).edge)
    assert (client.status, client.ended) == (200, False)
    assert "request.failed" in caplog.text


async def test_a_stream_that_a_defect_breaks_off_still_ends_with_an_event(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> bytes:
        raise ZeroDivisionError("the secret of this house")

    monkeypatch.setattr("dragoman.wire.chat_dialect.ChunkWriter.usage", broken)
    with caplog.at_level(logging.ERROR):
        front = Front(Scene(a=streamed("one")))
        client = await front.chat(stream=True)
    assert (client.status, client.ended) == (200, True)
    last = json.loads(client.body.decode().split("\n\n")[-2].removeprefix("data: "))
    assert (last["error"]["code"], last["error"]["message"]) == (500, "Internal Server Error")
    assert b"secret" not in client.body
    assert "the secret of this house" in caplog.text


async def test_an_error_of_ours_is_rendered_wherever_it_comes_from() -> None:
    async def busy(_: Scope, __: Receive, ___: Send) -> None:
        raise Overloaded("Too much.", retry_after_s=3)

    client = await Client(path="/v1/x").of(Edge({"/v1/x": {"POST": busy}}, control, running))
    assert (client.status, client.headers["retry-after"]) == (503, "3")
    assert client.json()["error"]["metadata"]["error_type"] == "gateway_overloaded"


async def test_start_and_stop_go_where_they_belong() -> None:
    went: list[str] = []

    @asynccontextmanager
    async def going() -> AsyncIterator[None]:
        went.append("on")
        yield
        went.append("off")

    async def send(message: Message) -> None:
        went.append(message["type"])

    moments = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(moments)

    await Edge({}, control, going)({"type": "lifespan"}, receive, send)
    assert went == ["on", "lifespan.startup.complete", "off", "lifespan.shutdown.complete"]


async def test_web_sockets_are_declined() -> None:
    client = Client()
    client.scope["type"] = "websocket"
    await client.of(Front(Scene(a=whole())).edge)
    assert client.sent == [{"type": "websocket.close", "code": 1003}]
