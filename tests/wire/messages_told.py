"""What answers in Messages are written with in tests, and how streams of them are read."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dragoman.wire.answers import Billing, Stamp
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Piece, Text
from dragoman.wire.usage import Usage

STAMP = Stamp(id="gen-1760000000-abc", created=1, model="acme/turbo", provider="Acme")
SPENT = Spent(
    Usage(prompt=100, completion=50, reasoning=20, cached=30, cache_write=10, cache_write_1h=4),
    Billing(cost=0.5, upstream=0.4, prompt=0.1, completion=0.3),
)
HI = [{"role": "user", "content": "hi"}]


def parse(headers: Mapping[bytes, bytes] | None = None, **body: Any) -> ChatCall:
    """Return a request as it is read."""
    whole = {"model": "acme/turbo", "max_tokens": 9, "messages": HI} | body
    return MESSAGES.parse(json.dumps(whole).encode(), headers or {})


def told(*, native: bool = False, **body: Any) -> Told:
    return Told(stamp=STAMP, call=parse(**body), native=native)


def written(chunks: Iterable[Chunk | Text], how: Told | None = None) -> bytes:
    """Return the stream that these chunks make, as the relay would have it written."""
    writer = MESSAGES.writer(how or told())
    ends: dict[int, Piece] = {}
    events = []
    for chunk in chunks:
        if isinstance(chunk, Text):
            events.append(writer.text(chunk))
            continue
        events.append(writer.chunk(chunk, chunk.pieces))
        ends |= {piece.index: piece for piece in chunk.pieces if piece.finish_reason}
    ends = ends or {0: Piece(index=0, delta={}, finish_reason="stop")}
    return b"".join([*events, writer.end(ends, SPENT, b"")])


def gathered(chunks: Iterable[Chunk | Text]) -> Answer:
    """Return the whole answer that these chunks make."""
    gathering = Gathering()
    for chunk in chunks:
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        else:
            gathering.see(chunk)
    return gathering.answer()


def events_of(stream: bytes) -> list[Any]:
    """Return the data of all events; each that has a name has it in its data, too."""
    found = []
    for block in stream.decode().split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("event: "):
            data = json.loads(lines[1].removeprefix("data: "))
            assert data["type"] == lines[0].removeprefix("event: ")
            found.append(data)
    return found


def message_of(stream: bytes) -> Any:
    """Return the message that a stream adds up to. Fails where a client would not follow."""
    message: Any = None
    open_: Any = None
    parts: list[str] = []
    events = events_of(stream)
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert stream.endswith(b"\n\ndata: [DONE]\n\n")
    for event in events:
        match event["type"]:
            case "message_start":
                assert message is None
                message = event["message"]
            case "content_block_start":
                assert open_ is None
                assert event["index"] == len(message["content"])
                open_ = event["content_block"]
                parts = []
                message["content"].append(open_)
            case "content_block_delta":
                assert event["index"] == len(message["content"]) - 1
                add(open_, event["delta"], parts)
            case "content_block_stop":
                assert event["index"] == len(message["content"]) - 1
                if parts:
                    open_["input"] = json.loads("".join(parts))
                open_ = None
            case "message_delta":
                assert open_ is None
                message |= event["delta"]
                message["usage"] = event["usage"]
    return message


def add(block: Any, delta: Any, parts: list[str]) -> None:
    """Add a delta to the block it belongs to."""
    match delta["type"]:
        case "text_delta":
            assert block["type"] == "text"
            block["text"] += delta["text"]
        case "thinking_delta":
            assert block["type"] == "thinking"
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            assert block["type"] == "thinking"
            block["signature"] = delta["signature"]
        case "input_json_delta":
            assert block["type"] in {"tool_use", "server_tool_use"}
            parts.append(delta["partial_json"])
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        case other:
            raise AssertionError(other)
