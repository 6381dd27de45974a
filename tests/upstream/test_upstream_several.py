"""One call as several requests: bounded, in order, and as good as its worst part."""

import asyncio
import json
from typing import Any

import pytest

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.net.types import NetError
from dragoman.providers.dialect import Fault, Kind
from dragoman.providers.registry import DIALECTS
from dragoman.upstream import moves
from dragoman.upstream.attempt import Answered, Attempt, answer
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.line import Line
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.patience import Timekeeper
from dragoman.upstream.several import CONCURRENT, Part, together
from dragoman.wire.embeddings import EMBEDDINGS
from tests.access.fakes import HandClock
from tests.upstream.hosts import CUT, HANGS, Hosts, Script, breaks, plays, refuses
from tests.upstream.scenery import credential, provider, step

KEY: Credential = credential("a")
HEADER = "x-amzn-bedrock-input-token-count"


def vector(number: int, **headers: str) -> Script:
    """Return a host's answer with the vectors of Cohere at Bedrock."""
    body = json.dumps({"embeddings": [[number]], "response_type": "embeddings_floats"}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(acts=(body,), headers=named)


def never(_: Fault) -> None:
    """Say of no request that it is made again."""


class Stage:
    """One host of Bedrock's dialect, one attempt at it."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = HandClock()
        self.hosts = Hosts(self.clock, a=scripts)

    async def embed(self, texts: list[str], model: str, **options: Any) -> Answered:
        row = provider("a", dialect="bedrock")
        asked = {"model": "acme/m", "input": texts}
        return await answer(
            Attempt(
                call=EMBEDDINGS.parse(json.dumps(asked).encode(), {}),
                step=step("a", f"acme/{model}"),
                line=Line(
                    provider=row, dialect=DIALECTS["bedrock-embeddings"], transport=self.hosts
                ),
                credential=KEY,
                deadline=self.clock.now + 600,
                options=UpstreamOptions(**options),
                clock=Clock(monotonic=self.clock),
                timekeeper=Timekeeper(),
                sent=[],
            )
        )


TITAN, COHERE = "amazon.titan-embed-text-v1", "cohere.embed-english-v3"


def titan(number: int, tokens: int | None = None) -> Script:
    body = {"embedding": [number]} | ({} if tokens is None else {"inputTextTokenCount": tokens})
    return plays(json.dumps(body).encode())


async def test_answers_are_read_as_one_in_the_order_of_the_texts() -> None:
    stage = Stage(*(titan(number, 2) for number in range(20)))
    answered = await stage.embed([f"t{number}" for number in range(20)], TITAN)
    texts = [body["inputText"] for body in stage.hosts.bodies()]
    assert sorted(texts) == sorted(f"t{number}" for number in range(20))
    data = json.loads(answered.answer.native or b"")["data"]
    assert [row["embedding"] for row in data] == [[int(text[1:])] for text in texts]
    assert [row["index"] for row in data] == list(range(20))
    assert answered.answer.usage is not None
    assert answered.answer.usage.prompt == 40
    assert [each.closed for each in stage.hosts.responses] == [1] * 20


async def test_tokens_are_read_from_the_header_where_the_body_has_none() -> None:
    told = {HEADER: "7"}
    stage = Stage(vector(1, **told))
    answered = await stage.embed(["a"], COHERE)
    assert answered.answer.usage is not None
    assert answered.answer.usage.prompt == 7
    stage = Stage(vector(1, **told))
    answered = await stage.embed(["a"] * 97, COHERE)
    assert answered.answer.usage is not None
    assert answered.answer.usage.prompt == 14


@pytest.mark.parametrize("told", ["", "-1", "x", "9" * 40, "1.5"])
async def test_a_header_that_is_no_number_says_nothing(told: str) -> None:
    answered = await Stage(vector(1, **{HEADER: told})).embed(["a"], COHERE)
    assert answered.answer.usage is None


async def test_tokens_that_one_did_not_tell_are_not_known() -> None:
    stage = Stage(vector(1, **{HEADER: "7"}), vector(2))
    answered = await stage.embed(["a"] * 97, COHERE)
    assert answered.answer.usage is None


async def test_one_refusal_is_the_refusal_of_all() -> None:
    stage = Stage(titan(1), titan(2), refuses(429, retry_after="30"), HANGS)
    with pytest.raises(AttemptFailed) as failed:
        await stage.embed(["a"] * 50, TITAN)
    assert (failed.value.fault.kind, failed.value.fault.retry_after_s) == (Kind.RATE, 30.0)
    assert len(stage.hosts.calls) <= 2 + CONCURRENT
    assert all(each.closed for each in stage.hosts.responses)


CUT_SHORT = Script(acts=(b'{"emb', CUT))


@pytest.mark.parametrize(
    "trouble",
    [
        refuses(500),
        refuses(503, retry_after="0"),
        refuses(429, retry_after="0"),
        breaks(NetError("reset", "gone")),
        CUT_SHORT,
    ],
)
async def test_one_that_fails_is_made_once_more(
    trouble: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "PIECE_PAUSE_S", 0.0)
    stage = Stage(titan(1, 2), trouble, titan(2, 2))
    answered = await stage.embed(["a", "b", "c"], TITAN)
    assert len(json.loads(answered.answer.native or b"")["data"]) == 3
    assert answered.answer.usage is not None
    assert answered.answer.usage.prompt == 6  # what failed is not counted
    assert len(stage.hosts.calls) == 4
    assert stage.hosts.bodies()[1] in [body for n, body in enumerate(stage.hosts.bodies()) if n > 1]
    assert [each.closed for each in stage.hosts.responses] == [1] * len(stage.hosts.responses)


async def test_what_fails_twice_ends_the_others_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moves, "PIECE_PAUSE_S", 0.0)
    here = asyncio.all_tasks()
    stuck = Script(acts=(b"{", "hang"))
    stage = Stage(stuck, HANGS, refuses(500), stuck, refuses(502))
    with pytest.raises(AttemptFailed) as failed:
        await stage.embed([f"t{number}" for number in range(4)], TITAN)
    assert failed.value.fault.status == 502
    texts = [body["inputText"] for body in stage.hosts.bodies()]
    assert texts == ["t0", "t1", "t2", "t3", "t2"]
    assert [each.closed for each in stage.hosts.responses] == [1] * 4
    assert asyncio.all_tasks() == here


async def test_what_the_caller_did_wrong_is_not_sent_again() -> None:
    stage = Stage(titan(1), refuses(400), HANGS)
    with pytest.raises(AttemptFailed) as failed:
        await stage.embed(["a"] * 3, TITAN)
    assert failed.value.fault.kind is Kind.CALLER
    assert len(stage.hosts.calls) == 3


async def test_an_only_request_is_left_to_the_attempts() -> None:
    stage = Stage(refuses(500), titan(1))
    with pytest.raises(AttemptFailed):
        await stage.embed(["a"], TITAN)
    assert len(stage.hosts.calls) == 1


async def test_a_wait_that_is_longer_than_the_attempt_has_is_not_begun() -> None:
    stage = Stage(titan(1), refuses(429, retry_after="3"), HANGS)
    with pytest.raises(AttemptFailed) as failed:
        await stage.embed(["a"] * 3, TITAN, answer_s=2.0)
    assert failed.value.fault.kind is Kind.RATE


async def test_who_leaves_while_one_waits_to_be_made_again_leaves_nothing_behind() -> None:
    here = asyncio.all_tasks()
    stage = Stage(titan(1), refuses(429, retry_after="5"), HANGS)
    embedding = asyncio.create_task(stage.embed(["a"] * 3, TITAN))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(stage.hosts.calls) == 3
    embedding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await embedding
    assert asyncio.all_tasks() == here
    assert [each.closed for each in stage.hosts.responses] == [1, 1]


async def test_they_have_the_patience_of_one() -> None:
    stage = Stage(titan(1), HANGS)
    with pytest.raises(AttemptFailed) as failed:
        await stage.embed(["a"] * 3, TITAN, answer_s=0.01)
    assert (failed.value.fault.kind, failed.value.fault.code) == (Kind.TIMEOUT, "late")


async def test_so_many_are_under_way_at_once_and_no_more() -> None:
    under_way = most = 0

    async def ask(body: bytes) -> Part:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Part(body)

    bodies = tuple(b"%d" % number for number in range(50))
    part = await together(bodies, ask, 1000, never)
    assert json.loads(part.body) == list(range(50))
    assert most == CONCURRENT


async def test_together_they_may_have_as_many_bytes_as_one() -> None:
    async def ask(body: bytes) -> Part:
        return Part(body)

    assert (await together((b"12", b"34"), ask, 4, never)).body == b"[12,34]"
    with pytest.raises(NetError, match="more than 3 bytes"):
        await together((b"12", b"34"), ask, 3, never)
