"""Bedrock, Azure and Cohere behind the attempt loop: where calls go, with what, how they end."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.errors import (
    CapacityExhausted,
    GatewayError,
    ProviderUnavailable,
    RefusedUpstream,
)
from dragoman.core.secret import Secret
from dragoman.providers.registry import DIALECTS
from dragoman.routing.types import Plan, Step
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failover import Journey, Upstream
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.signing.aws import AwsSigner
from dragoman.upstream.signing.entra import EntraSigner
from dragoman.upstream.signing.kept import FRESH_S
from dragoman.wire.embeddings import EMBEDDINGS
from dragoman.wire.hub import Chunk, Text
from tests.access.fakes import HandClock
from tests.providers.bedrock_calls import broken, frame
from tests.upstream.hosts import Hosts, Script, plays
from tests.upstream.scenery import Calm, chat, provider, step

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BEDROCK = provider(
    "bedrock", dialect="bedrock", auth="sigv4", base_url="http://bedrock-runtime.us-east-1.aws"
)
AZURE = provider("azure", dialect="azure", auth="entra", base_url="http://azure/openai")
COHERE = provider("cohere", dialect="cohere", base_url="http://cohere/v2")
ROWS = {row.slug: row for row in (BEDROCK, AZURE, COHERE)}
TEXT = [
    frame("messageStart", {"role": "assistant"}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
    frame("contentBlockStop", {"contentBlockIndex": 0}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
]
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5},
}
CHAT = b'{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "hidden",
    "AZURE_TENANT_ID": "t",
    "AZURE_CLIENT_ID": "c",
    "AZURE_CLIENT_SECRET": "s",
}


def at(slug: str) -> Step:
    made = step(slug)
    upstream = MODEL if slug == "bedrock" else "turbo"
    return msgspec.structs.replace(
        made, endpoint=msgspec.structs.replace(made.endpoint, upstream=upstream)
    )


class Stage:
    """The three hosts and the token server."""

    def __init__(self, **scripts: Script | Sequence[Script]) -> None:
        self.now = HandClock()
        named = {
            "bedrock-runtime.us-east-1.aws" if k == "bedrock" else k: v for k, v in scripts.items()
        }
        token = plays(b'{"access_token":"eyJ0.t","expires_in":3599}')
        self.hosts = Hosts(self.now, **{"login.microsoftonline.com": token, **named})
        clock = Clock(monotonic=self.now)
        self.upstream = Upstream(
            transports={"http": self.hosts},
            dialects=DIALECTS,
            wallet=Wallet(
                Credential(
                    id=f"{slug}:1",
                    provider=slug,
                    secret=Secret("co-key" if slug == "cohere" else ""),
                    source="a test",
                )
                for slug in ROWS
            ),
            health=HealthBoard(),
            options=UpstreamOptions(),
            clock=clock,
            rng=Calm(),
            signers={
                "sigv4": AwsSigner(clock, ENVIRON),
                "entra": EntraSigner(self.hosts, clock, ENVIRON),
            },
        )

    def journey(self, *slugs: str, **call: Any) -> Journey:
        return Journey(
            call=chat(**call),
            plan=Plan(strategy="direct", steps=tuple(map(at, slugs)), refusals=()),
            requested=("acme/turbo",),
            deadline=self.now.now + 100,
        )

    async def hear(self, *slugs: str) -> list[Chunk | Text]:
        """Return all that comes of a stream."""
        opened = await self.upstream.open(self.journey(*slugs, stream=True), ROWS)
        found = list(opened.first)
        while (more := await opened.stream.next()) is not None:
            found += more
        assert opened.stream.said_done
        opened.stream.close()
        return found

    def headers(self, place: int = -1) -> dict[str, str]:
        return dict(self.hosts.calls[place][1].headers)


async def test_a_stream_of_bedrocks_whatever_its_cuts() -> None:
    stream = b"".join(TEXT)
    parts = [stream[n : n + 7] for n in range(0, len(stream), 7)]
    stage = Stage(bedrock=plays(*parts))
    found = await stage.hear("bedrock")
    assert found[1] == Text(0, b'"lo"')
    last = found[-1]
    assert isinstance(last, Chunk)
    assert last.usage is not None
    assert (last.usage.prompt, last.usage.completion, last.ended) == (3, 2, True)
    ((_, request),) = stage.hosts.calls
    assert request.url.endswith(
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream"
    )
    assert "/us-east-1/bedrock/aws4_request" in stage.headers()["Authorization"]


async def test_a_whole_answer_of_bedrocks() -> None:
    stage = Stage(bedrock=plays(json.dumps(WHOLE).encode()))
    answered = await stage.upstream.fetch(stage.journey("bedrock"), ROWS)
    assert bytes(answered.answer.choices[0].message["content"]) == b'"Hello"'
    assert answered.speaks == "bedrock"


async def test_each_of_several_requests_has_a_signature_of_its_own() -> None:
    stage = Stage(bedrock=plays(b'{"embedding":[1],"inputTextTokenCount":1}'))
    asked = b'{"model":"acme/turbo","input":["a","b"]}'
    there = at("bedrock")
    there = msgspec.structs.replace(
        there,
        endpoint=msgspec.structs.replace(
            there.endpoint, upstream="amazon.titan-embed-text-v1", dialect="bedrock-embeddings"
        ),
    )
    journey = msgspec.structs.replace(
        stage.journey(),
        call=EMBEDDINGS.parse(asked, {}),
        plan=Plan(strategy="direct", steps=(there,), refusals=()),
    )
    answered = await stage.upstream.fetch(journey, ROWS)
    assert answered.answer.usage is not None
    assert answered.answer.usage.prompt == 2
    signed = {stage.headers(place)["Authorization"] for place in (0, 1)}
    assert len(signed) == len(stage.hosts.calls) == 2


async def test_a_token_that_a_host_echoes_in_a_refusal_is_not_told() -> None:
    echo = Script(status=500, acts=(b'{"error":{"message":"odd: Bearer eyJ0.a-token"}}',))
    token = plays(b'{"access_token":"eyJ0.a-token","expires_in":3599}')
    stage = Stage(azure=echo, **{"login.microsoftonline.com": token})
    journey = stage.journey("azure")
    with pytest.raises(GatewayError) as told:
        await stage.upstream.fetch(journey, ROWS)
    assert stage.headers()["Authorization"] == "Bearer eyJ0.a-token"
    assert [one.fault and one.fault.message for one in journey.tries] == ["odd: Bearer …"] * 3
    assert "eyJ0" not in str(told.value.metadata)


async def test_an_exception_before_content_leads_to_the_next_endpoint() -> None:
    stage = Stage(
        bedrock=plays(TEXT[0] + broken("modelStreamErrorException", "it broke")),
        azure=plays(b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
                    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
                    b"data: [DONE]\n\n"),
    )  # fmt: skip
    found = await stage.hear("bedrock", "azure")
    assert isinstance(found[0], Chunk)
    assert stage.hosts.called[-1] == "azure"
    assert stage.headers()["Authorization"] == "Bearer eyJ0.t"
    assert "/openai/deployments/turbo/chat/completions?api-version=" in stage.hosts.calls[-1][1].url


async def test_a_frame_that_is_damaged_breaks_the_stream() -> None:
    damaged = bytearray(b"".join(TEXT))
    damaged[len(TEXT[0]) + len(TEXT[1]) + 40] ^= 1
    opened = await (stage := Stage(bedrock=plays(bytes(damaged)))).upstream.open(
        stage.journey("bedrock", stream=True), ROWS
    )
    with pytest.raises(AttemptFailed, match="checksum"):
        await opened.stream.next()
    opened.stream.close()


async def test_a_stream_that_is_cut_never_ends_as_if_it_were_whole() -> None:
    stage = Stage(bedrock=plays(TEXT[0] + TEXT[1] + TEXT[2][:20]))
    opened = await stage.upstream.open(stage.journey("bedrock", stream=True), ROWS)
    while await opened.stream.next() is not None:
        pass
    assert not opened.stream.said_done
    opened.stream.close()


async def test_refusals_have_their_class() -> None:
    def refused(status: int, name: str) -> Script:
        body = json.dumps({"message": "words"}).encode()
        return Script(status=status, headers={"x-amzn-errortype": name}, acts=(body,))

    stage = Stage(bedrock=refused(400, "ValidationException:http://x/"))
    with pytest.raises(RefusedUpstream, match="words"):
        await stage.upstream.fetch(stage.journey("bedrock"), ROWS)
    stage = Stage(bedrock=refused(429, "ThrottlingException"))
    with pytest.raises(CapacityExhausted):
        await stage.upstream.fetch(stage.journey("bedrock"), ROWS)


async def test_azure_gets_one_token_for_all_calls() -> None:
    stage = Stage(azure=plays(CHAT))
    for _ in range(3):
        await stage.upstream.fetch(stage.journey("azure"), ROWS)
    assert stage.hosts.called.count("login.microsoftonline.com") == 1
    assert stage.headers()["Authorization"] == "Bearer eyJ0.t"


REFUSED = Script(status=401, acts=(b'{"error":{"message":"expired"}}',))


async def test_a_kept_token_that_is_refused_is_replaced_within_the_attempt() -> None:
    stage = Stage(azure=[plays(CHAT), REFUSED, plays(CHAT)])
    await stage.upstream.fetch(stage.journey("azure"), ROWS)
    stage.now.now += FRESH_S
    journey = stage.journey("azure")
    await stage.upstream.fetch(journey, ROWS)
    token = "login.microsoftonline.com"
    assert stage.hosts.called == [token, "azure", "azure", token, "azure"]
    assert [one.status for one in journey.tries] == [200]
    assert all(response.closed for response in stage.hosts.responses)


async def test_who_is_never_let_in_costs_no_token_more_than_once_a_minute() -> None:
    stage = Stage(azure=REFUSED)
    for count in (1, 1, 2, 2):
        with pytest.raises(ProviderUnavailable):
            await stage.upstream.fetch(stage.journey("azure"), ROWS)
        assert stage.hosts.called.count("login.microsoftonline.com") == count
        stage.now.now += FRESH_S / 2
    assert stage.hosts.called.count("azure") == 5


async def test_a_signature_that_is_refused_is_not_tried_again() -> None:
    stage = Stage(bedrock=REFUSED)
    with pytest.raises(ProviderUnavailable):
        await stage.upstream.fetch(stage.journey("bedrock"), ROWS)
    assert len(stage.hosts.calls) == 1


async def test_coheres_stream() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "1"},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {}}},
    ]
    lines = [b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events]
    stage = Stage(cohere=plays(*lines))
    assert Text(0, b'"Hi"') in await stage.hear("cohere")
    assert stage.hosts.calls[-1][1].url == "http://cohere/v2/chat"
    assert stage.headers()["Authorization"] == "Bearer co-key"
