"""Requests as they leave for Anthropic, and documented streams and errors of its own.

Beside each lies where it is from. To write the other side anew, after a change that is meant:
`python -m tests.providers.test_anthropic_golden`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from dragoman.providers.anthropic.answers import read_answer
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Text
from tests.providers.anthropic_calls import sent, write

GOLDEN = Path(__file__).parent / "golden" / "anthropic"
STREAMS = sorted(path.stem for path in (GOLDEN / "streams").glob("*.sse"))
REQUESTS = sorted(path.stem for path in (GOLDEN / "requests").glob("*.json"))
ERRORS = sorted(path.stem for path in (GOLDEN / "errors").glob("*.json"))
DIALECT = DIALECTS["anthropic"]
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def chunks(stream: bytes) -> list[Chunk | Text]:
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    found = [decoder.feed(event) for event in parser.feed(stream)]
    return [chunk for chunk in found if chunk is not None]


def told(chunk: Chunk | Text) -> Any:
    """A chunk for people: texts as they are, of others what the hub's words say."""
    if isinstance(chunk, Text):
        return json.loads(chunk.content)
    plain = json.loads(msgspec.json.encode(chunk))
    plain.pop("native")
    return {name: value for name, value in plain.items() if value not in (None, [], False)}


def gathered(stream: bytes) -> Answer:
    gathering = Gathering()
    for chunk in chunks(stream):
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        else:
            gathering.see(chunk)
    return gathering.answer()


def whole(stream: bytes) -> bytes:
    """The answer that a stream would have been, put together by Anthropic's own SDK."""
    snapshot = None
    arguments: dict[int, bytes] = {}
    for data in DIALECT.parser().feed(stream):
        tree = json.loads(data)
        if tree["type"] in {"ping", "error"}:
            continue
        event = EVENT.validate_python(tree)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=arguments)
    assert snapshot is not None
    # Texts that nobody cited anything for come without the member.
    return json.dumps(snapshot.to_dict(mode="json", exclude_unset=False)).encode()


def plain(answer: Answer) -> Any:
    tree = json.loads(msgspec.json.encode(answer))
    tree.pop("native")
    for choice in tree["choices"]:
        for call in choice["message"].get("tool_calls", []):
            call.pop("index", None)
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        for note in choice["message"].get("annotations", []):
            note.get("file_citation", {}).pop("file_id", None)  # the SDK writes a null
    return tree


def written(golden: Any) -> dict[str, Any]:
    outgoing = write(parse_chat(json.dumps(golden["call"]).encode()), golden["model"])
    return {
        "sent": sent(outgoing),
        "headers": dict(outgoing.headers[2:]),
        "notes": [[n.change.value, n.field, n.detail] for n in outgoing.notes],
    }


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(name: str) -> None:
    golden = json.loads((GOLDEN / "requests" / f"{name}.json").read_text())
    assert golden["source"]
    assert written(golden) == {name: golden[name] for name in ("sent", "headers", "notes")}


@pytest.mark.parametrize("name", STREAMS)
def test_a_documented_stream(name: str) -> None:
    stream = (GOLDEN / "streams" / f"{name}.sse").read_bytes()
    golden = json.loads((GOLDEN / "streams" / f"{name}.json").read_text())
    assert golden["source"]
    assert [told(chunk) for chunk in chunks(stream)] == golden["chunks"]


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "error"])
def test_a_stream_and_the_whole_answer_say_the_same(name: str) -> None:
    stream = (GOLDEN / "streams" / f"{name}.sse").read_bytes()
    body = whole(stream)
    Message.model_validate_json(body)
    from_stream, from_whole = plain(gathered(stream)), plain(read_answer(body))
    assert from_stream == from_whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_does_not_depend_on_how_it_is_cut(name: str) -> None:
    stream = (GOLDEN / "streams" / f"{name}.sse").read_bytes()
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    found = []
    for place in range(0, len(stream), 7):
        found += [decoder.feed(event) for event in parser.feed(stream[place : place + 7])]
    assert [chunk for chunk in found if chunk is not None] == chunks(stream)


@pytest.mark.parametrize("name", ERRORS)
def test_a_documented_error(name: str) -> None:
    golden = json.loads((GOLDEN / "errors" / f"{name}.json").read_text())
    assert golden["source"]
    fault = DIALECT.fault(golden["status"], golden["headers"], json.dumps(golden["body"]).encode())
    found = json.loads(msgspec.json.encode(fault))
    assert found.pop("raw")
    assert found == golden["fault"]


def main() -> None:
    """Write what leaves for each request, and what the hub gets of each stream and error."""
    for name in REQUESTS:
        path = GOLDEN / "requests" / f"{name}.json"
        golden = json.loads(path.read_text())
        golden |= written(golden)
        path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    for name in STREAMS:
        path = GOLDEN / "streams" / f"{name}.json"
        golden = json.loads(path.read_text())
        golden["chunks"] = [told(chunk) for chunk in chunks(path.with_suffix(".sse").read_bytes())]
        path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    for name in ERRORS:
        path = GOLDEN / "errors" / f"{name}.json"
        golden = json.loads(path.read_text())
        body = json.dumps(golden["body"]).encode()
        fault = DIALECT.fault(golden["status"], golden["headers"], body)
        golden["fault"] = {k: v for k, v in msgspec.to_builtins(fault).items() if k != "raw"}
        path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
