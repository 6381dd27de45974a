"""Events of chat completions where one event of a provider says more than one may."""

import json
from typing import Any

import pytest
from msgspec import Raw

from dragoman.wire.answers import ChunkWriter, Stamp
from dragoman.wire.chat_dialect import ChatWriter
from dragoman.wire.hub import Chunk, Piece

CALLS: Any = [
    {"index": n, "id": f"c{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for n in range(3)
]


def written(delta: dict[str, Any], finish: str | None) -> list[Any]:
    raw = {name: Raw(json.dumps(value).encode()) for name, value in delta.items()}
    piece = Piece(index=1, delta=raw, finish_reason=finish, native_finish_reason=finish)
    writer = ChatWriter(ChunkWriter(Stamp(id="gen-1", created=1, model="m", provider="P")))
    events = writer.chunk(Chunk(pieces=(piece,)), (piece,)).split(b"\n\n")
    return [json.loads(event.removeprefix(b"data: ")) for event in events if event]


def test_calls_that_come_at_once_are_told_one_by_one() -> None:
    chunks = written({"content": "Hm.", "tool_calls": CALLS}, "tool_calls")
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"]["tool_calls"] for choice in choices] == [[call] for call in CALLS]
    assert [choice["delta"].get("content") for choice in choices] == ["Hm.", None, None]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "tool_calls"]
    assert {choice["index"] for choice in choices} == {1}


@pytest.mark.parametrize("calls", [CALLS[:1], [], None, {}])
def test_less_than_two_stay_as_they_are(calls: Any) -> None:
    (chunk,) = written({"tool_calls": calls}, None)
    assert chunk["choices"][0]["delta"]["tool_calls"] == calls
