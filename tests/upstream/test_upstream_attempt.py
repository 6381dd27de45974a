"""One attempt: what counts as first content, how long is waited, and what is left behind."""

import asyncio
import codecs
import json
from typing import Any

import msgspec
import pytest

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.net.types import NetError
from dragoman.providers.dialect import Kind, Outgoing
from dragoman.providers.openai.dialect import OpenAiDialect
from dragoman.providers.registry import DIALECTS
from dragoman.upstream.attempt import MOST_HELD, Attempt, answer, stream
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.line import Line
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.patience import Timekeeper
from dragoman.wire.chat import ChatCall
from tests.access.fakes import HandClock
from tests.upstream.hosts import (
    CUT,
    DONE,
    HANGS,
    ROLE,
    Hosts,
    Script,
    breaks,
    counts,
    delta,
    ends,
    event,
    plays,
    refuses,
    says,
    whole,
)
from tests.upstream.scenery import chat, credential, provider, step
from tests.wire.chunks import spelled_out

NOBODY = credential("a")
BRISK = UpstreamOptions(first_content_s=0.01, answer_s=0.01)


class Stage:
    """One host, one attempt at it."""

    def __init__(self, *scripts: Script) -> None:
        self.clock = HandClock()
        self.hosts = Hosts(self.clock, a=scripts)

    def attempt(self, *, stream: bool = True, **changes: Any) -> Attempt:
        row = provider("a", auth=changes.pop("auth", "bearer"))
        line = Line(provider=row, dialect=DIALECTS["openai"], transport=self.hosts)
        fields: dict[str, Any] = {
            "call": chat(stream=stream),
            "step": step("a"),
            "line": line,
            "credential": NOBODY,
            "deadline": self.clock.now + 600,
            "options": UpstreamOptions(),
            "clock": Clock(monotonic=self.clock),
            "timekeeper": Timekeeper(),
            "sent": [],
        }
        return Attempt(**(fields | changes))

    @property
    def closed(self) -> list[int]:
        return [response.closed for response in self.hosts.responses]


async def test_a_flood_of_nothing_before_content_is_not_kept() -> None:
    flood = [ROLE] * 500
    stage = Stage(plays(counts(1, 1), *flood, counts(10, 5), says("x"), "hang"))
    opened = await stream(stage.attempt())
    assert len(opened.first) <= MOST_HELD + 2
    counted = [spelled_out(chunk).usage for chunk in opened.first]
    assert [usage.prompt for usage in counted if usage] == [1, 10]
    opened.stream.close()


@pytest.mark.parametrize("coding", ["gzip", "BR"])
async def test_of_a_refusal_that_is_encoded_the_head_is_read(coding: str) -> None:
    stage = Stage(refuses(429, content_encoding=coding, retry_after="9"))
    fault = (await failure(stage.attempt())).fault
    assert (fault.kind, fault.status, fault.retry_after_s) == (Kind.RATE, 429, 9.0)
    assert (fault.message, fault.raw) == ("HTTP 429", None)


async def test_a_refusal_that_says_that_it_is_not_encoded_is_read() -> None:
    stage = Stage(refuses(429, content_encoding="Identity"))
    assert (await failure(stage.attempt())).fault.message == "scripted 429"


async def test_half_a_character_does_not_make_an_answer_unreadable() -> None:
    (body,) = whole("ab@").acts
    assert isinstance(body, bytes)
    stage = Stage(plays(body.replace(b"@", b"\\ud83d")))
    answered = await answer(stage.attempt(stream=False))
    (choice,) = answered.answer.choices
    assert bytes(choice.message["content"]) == b'"ab\\ufffd"'


async def test_a_byte_order_mark_does_not_make_an_answer_unreadable() -> None:
    (body,) = whole("hello").acts
    assert isinstance(body, bytes)
    stage = Stage(plays(codecs.BOM_UTF8 + body))
    answered = await answer(stage.attempt(stream=False))
    (choice,) = answered.answer.choices
    assert bytes(choice.message["content"]) == b'"hello"'


async def test_behind_a_byte_order_mark_it_is_read_why_a_host_refuses() -> None:
    said = b'{"error": {"message": "no money left", "code": "insufficient_quota"}}'
    stage = Stage(Script(status=429, acts=(codecs.BOM_UTF8 + said,)))
    fault = (await failure(stage.attempt())).fault
    assert (fault.kind, fault.message) == (Kind.CREDENTIAL, "no money left")


async def failure(attempt: Attempt) -> AttemptFailed:
    """Return how an attempt fails, streamed or not as its call says."""
    with pytest.raises(AttemptFailed) as failed:
        await (stream(attempt) if attempt.call.stream else answer(attempt))
    return failed.value


