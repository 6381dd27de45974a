"""When a provider is asked for a stream though nobody asked for one, and when for less."""

from typing import Any

import msgspec
import pytest

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.core.notes import Change
from dragoman.upstream.asking import asked, can_stream
from tests.upstream.scenery import chat, provider, step

ENDPOINT = step("a").endpoint
SHORT = msgspec.structs.replace(ENDPOINT, max_output=4096)
HOST = provider("a")
STREAMS = provider("a", stream_upstream=True)
WHOLE_ONLY = provider("a", quirks=Quirks(rejects=frozenset({"stream"})))
SPEECH = {"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "wav"}}


@pytest.mark.parametrize(
    ("host", "endpoint", "slice_tokens", "stream"),
    [
        (HOST, ENDPOINT, None, False),
        (HOST, ENDPOINT, 4096, True),
        (HOST, SHORT, 4096, False),
        (STREAMS, SHORT, None, True),
        (STREAMS, SHORT, 4096, True),
        (WHOLE_ONLY, ENDPOINT, None, False),
        (WHOLE_ONLY, SHORT, 4096, False),
        (HOST, SHORT, 4095, True),
        (provider("a", stream_upstream=True, quirks=WHOLE_ONLY.quirks), ENDPOINT, None, False),
        (provider("a", stream_upstream=True, quirks=WHOLE_ONLY.quirks), SHORT, 4096, False),
    ],
)
def test_a_whole_answer_is_asked_for_as_a_stream_where_that_is_of_use(
    host: Provider, endpoint: Endpoint, slice_tokens: int | None, *, stream: bool
) -> None:
    found = asked(chat(), endpoint, host, slice_tokens)
    assert (found.call.stream, found.call.max_tokens, found.notes) == (stream, None, ())


@pytest.mark.parametrize("stream", [True, False])
def test_where_nothing_can_be_seen_growing_the_answer_is_limited(*, stream: bool) -> None:
    found = asked(chat(stream=stream), ENDPOINT, WHOLE_ONLY, 4096)
    assert (found.call.stream, found.call.max_tokens) == (stream, 4096)
    assert bytes(found.call.members["max_tokens"]) == b"4096"
    (note,) = found.notes
    assert (note.change, note.field) == (Change.INJECTED, "max_tokens")


def test_a_stream_stays_one() -> None:
    call = chat(stream=True)
    for slice_tokens in (None, 4096):
        assert asked(call, ENDPOINT, STREAMS, slice_tokens).call is call


def test_speech_is_not_streamed_for_who_wants_it_whole() -> None:
    assert not can_stream(chat(**SPEECH), HOST)
    assert can_stream(chat(stream=True, **SPEECH), HOST)
    assert asked(chat(**SPEECH), ENDPOINT, HOST, 4096).call.max_tokens == 4096


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_nobody_is_asked_for_more_than_it_can_say(name: str) -> None:
    found = asked(chat(**{name: 64_000}), SHORT, HOST, None)
    assert found.call.max_tokens == 4096
    assert bytes(found.call.members[name]) == b"4096"
    (note,) = found.notes
    assert (note.change, note.field) == (Change.CLAMPED, "max_tokens")
    assert asked(chat(max_tokens=4096), SHORT, HOST, None).notes == ()


def test_whoever_says_it_under_two_names_is_clamped_under_one() -> None:
    found = asked(chat(max_tokens=64_000, max_completion_tokens=64_000), SHORT, HOST, None)
    assert found.call.max_tokens == 4096
    assert "max_tokens" not in found.call.members
    assert bytes(found.call.members["max_completion_tokens"]) == b"4096"


@pytest.mark.parametrize("kind", ["completion", "embeddings", "rerank"])
def test_only_what_is_said_in_a_chat_is_streamed_for_who_did_not_ask_for_it(kind: Any) -> None:
    assert not can_stream(msgspec.structs.replace(chat(), kind=kind), HOST)
