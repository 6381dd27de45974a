"""The short form of a chunk, spelled out, for tests that look at chunks alike."""

from msgspec import Raw

from dragoman.wire.hub import Chunk, Piece, Text


def spelled_out(chunk: Chunk | Text | None) -> Chunk:
    assert chunk is not None
    if isinstance(chunk, Chunk):
        return chunk
    return Chunk(pieces=(Piece(index=chunk.index, delta={"content": Raw(chunk.content)}),))