@pytest.mark.parametrize(
    "opening",
    [
        says("x"),
        delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
        delta(reasoning="hm"),
        delta(reasoning_content="hm"),
        delta(images=[{"image_url": {"url": "data:"}}]),
        ends(),
        ends("length"),
    ],
    ids=["text", "tool", "reasoning", "other reasoning", "media", "stop", "length"],
)
async def test_a_stream_opens_with_content_or_with_its_end(opening: bytes) -> None:
    stage = Stage(plays(ROLE, opening, "hang"))
    opened = await stream(stage.attempt())
    pieces = [piece for chunk in opened.first for piece in spelled_out(chunk).pieces]
    assert pieces[-1].has_content or pieces[-1].finish_reason
    assert stage.closed == [0]
    opened.stream.close()
    assert stage.closed == [1]


@pytest.mark.parametrize(
    "silence",
    [
        ROLE,
        delta(role="assistant", content=None),
        delta(tool_calls=[]),
        b": comment\n\n",
        event(),
        counts(10, 0),
    ],
    ids=["role", "null", "no tools", "comment", "no choice", "usage"],
)
async def test_what_says_nothing_does_not_open_a_stream(silence: bytes) -> None:
    stage = Stage(plays(silence, silence, "hang"))
    failed = await failure(stage.attempt(options=BRISK))
    assert (failed.fault.kind, failed.fault.code) == (Kind.TIMEOUT, "late")
    assert stage.closed == [1]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (plays(ROLE, event(error={"message": "busy", "code": 429})), Kind.RATE),
        (plays(event(error={"message": "broken", "code": 500}), says("x")), Kind.TRANSIENT),
        (plays(ROLE, ends("error")), Kind.TRANSIENT),
        (plays(ROLE), Kind.TRANSIENT),
        (plays(ROLE, DONE), Kind.TRANSIENT),
        (plays(), Kind.TRANSIENT),
        (plays(b"<html>not a stream</html>"), Kind.TRANSIENT),
        (plays(b"data: {not json\n\n"), Kind.TRANSIENT),
        (plays(ROLE, CUT), Kind.TRANSIENT),
        (plays(ROLE, NetError("idle", "silence")), Kind.TIMEOUT),
        (breaks(NetError("refused", "no")), Kind.TRANSIENT),
        (refuses(500), Kind.TRANSIENT),
        (refuses(401), Kind.CREDENTIAL),
        (refuses(429, retry_after="7"), Kind.RATE),
        (refuses(400), Kind.CALLER),
        (Script(status=503, acts=(b"half", CUT)), Kind.TRANSIENT),
        (Script(status=302, headers={"location": "http://elsewhere/"}), Kind.TRANSIENT),
    ],
)
async def test_a_stream_that_breaks_before_content_fails(script: Script, kind: Kind) -> None:
    stage = Stage(script)
    assert (await failure(stage.attempt())).fault.kind is kind
    assert all(stage.closed)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (plays(b"<html>"), Kind.TRANSIENT),
        (plays(b""), Kind.TRANSIENT),
        (plays(b'{"choices":[]}'), Kind.TRANSIENT),
        (plays(b'{"error":{"message":"late word","code":429}}'), Kind.RATE),
        (plays(b'{"choices"', CUT), Kind.TRANSIENT),
        (plays(b'{"choices"', NetError("idle", "silence")), Kind.TIMEOUT),
        (whole("", finish="error"), Kind.TRANSIENT),
        (breaks(NetError("head", "silence")), Kind.TIMEOUT),
        (refuses(529), Kind.TRANSIENT),
    ],
)
async def test_a_whole_answer_that_is_none_fails(script: Script, kind: Kind) -> None:
    stage = Stage(script)
    assert (await failure(stage.attempt(stream=False))).fault.kind is kind
    assert all(stage.closed)


async def test_a_whole_answer_is_read_and_let_go() -> None:
    stage = Stage(whole("Hello"))
    answered = await answer(stage.attempt(stream=False))
    assert bytes(answered.answer.choices[0].message["content"]) == b'"Hello"'
    assert stage.closed == [1]


@pytest.mark.parametrize("stream_it", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "script", [HANGS, plays("hang"), plays(b"{", "hang")], ids=["head", "body", "half"]
)
async def test_whatever_an_upstream_hangs_in_is_given_up(
    script: Script, *, stream_it: bool
) -> None:
    stage = Stage(script)
    failed = await failure(stage.attempt(stream=stream_it, options=BRISK))
    assert failed.fault.kind is Kind.TIMEOUT
    assert "0.01 s" in failed.fault.message
    assert all(stage.closed)


