"""What stands around a text: who asks once for a run of texts writes what the writer would."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat_dialect import CHAT
from dragoman.wire.completions import COMPLETIONS
from dragoman.wire.dialect import ClientDialect, Told
from dragoman.wire.hub import Chunk, Piece, Text
from dragoman.wire.responses.dialect import RESPONSES
from tests.wire.messages_told import SPENT, STAMP

ASKED: dict[ClientDialect, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    COMPLETIONS: {"prompt": "hi"},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    RESPONSES: {"input": "hi"},
}
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
DELTAS = ({"reasoning": "Hm."}, {"content": "part"}, {"tool_calls": [CALL]})


def piece(index: int, delta: dict[str, Any]) -> Piece:
    said = {name: Raw(json.dumps(value).encode()) for name, value in delta.items()}
    return Piece(index=index, delta=said)


TEXTS = st.builds(
    lambda index, text: Text(index=index, content=json.dumps(text).encode()),
    st.integers(0, 1),
    st.text(max_size=5),
)
CHUNKS = st.builds(
    lambda index, delta, tier: Chunk(pieces=(piece(index, delta),), service_tier=tier),
    st.integers(0, 1),
    st.sampled_from(DELTAS),
    st.sampled_from([None, "flex"]),
)


def stream(dialect: ClientDialect, chunks: Sequence[Chunk | Text], *, asks: bool) -> bytes:
    """Return a stream, of whose texts a run is written by the writer, or around which one asks."""
    body = json.dumps({"model": "acme/turbo", "stream": True} | ASKED[dialect]).encode()
    writer = dialect.writer(Told(stamp=STAMP, call=dialect.parse(body, {}), native=False))
    around, speaks, events = None, None, []
    for chunk in chunks:
        if not isinstance(chunk, Text):
            around = None
            events.append(writer.chunk(chunk, chunk.pieces))
        elif around is not None and chunk.index == speaks:
            events.append(b"".join((around[0], chunk.content, around[1])))
        else:
            events.append(writer.text(chunk))
            speaks = chunk.index
            around = writer.around(speaks) if asks else None
    ends = {index: Piece(index=index, delta={}, finish_reason="stop") for index in range(2)}
    return b"".join([*events, writer.end(ends, SPENT, b"")])


@pytest.mark.parametrize("dialect", ASKED, ids=lambda dialect: dialect.name)
@given(chunks=st.lists(TEXTS | CHUNKS, max_size=12))
def test_who_asks_once_for_a_run_of_texts_writes_the_same(
    dialect: ClientDialect, chunks: list[Chunk | Text]
) -> None:
    assert stream(dialect, chunks, asks=True) == stream(dialect, chunks, asks=False)


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS, MESSAGES], ids=lambda dialect: dialect.name)
def test_most_dialects_tell(dialect: ClientDialect) -> None:
    body = json.dumps({"model": "acme/turbo", "stream": True} | ASKED[dialect]).encode()
    writer = dialect.writer(Told(stamp=STAMP, call=dialect.parse(body, {}), native=False))
    writer.text(Text(index=0, content=b'"a"'))
    assert writer.around(0) is not None
