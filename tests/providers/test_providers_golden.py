"""Requests as they leave for Bedrock and Cohere, and streams and errors of their documentation.

Beside each lies where it is from. To write the other side anew, after a change that is meant:
`python -m tests.providers.test_providers_golden`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.wire.chat import parse_chat
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Text
from tests.providers import bedrock_calls, cohere_calls

GOLDEN = Path(__file__).parent / "golden"
HOSTS: dict[str, Any] = {"bedrock": bedrock_calls, "cohere": cohere_calls}


def names(folder: str) -> list[tuple[str, str]]:
    """Return the hosts, each with what it has in a folder."""
    return [
        (host, path.stem)
        for host in HOSTS
        for path in sorted((GOLDEN / host / folder).glob("*.json"))
    ]


REQUESTS, STREAMS, ERRORS = map(names, ("requests", "streams", "errors"))


def load(host: str, folder: str, name: str) -> Any:
    return json.loads((GOLDEN / host / folder / f"{name}.json").read_text())


def written(host: str, golden: Any) -> dict[str, Any]:
    call = parse_chat(json.dumps(golden["call"]).encode())
    model = (golden["model"],) if "model" in golden else ()
    outgoing = HOSTS[host].write(call, *model)
    notes = [[n.change.value, n.field, n.detail] for n in outgoing.notes]
    return {"path": outgoing.path, "sent": HOSTS[host].sent(outgoing), "notes": notes}


def streamed(host: str, events: Any) -> list[Chunk | Text]:
    of = HOSTS[host]
    found: list[Chunk | Text] = of.chunks(of.stream_of(events))
    return found


def told(chunk: Chunk | Text) -> Any:
    """A chunk for people: texts as they are, of others what the hub's words say."""
    if isinstance(chunk, Text):
        return json.loads(chunk.content)
    plain = json.loads(msgspec.json.encode(chunk))
    return {name: value for name, value in plain.items() if value not in (None, [], False)}


def gathered(found: list[Chunk | Text]) -> Answer:
    gathering = Gathering()
    for chunk in found:
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        else:
            gathering.see(chunk)
    return gathering.answer()


def plain(answer: Answer) -> Any:
    tree = json.loads(msgspec.json.encode(answer))
    tree.pop("native")
    for choice in tree["choices"]:
        for call in choice["message"].get("tool_calls", []):
            call.pop("index", None)
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return tree


@pytest.mark.parametrize(("host", "name"), REQUESTS)
def test_a_request(host: str, name: str) -> None:
    golden = load(host, "requests", name)
    assert golden["source"]
    assert written(host, golden) == {key: golden[key] for key in ("path", "sent", "notes")}


@pytest.mark.parametrize(("host", "name"), STREAMS)
def test_a_stream(host: str, name: str) -> None:
    golden = load(host, "streams", name)
    assert golden["source"]
    assert [told(chunk) for chunk in streamed(host, golden["events"])] == golden["chunks"]


@pytest.mark.parametrize(("host", "name"), STREAMS)
def test_a_stream_and_the_whole_answer_say_the_same(host: str, name: str) -> None:
    golden = load(host, "streams", name)
    body = json.dumps(golden["whole"]).encode()
    found = streamed(host, golden["events"])
    assert plain(gathered(found)) == plain(HOSTS[host].DIALECT.answer(body))


@pytest.mark.parametrize(("host", "name"), STREAMS)
@given(cuts=st.lists(st.integers(0, 5000), max_size=12))
def test_a_stream_does_not_depend_on_how_it_is_cut(host: str, name: str, cuts: list[int]) -> None:
    of = HOSTS[host]
    stream = of.stream_of(load(host, "streams", name)["events"])
    assert of.chunks(stream, *(cut % len(stream) for cut in cuts)) == of.chunks(stream)


@pytest.mark.parametrize(("host", "name"), ERRORS)
def test_an_error(host: str, name: str) -> None:
    golden = load(host, "errors", name)
    assert golden["source"]
    body = json.dumps(golden["body"]).encode()
    fault = HOSTS[host].DIALECT.fault(golden["status"], golden["headers"], body)
    assert [fault.kind.value, fault.error_type, fault.code, fault.message] == golden["fault"]


def write_anew() -> None:
    """Write what follows from a call, or from a stream."""
    for host, name in REQUESTS:
        golden = load(host, "requests", name)
        save(GOLDEN / host / "requests" / name, golden | written(host, golden))
    for host, name in STREAMS:
        golden = load(host, "streams", name)
        found = [told(chunk) for chunk in streamed(host, golden["events"])]
        save(GOLDEN / host / "streams" / name, golden | {"chunks": found})


def save(path: Path, golden: Any) -> None:
    path.with_suffix(".json").write_text(json.dumps(golden, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write_anew()
