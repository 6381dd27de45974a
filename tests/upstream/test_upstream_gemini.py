"""Gemini and Vertex AI behind the attempt loop: where calls go, with what, and how they end."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Provider
from dragoman.core.clock import Clock
from dragoman.core.errors import RefusedUpstream
from dragoman.providers.registry import DIALECTS
from dragoman.routing.types import Plan, Step
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failover import Journey, Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.several import CONCURRENT
from dragoman.upstream.signing.google import GoogleSigner
from dragoman.upstream.signing.kept import FRESH_S
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.hub import Text
from tests.access.fakes import HandClock
from tests.providers import gemini_calls as gemini
from tests.upstream.google_cloud import credential as google
from tests.upstream.google_cloud import service_account
from tests.upstream.hosts import Hosts, Script, plays
from tests.upstream.scenery import Calm, chat, credential, provider, step

TOKEN = plays(b'{"access_token":"ya29.t","expires_in":3599}')
STUDIO = provider("studio", dialect="gemini", auth="x-goog-api-key")
VERTEX = provider(
    "vertex",
    dialect="vertex",
    auth="gcp",
    base_url="http://vertex/v1/projects/p/locations/global",
    dialects={"*-maas": "vertex-openai", "claude-*": "vertex-anthropic"},
)
CHAT = b'{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'
MESSAGE = (
    b'{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],'
    b'"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)
ROWS = {"studio": STUDIO, "vertex": VERTEX}


def at(row: Provider, upstream: str) -> Step:
    made = step(row.slug)
    endpoint = msgspec.structs.replace(
        made.endpoint, upstream=upstream, dialect=row.spoken_with(upstream)
    )
    return msgspec.structs.replace(made, endpoint=endpoint)


class Stage:
    """The two hosts and the token server."""

    def __init__(self, **scripts: Script | Sequence[Script]) -> None:
        clock = HandClock()
        self.hosts = Hosts(clock, **{"oauth2.googleapis.com": TOKEN, **scripts})
        ticking = Clock(monotonic=clock)
        mine: list[Credential] = [credential("studio"), google(service_account())]
        mine[1] = msgspec.structs.replace(mine[1], provider="vertex")
        self.upstream = Upstream(
            transports={"http": self.hosts},
            dialects=DIALECTS,
            wallet=Wallet(mine),
            health=HealthBoard(),
            options=UpstreamOptions(),
            clock=ticking,
            rng=Calm(),
            signers={"gcp": GoogleSigner(self.hosts, ticking, {})},
        )
        self.now = clock

    def journey(self, *steps: Step, **call: Any) -> Journey:
        return Journey(
            call=chat(**call),
            plan=Plan(strategy="direct", steps=steps, refusals=()),
            requested=("acme/turbo",),
            deadline=self.now.now + 100,
        )

    async def hear(self, *steps: Step) -> list[Any]:
        """Return all that comes of a stream."""
        opened = await self.upstream.open(self.journey(*steps, stream=True), ROWS)
        found = list(opened.first)
        while (chunks := await opened.stream.next()) is not None:
            found += chunks
        assert opened.stream.done
        opened.stream.close()
        return found


def sse(*events: bytes) -> Script:
    return plays(*(b"data: %b\r\n\r\n" % event for event in events))


def heads(stage: Stage, host: str) -> list[tuple[str, dict[str, str]]]:
    return [(call.url, dict(call.headers)) for name, call in stage.hosts.calls if name == host]


async def test_a_stream_of_ai_studio_ends_where_its_connection_does() -> None:
    words = [gemini.event({"text": text}) for text in ("a", "b")]
    stage = Stage(studio=sse(*words, gemini.event({"text": "c"}, finish="STOP")))
    found = await stage.hear(at(STUDIO, "gemini-2.5-flash"))
    assert isinstance(found[1], Text)
    assert [len(getattr(chunk, "pieces", "1")) for chunk in found] == [1, 1, 1]
    assert found[2].pieces[0].finish_reason == "stop"
    ((url, headers),) = heads(stage, "studio")
    assert url == "http://studio/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert headers["x-goog-api-key"] == "secret-of-studio-1"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("upstream", "path", "answer"),
    [
        (
            "gemini-2.5-pro",
            "/publishers/google/models/gemini-2.5-pro:generateContent",
            gemini.event({"text": "Hi"}, finish="STOP"),
        ),
        (
            "zai-org/glm-5-maas",
            "/endpoints/openapi/chat/completions",
            CHAT,
        ),
        (
            "claude-sonnet-5@default",
            "/publishers/anthropic/models/claude-sonnet-5@default:rawPredict",
            MESSAGE,
        ),
    ],
)
async def test_vertex_is_spoken_to_as_the_model_wants_with_one_token(
    upstream: str, path: str, answer: bytes
) -> None:
    stage = Stage(vertex=plays(answer))
    for _ in range(2):
        answered = await stage.upstream.fetch(stage.journey(at(VERTEX, upstream)), ROWS)
        message = answered.answer.choices[0].message
        assert json.loads(bytes(message["content"])) == "Hi"
    base = "http://vertex/v1/projects/p/locations/global"
    assert [url for url, _ in heads(stage, "vertex")] == [base + path] * 2
    assert {head["Authorization"] for _, head in heads(stage, "vertex")} == {"Bearer ya29.t"}
    assert stage.hosts.called.count("oauth2.googleapis.com") == 1


async def test_a_call_that_the_model_got_wrong_goes_to_the_next() -> None:
    stage = Stage(
        studio=sse(gemini.event(finish="MALFORMED_FUNCTION_CALL")),
        vertex=sse(gemini.event({"text": "Hi"}, finish="STOP")),
    )
    steps = at(STUDIO, "gemini-2.5-flash"), at(VERTEX, "gemini-2.5-flash")
    assert (await stage.hear(*steps))[0].pieces[0].finish_reason == "stop"
    assert [host for host in stage.hosts.called if host in ROWS] == ["studio", "vertex"]


async def test_a_prompt_that_is_blocked_is_the_callers() -> None:
    blocked = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}).encode()
    stage = Stage(studio=sse(blocked), vertex=sse(gemini.event({"text": "Hi"}, finish="STOP")))
    with pytest.raises(RefusedUpstream, match="SAFETY") as refused:
        await stage.hear(at(STUDIO, "gemini-2.5-flash"), at(VERTEX, "gemini-2.5-flash"))
    assert refused.value.code == 400


async def test_a_token_that_is_refused_leads_to_the_next_endpoint() -> None:
    denied = Script(status=400, acts=(b'{"error":"invalid_grant"}',))
    stage = Stage(
        **{"oauth2.googleapis.com": denied},
        studio=sse(gemini.event({"text": "Hi"}, finish="STOP")),
    )
    steps = at(VERTEX, "gemini-2.5-flash"), at(STUDIO, "gemini-2.5-flash")
    assert len(await stage.hear(*steps)) == 1
    assert "vertex" not in stage.hosts.called


def token(number: int) -> Script:
    return plays(b'{"access_token":"ya29.%d","expires_in":3599}' % number)


EXPIRED = Script(status=401, acts=(b'{"error":{"code":401,"status":"UNAUTHENTICATED"}}',))


async def test_a_token_that_vertex_refuses_is_replaced_within_the_attempt() -> None:
    words = plays(gemini.event({"text": "Hi"}, finish="STOP"))
    stage = Stage(
        **{"oauth2.googleapis.com": [token(1), token(2)]}, vertex=[words, EXPIRED, words, words]
    )
    there = at(VERTEX, "gemini-2.5-flash")
    await stage.upstream.fetch(stage.journey(there), ROWS)
    stage.now.now += FRESH_S
    for _ in range(2):
        journey = stage.journey(there)
        await stage.upstream.fetch(journey, ROWS)
        assert [one.status for one in journey.tries] == [200]
    sent = [headers["Authorization"] for _, headers in heads(stage, "vertex")]
    assert sent == [f"Bearer ya29.{number}" for number in (1, 1, 2, 2)]
    assert all(response.closed for response in stage.hosts.responses)


async def test_several_requests_with_a_dead_token_ask_for_one_together() -> None:
    vector = plays(b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":1}}')
    all_sent = asyncio.Event()
    expired = msgspec.structs.replace(EXPIRED, head=(all_sent,))
    stage = Stage(
        **{"oauth2.googleapis.com": [token(1), token(2)]},
        vertex=[vector, *[expired] * CONCURRENT, vector],
    )
    made = at(VERTEX, "gemini-embedding-2")
    there = msgspec.structs.replace(
        made, endpoint=msgspec.structs.replace(made.endpoint, dialect="vertex-embeddings")
    )
    for texts in (["a"], ["a"] * CONCURRENT):
        asked = json.dumps({"model": "acme/turbo", "input": texts}).encode()
        journey = msgspec.structs.replace(stage.journey(there), call=EMBEDDINGS.parse(asked, {}))
        if len(texts) > 1:
            asyncio.get_running_loop().call_later(0.01, all_sent.set)
        answered = await stage.upstream.fetch(journey, ROWS)
        assert answered.answer.usage is not None
        assert answered.answer.usage.prompt == len(texts)
        stage.now.now += FRESH_S
    assert stage.hosts.called.count("oauth2.googleapis.com") == 2
    assert stage.hosts.called.count("vertex") == 1 + 2 * CONCURRENT
