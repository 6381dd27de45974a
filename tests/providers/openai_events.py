"""Short ways to feed the OpenAI decoder, and to look at what the hub gets."""

from dragoman.providers.openai.answers import OpenAiDecoder
from dragoman.wire.hub import Chunk, Members, Piece, Text

REASONED = '[{"type":"reasoning.text","text":"hm","format":"unknown","index":0}]'


def feed(data: str) -> Chunk | None:
    chunk = OpenAiDecoder().feed(data.encode())
    assert not isinstance(chunk, Text)  # a first event says what all have in common
    return chunk


def piece(data: str) -> Piece:
    chunk = feed(data)
    assert chunk is not None
    assert len(chunk.pieces) == 1
    return chunk.pieces[0]


def delta(source: str) -> dict[str, str]:
    """What the hub gets of a delta, its values as JSON text."""
    return plain(piece(f'{{"choices":[{{"index":0,"delta":{source}}}]}}').delta)


def plain(members: Members) -> dict[str, str]:
    return {name: bytes(value).decode() for name, value in members.items()}


def events(*deltas: str) -> list[dict[str, str]]:
    """What the hub gets of the deltas of one stream."""
    decoder = OpenAiDecoder()
    found = []
    for source in deltas:
        chunk = decoder.feed(f'{{"choices":[{{"index":0,"delta":{source}}}]}}'.encode())
        assert chunk is not None
        if isinstance(chunk, Text):
            found.append({"content": bytes(chunk.content).decode()})
        else:
            found += [plain(p.delta) for p in chunk.pieces]
    return found