@pytest.mark.parametrize(
    ("stream_it", "supports", "left_s", "waits_s"),
    [
        (True, frozenset(), 600, 30),
        (True, frozenset({"reasoning"}), 600, 120),
        (False, frozenset(), 600, 120),
        (False, frozenset({"reasoning"}), 700, 600),
        (True, frozenset(), 12.5, 13),
    ],
)
async def test_patience_depends_on_the_kind_of_answer_and_ends_with_the_request(
    *, stream_it: bool, supports: frozenset[str], left_s: float, waits_s: float
) -> None:
    stage = Stage(refuses(500))
    where = step("a")
    thinking = msgspec.structs.replace(where.endpoint, supports=supports)
    attempt = stage.attempt(
        stream=stream_it,
        step=msgspec.structs.replace(where, endpoint=thinking),
        deadline=stage.clock.now + left_s,
    )
    await failure(attempt)
    assert [limits.head_s for limits in stage.hosts.limits] == [waits_s]


async def test_a_kept_connection_that_died_is_replaced_once() -> None:
    died = breaks(NetError("reset", "gone", reused=True))
    stage = Stage(died, plays(says("x")))
    await stream(stage.attempt())
    assert stage.hosts.called == ["a", "a"]


@pytest.mark.parametrize(
    "second", [NetError("reset", "gone", reused=True), NetError("refused", "no")]
)
async def test_a_connection_that_dies_twice_is_a_fault(second: NetError) -> None:
    stage = Stage(breaks(NetError("reset", "gone", reused=True)), breaks(second))
    assert (await failure(stage.attempt())).fault.code == second.phase
    assert stage.hosts.called == ["a", "a"]


async def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    stage = Stage(breaks(NetError("reset", "gone")), plays(says("x")))
    assert (await failure(stage.attempt())).fault.code == "reset"
    assert stage.hosts.called == ["a"]


@pytest.mark.parametrize(
    ("auth", "whose", "header"),
    [
        ("bearer", NOBODY, ("Authorization", "Bearer secret-of-a-1")),
        ("api-key", NOBODY, ("api-key", "secret-of-a-1")),
        ("none", NOBODY, None),
        ("bearer", None, None),
    ],
)
async def test_the_credential_goes_where_the_host_looks_for_it(
    auth: str, whose: Credential | None, header: tuple[str, str] | None
) -> None:
    stage = Stage(plays(says("x")))
    attempt = stage.attempt(auth=auth, credential=whose)
    await stream(attempt)
    ((_, request),) = stage.hosts.calls
    assert [pair for pair in request.headers if "secret" in pair[1]] == [header][: bool(header)]
    assert (request.method, request.url) == ("POST", "http://a/v1/chat/completions")
    assert [json.loads(body)["model"] for body in attempt.sent] == ["turbo"]


@pytest.mark.parametrize("stream_it", [True, False], ids=["stream", "whole"])
async def test_notes_tell_what_this_endpoint_was_not_sent(*, stream_it: bool) -> None:
    stage = Stage(plays(says("x")) if stream_it else whole())
    attempt = stage.attempt(call=chat(stream=stream_it, cache_control={"type": "ephemeral"}))
    done = await (stream(attempt) if stream_it else answer(attempt))
    assert [(note.change, note.field, note.provider) for note in done.notes] == [
        (Change.DROPPED, "cache_control", "a")
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RecursionError(), "the request is nested too deeply to be translated"),
        (InvalidRequest("x: A does not take it"), "x: A does not take it"),
    ],
)
async def test_what_cannot_be_translated_is_sent_to_nobody(error: Exception, told: str) -> None:
    class Shallow(OpenAiDialect):
        def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
            del call, endpoint, provider
            raise error

    stage = Stage(plays(says("x")))
    attempt = stage.attempt()
    line = msgspec.structs.replace(attempt.line, dialect=Shallow())
    failed = await failure(msgspec.structs.replace(attempt, line=line))
    assert (failed.fault.kind, failed.fault.message) == (Kind.UNTRANSLATABLE, told)
    assert not stage.hosts.calls
    assert not attempt.sent


@pytest.mark.parametrize("stream_it", [True, False], ids=["stream", "whole"])
async def test_an_attempt_that_is_cancelled_lets_go_of_its_connection(*, stream_it: bool) -> None:
    stage = Stage(plays(ROLE, "hang"))
    attempt = stage.attempt(stream=stream_it)
    doing = asyncio.ensure_future(stream(attempt) if stream_it else answer(attempt))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert stage.closed == [1]
