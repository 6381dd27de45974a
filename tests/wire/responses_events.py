"""Streams of the Responses API as clients get them, checked by OpenAI's own types."""

import json
from typing import Any

from msgspec import Raw
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Chunk, Piece, Text
from dragoman.wire.responses.dialect import RESPONSES
from tests.wire.responses_calls import SPENT, told

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
STOPPED = {0: Piece(index=0, delta={}, finish_reason="stop")}


def delta(**members: Any) -> Chunk:
    found = {name: Raw(json.dumps(value).encode()) for name, value in members.items()}
    return Chunk(pieces=(Piece(index=0, delta=found),))


def fragment(index: int, name: str = "", arguments: str = "", id_: str = "") -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": arguments}
    found: dict[str, Any] = {"index": index, "function": function}
    if name:
        function["name"] = name
        found |= {"id": id_ or f"call_{index}", "type": "function"}
    return found


def read(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream that ended, each checked by OpenAI's types, in their order."""
    blocks = data.decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks[:-2])
    events = [json.loads(block[6:]) for block in blocks[:-2]]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        if b"context_length_exceeded" not in data and event["type"] != "response.debug":
            EVENT.validate_python(event)  # which know neither of the two
    return events


def write(
    asked: ChatCall,
    *chunks: Chunk | Text,
    finish: str = "stop",
    native: bool = False,
    routing: bytes = b"",
) -> list[dict[str, Any]]:
    writer = RESPONSES.writer(told(asked, native=native))
    data = b""
    for chunk in chunks:
        data += writer.text(chunk) if isinstance(chunk, Text) else writer.chunk(chunk, chunk.pieces)
    ends = {0: Piece(index=0, delta={}, finish_reason=finish)}
    return read(data + writer.end(ends, SPENT, routing))


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def accumulated(events: list[dict[str, Any]]) -> Any:
    """What OpenAI's client makes of the events."""
    state: Any = ResponseStreamState(text_format=omit, input_tools=[])
    for event in events:
        state.handle_event(EVENT.validate_python(event))
    return state._completed_response
