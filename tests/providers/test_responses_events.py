"""Events of the Responses API one at a time: what each adds, and that it is passed on."""

import json
from typing import Any

import pytest

from dragoman.providers.responses.stream import ResponsesDecoder
from dragoman.wire.hub import Chunk, Text
from dragoman.wire.responses.thoughts import OPENAI
from tests.providers.responses_host import message, response, text

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed",
          "action": {"type": "search", "query": "q"}}  # fmt: skip
IMAGE = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "QQ=="}
CODE = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "result": "QQ=="}


def event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": 0, "content_index": 0, **members}


def done(item: dict[str, Any]) -> dict[str, Any]:
    return event("output_item.done", item=item)


def fed(*events: dict[str, Any]) -> list[Chunk]:
    """What the hub gets, each with its event."""
    decoder = ResponsesDecoder(OPENAI)
    found = []
    for each in events:
        data = json.dumps(each).encode()
        chunk = decoder.feed(data)
        assert isinstance(chunk, Chunk)
        assert chunk.native is not None
        assert json.loads(chunk.native) == each
        found.append(chunk)
    return found


def added(chunk: Chunk) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for piece in chunk.pieces:
        told |= {name: json.loads(bytes(value)) for name, value in piece.delta.items()}
    return told


@pytest.mark.parametrize("kind", ["created", "in_progress", "queued"])
def test_an_answer_is_known_by_its_id_from_its_beginning_on(kind: str) -> None:
    (chunk,) = fed(event(kind, response=response(status=kind)))
    assert (chunk.upstream_id, chunk.pieces) == ("resp_1", ())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (event("output_text.delta", delta="a"), {"content": "a"}),
        (event("refusal.delta", delta="a"), {"refusal": "a"}),
    ],
)
def test_words_are_told_as_they_come(told: dict[str, Any], expected: Any) -> None:
    assert added(fed(told)[0]) == expected


@pytest.mark.parametrize(
    ("kind", "passage"), [("reasoning_text", "text"), ("reasoning_summary_text", "summary")]
)
def test_thoughts_are_told_as_they_come(kind: str, passage: str) -> None:
    told = added(fed(event(f"{kind}.delta", delta="hm", item_id="rs_1", summary_index=0))[0])
    assert told["reasoning"] == "hm"
    (detail,) = told["reasoning_details"]
    assert (detail["type"], detail[passage]) == (f"reasoning.{passage}", "hm")


@pytest.mark.parametrize(
    "told",
    [
        event("output_text.delta", delta=""),
        event("output_text.done", text=""),
        event("refusal.delta", delta=""),
        event("refusal.done", refusal=""),
        event("reasoning_text.delta", delta="", item_id="rs_1"),
        event("reasoning_summary_text.delta", delta="", item_id="rs_1", summary_index=0),
        event("output_text.annotation.added", annotation={"type": "new_citation"}),
        event("content_part.added", part={"type": "new_part"}),
        done({"type": "reasoning", "id": "rs_1", "summary": []}),
        done(message()),
        done(SEARCH),
        done(CODE),
        done({**IMAGE, "result": None}),
        event("new.event", x=1),
    ],
)
def test_what_says_nothing_adds_nothing_and_is_passed_on(told: dict[str, Any]) -> None:
    (chunk,) = fed(told)
    assert chunk == Chunk(native=chunk.native)


@pytest.mark.parametrize("name", ["output_text", "refusal"])
def test_words_that_have_come_are_not_told_again(name: str) -> None:
    field = {"output_text": "text", "refusal": "refusal"}[name]
    whole = done(message({"type": name, field: "a"}))
    end = event(f"{name}.done", **{field: "a"})
    first, *others = fed(end, end, whole)
    assert list(added(first).values()) == ["a"]
    assert [added(each) for each in others] == [{}, {}]


def test_an_answer_that_comes_with_its_end_is_told_with_its_searches_and_no_calls() -> None:
    whole = response(SEARCH, CODE, IMAGE, {**IMAGE, "result": None}, message(text("so")))
    (chunk,) = fed({"type": "response.completed", "response": whole})
    told = added(chunk)
    assert told["content"] == "so"
    assert [each["image_url"]["url"] for each in told["images"]] == ["data:image/png;base64,QQ=="]
    assert "tool_calls" not in told
    assert chunk.usage is not None
    assert chunk.usage.searches == 1


def test_text_is_short_only_where_its_part_was_begun() -> None:
    decoder = ResponsesDecoder(OPENAI)
    said = json.dumps(event("output_text.delta", delta="a")).encode()
    refused = json.dumps(event("content_part.added", part={"type": "refusal"})).encode()
    begun = json.dumps(event("content_part.added", part=text(""))).encode()
    kinds = [type(decoder.feed(data)) for data in (said, refused, said, begun, said)]
    assert kinds == [Chunk, Chunk, Chunk, Chunk, Text]
