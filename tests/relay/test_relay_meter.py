"""Measuring an answer as it passes: what is passed on, what is counted, what is estimated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.core.clock import Clock
from dragoman.relay.meter import Meter
from dragoman.wire.hub import Chunk, Piece, Text
from dragoman.wire.usage import Usage
from tests.access.fakes import HandClock
from tests.upstream.scenery import chat

NOW = 1000.0


def text(value: str, index: int = 0, finish: str | None = None) -> Piece:
    return Piece(
        index=index, delta={"content": Raw(b'"%b"' % value.encode())}, finish_reason=finish
    )


def nothing(index: int = 0, finish: str | None = None) -> Piece:
    return Piece(index=index, delta={"role": Raw(b'"assistant"')}, finish_reason=finish)


def meter() -> Meter:
    return Meter(Clock(monotonic=HandClock()))


@pytest.mark.parametrize(
    ("pieces", "passed"),
    [
        ((text("a"),), 1),
        ((nothing(),), 0),
        ((nothing(finish="stop"),), 1),
        ((), 0),
        ((text("a"), nothing(), text("b", 1)), 2),
        ((text("a", finish="stop"), text("ghost")), 1),
        ((text("a", finish="stop"), text("b", 1)), 2),
    ],
)
def test_a_piece_is_passed_on_if_its_client_would_notice(
    pieces: tuple[Piece, ...], passed: int
) -> None:
    assert len(meter().see(Chunk(pieces=pieces), NOW)) == passed


def test_what_later_chunks_say_of_the_answer_wins() -> None:
    seen = meter()
    seen.see(Chunk(upstream_id="one", service_tier="flex", usage=Usage(completion=1)), NOW)
    seen.see(Chunk(upstream_id="two", usage=Usage(completion=2)), NOW)
    seen.see(Chunk(), NOW)
    assert (seen.upstream_id, seen.service_tier) == ("two", "flex")
    assert seen.usage(chat()).completion == 2


def test_usage_that_is_itself_an_estimate_is_completed_from_the_text() -> None:
    seen = meter()
    seen.see(Chunk(pieces=(text("x" * 40),), usage=Usage(prompt=7, source="estimated")), NOW)
    assert seen.usage(chat()) == Usage(prompt=7, completion=10, source="estimated")


def test_what_a_cache_took_and_gave_is_kept_though_the_rest_is_an_estimate() -> None:
    """Whoever hangs up on Claude pays for a cached prompt what a cached prompt costs."""
    seen = meter()
    begun = Usage(prompt=100, cached=90, cache_write=5, cache_write_1h=3, source="estimated")
    seen.see(Chunk(pieces=(text("x" * 40),), usage=begun), NOW)
    expected = Usage(
        prompt=100, completion=10, cached=90, cache_write=5, cache_write_1h=3, source="estimated"
    )
    assert seen.usage(chat()) == expected


def test_content_is_timed_from_the_first_of_it_to_the_last() -> None:
    seen = meter()
    seen.see(Chunk(pieces=(nothing(),)), 1.0)
    seen.see(Chunk(pieces=(text("a"),)), 2.0)
    assert seen.hear(Text(0, b'"b"'), 3.0)
    assert seen.hear(Text(1, b'"c"'), 4.0)
    seen.see(Chunk(pieces=(nothing(finish="stop"),)), 5.0)
    assert not seen.hear(Text(0, b'"ghost"'), 6.0)
    assert (seen.first_content, seen.last_content) == (2.0, 4.0)
    assert (seen.begun, seen.produced_bytes) == ({0, 1}, 3)


@given(st.lists(st.tuples(st.text(max_size=9), st.integers(0, 2), st.booleans()), max_size=30))
def test_a_choice_ends_once_and_what_was_passed_on_is_what_was_counted(
    events: list[tuple[str, int, bool]],
) -> None:
    seen = meter()
    passed: list[Piece] = []
    for words, index, last in events:
        letters = words.encode().hex()
        passed += seen.see(Chunk(pieces=(text(letters, index, "stop" if last else None),)), NOW)
    size = sum(len(bytes(piece.delta["content"])) - 2 for piece in passed)
    assert seen.produced_bytes == size
    endings = [piece.index for piece in passed if piece.finish_reason]
    assert sorted(endings) == sorted(seen.ends)
    for index, end in seen.ends.items():
        mine = [piece for piece in passed if piece.index == index]
        assert mine[-1] is end
