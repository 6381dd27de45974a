"""The reader of a stream: the same chunks at any cut of the network, and one honest end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.client.answers import Chunk
from dragoman.client.errors import BrokenAnswer, ServerFailed
from dragoman.client.stream import ChunkReader
from dragoman.wire.sse import EVENT_BYTES
from tests.client.host import events, said

FAILED = {
    "error": {
        "code": 502,
        "message": "It fell.",
        "metadata": {"error_type": "provider_unavailable"},
    }
}


def fed(reader: ChunkReader, *pieces: bytes) -> list[Chunk]:
    return [chunk for piece in pieces for chunk in reader.feed(piece)]


@given(st.lists(st.text(), max_size=4), st.lists(st.integers(0, 400), max_size=5))
def test_chunks_do_not_depend_on_how_the_network_cuts(texts: list[str], cuts: list[int]) -> None:
    stream = b": OPENROUTER PROCESSING\n\n" + events(*map(said, texts), "[DONE]")
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = ChunkReader({})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    assert [chunk.text for chunk in fed(reader, *pieces)] == texts
    assert reader.done
    reader.end()


def test_an_error_comes_after_the_chunks_before_it_and_keeps_its_words() -> None:
    reader = ChunkReader({"x-generation-id": "gen-1"})
    chunks = reader.feed(events(said("Half an"), FAILED))
    assert next(chunks).text == "Half an"
    with pytest.raises(ServerFailed, match=r"It fell\.") as caught:
        next(chunks)
    assert caught.value.status == 502
    assert caught.value.error_type == "provider_unavailable"
    assert caught.value.generation == "gen-1"


@pytest.mark.parametrize("error", [{"code": "odd"}, "odd", {"message": "odd"}])
def test_an_error_without_a_status_is_the_servers(error: object) -> None:
    with pytest.raises(ServerFailed):
        fed(ChunkReader({}), events({"error": error}))


def test_an_end_before_done_is_told() -> None:
    reader = ChunkReader({})
    assert len(fed(reader, events(said("Half an")))) == 1
    with pytest.raises(BrokenAnswer, match="broke off"):
        reader.end()


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: " + b"x" * EVENT_BYTES])
def test_what_is_no_stream_of_chunks_is_told(data: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        fed(ChunkReader({}), data)


def test_nothing_after_done_counts() -> None:
    assert fed(ChunkReader({}), events("[DONE]", said("more"))) == []
